"""Up to which frequency a picture holds signal: tells an enlarged copy from a true one."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_WINDOWS = (128, 64)
# Where the windows lie, as shares of the height and width that they leave.
_PLACES = ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
_BANDS = 32
# Bands (of 32 up to Nyquist) the power law is fitted to; below lies the mean, above may lie what an
# enlargement lacks.
_FIT = slice(1, 8)
# Decibels per octave a natural spectrum falls; the fit is kept within.
_STEEPEST, _FLATTEST = -12.0, -3.0
# How far below its power law a spectrum must fall to have ended. Chosen on 30 photographs reduced
# to 3/5, so that they are sharp, and enlarged again: median bandwidth 1.0 before, 0.66 at 1.5×,
# 0.50 at 2×, 0.33 at 3×, whether bicubic, Lanczos or followed by a JPEG of quality 70.
_DROP = 5.0
# Rounding to whole grey levels has the power 1/12; twice that is no signal.
_ROUNDING_FLOOR = 10.0 * np.log10(2.0 / 12.0)


def bandwidth(luminance: NDArray[np.uint8]) -> float:
    """The share of the Nyquist frequency up to which there is signal.

    The power spectrum, averaged over five Hann windows (the middle and the corners) and over
    directions, follows a power law in photographs (Field 1987). The signal ends where it falls well
    below the law that its lower quarter obeys, or into the noise of rounding.

    Args:
        luminance: uint8 (h, w).

    Returns:
        0..1; 0 when the picture is flat or its shorter side has fewer than 64 pixels.
    """
    side = next((w for w in _WINDOWS if min(luminance.shape) >= w), 0)
    if not side:
        return 0.0
    power = _radial_power(luminance, side)
    decibels = 10.0 * np.log10(power + 1e-3)
    if float(decibels[_FIT].max()) < _ROUNDING_FLOOR:
        return 0.0
    octaves = np.log2((np.arange(_BANDS) + 0.5) / _BANDS)
    x, y = octaves[_FIT], decibels[_FIT]
    spread = x - x.mean()
    slope = float(np.clip(spread @ (y - y.mean()) / (spread @ spread), _STEEPEST, _FLATTEST))
    law = y.mean() + slope * (octaves - x.mean())
    smoothed = np.convolve(np.pad(decibels, 1, mode="edge"), np.full(3, 1 / 3), "valid")
    ended = np.flatnonzero((smoothed < np.maximum(law - _DROP, _ROUNDING_FLOOR))[_FIT.stop :])
    return float((_FIT.stop + ended[0]) / _BANDS) if ended.size else 1.0


def _radial_power(luminance: NDArray[np.uint8], side: int) -> F64:
    """Mean power per frequency in 32 bands up to Nyquist, grey levels squared."""
    window, bands, twins, counts = _tables(side)
    height, width = luminance.shape
    energy = np.zeros((side, side), dtype=np.float32)
    for down, right in _PLACES:
        top, left = round((height - side) * down), round((width - side) * right)
        tile = luminance[top : top + side, left : left + side]
        centred = np.subtract(tile, cv2.mean(tile)[0], dtype=np.float32)
        centred *= window
        # Real and imaginary parts side by side: the squares of all of them are the power.
        cv2.accumulateSquare(cv2.dft(centred), energy)
    energy *= twins
    summed = np.bincount(bands, weights=energy.ravel(), minlength=_BANDS + 1)[:_BANDS]
    return summed / counts / (len(_PLACES) * float((window**2).sum()))


@lru_cache(maxsize=len(_WINDOWS))
def _tables(side: int) -> tuple[F32, NDArray[np.int64], F32, F64]:
    """What `_radial_power` needs of a window.

    Returns:
        window: float32 (side, side).
        bands: int64 (side · side,), of each number of the packed spectrum.
        twins: float32 (side, side), 2 for the numbers that stand for their conjugates, too.
        counts: float64 (32,), frequencies in each band.
    """
    taper = np.hanning(side + 2)[1:-1]
    frequencies = np.abs(np.fft.fftfreq(side) * 2)
    radius = np.hypot(frequencies[:, None], frequencies[None])
    # The corners beyond Nyquist go to one more band, which is dropped.
    bands = np.minimum((radius * _BANDS).astype(np.int64), _BANDS)
    counts = np.bincount(bands.ravel(), minlength=_BANDS + 1)[:_BANDS].astype(np.float64)
    # OpenCV's packed spectrum of a real picture: after the first, each two columns are the real
    # and the imaginary part of one frequency, and so are each two rows of the first and the last.
    packed = (np.arange(side) + 1) // 2
    twins = np.full((side, side), 2.0, dtype=np.float32)
    ends = np.ix_((0, -1), (0, -1))
    twins[ends] = 1.0
    columns = np.broadcast_to(packed[None], (side, side))
    rows = np.broadcast_to(np.arange(side)[:, None], (side, side)).copy()
    rows[:, [0, -1]] = packed[:, None]
    return np.outer(taper, taper).astype(np.float32), bands[rows, columns].ravel(), twins, counts
