"""How good a picture is as a copy: what a keeper is chosen by, and what tells flat pictures.

All are taken of the decoded pixels, which for large pictures are scaled down; the record says by
how much (`measured_scale`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.jpeg_coding import JpegCoding
from indexer.resize import luminance as luminance_of
from indexer.spectrum import bandwidth
from storage.records import Quality

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

_SECOND_DIFFERENCE = np.asarray([1, -2, 1], dtype=np.float32)
_GRID = 8
_TILE = 16
# A tile of a flat sky or wall has the noise of the camera and of JPEG, but hardly more than this.
_LEAST_TEXTURE = 2.5
# Immerkaer's measure takes fine texture for noise: without a ceiling gravel would count as flat.
_MOST_TEXTURE_NEEDED = 8.0


def measure_quality(
    rgb: U8, scale: float, jpeg: JpegCoding | None, grey: U8 | None = None
) -> Quality:
    """All measures of `storage.records.Quality`.

    Args:
        rgb: uint8 (h, w, 3), upright, as decoded.
        scale: of the decode. The 8-pixel grid of JPEG is only looked for at 1.0.
        jpeg: what the header says of the compression; None for other formats.
        grey: uint8 (h, w), its luminance, where the caller has it.
    """
    if grey is None:
        grey = luminance_of(rgb)
    return Quality(
        sharpness=sharpness(grey),
        noise=noise(grey),
        blockiness=blockiness(grey) if scale == 1.0 else 0.0,
        bandwidth=bandwidth(grey),
        jpeg_quality=jpeg.quality if jpeg else 0,
        jpeg_quantiser=jpeg.mean_quantiser if jpeg else 0.0,
        chroma_subsampling=jpeg.subsampling if jpeg else "",
        clipped=clipped(rgb),
        # Of one channel: luminance mixes three, which fills the gaps of each.
        histogram_gaps=histogram_gaps(_histogram(rgb, channel=1)),
        entropy=entropy(_histogram(grey)),
        colourfulness=colourfulness(rgb),
        measured_scale=scale,
    )


def sharpness(grey: U8) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000).

    Args:
        grey: uint8 (h, w).
    """
    response = cv2.Laplacian(grey, cv2.CV_16S)
    # What `meanStdDev` computes, from two sums that are exact and a third of the time.
    share = 1.0 / response.size
    mean = cv2.sumElems(response)[0] * share
    squares = cv2.norm(response, cv2.NORM_L2SQR) * share
    return math.sqrt(max(0.0, squares - mean * mean)) ** 2


def noise(grey: U8) -> float:
    """Standard deviation of the noise in grey levels (Immerkaer 1996).

    Args:
        grey: uint8 (h, w). 0 for pictures of fewer than 3×3 pixels.
    """
    height, width = grey.shape
    if height < 3 or width < 3:
        return 0.0
    # The mask [[1,-2,1],[-2,4,-2],[1,-2,1]] is the second difference along both axes.
    response = cv2.sepFilter2D(grey, cv2.CV_16S, _SECOND_DIFFERENCE, _SECOND_DIFFERENCE)
    inner = np.ascontiguousarray(response[1:-1, 1:-1])
    return float(np.sqrt(np.pi / 2) / 6 * cv2.norm(inner, cv2.NORM_L1) / inner.size)


def blockiness(grey: U8) -> float:
    """How much stronger luminance steps are on an 8-pixel grid than between, as a ratio minus one.

    The grid may begin anywhere, for the picture may be a crop of a JPEG, or turned. So the steps
    are averaged for each of the eight places a grid may have, and the strongest is compared with
    the second strongest: compared with the mean of the others, chance alone would show a grid.

    Args:
        grey: uint8 (h, w). 0 where it is shorter than 32 pixels along either axis.
    """
    if min(grey.shape) < 4 * _GRID:
        return 0.0
    ratios: list[float] = []
    for axis in (0, 1):
        before = grey[:-1] if axis == 0 else grey[:, :-1]
        after = grey[1:] if axis == 0 else grey[:, 1:]
        steps = cv2.absdiff(before, after)
        # Whole numbers: averaging in floating point takes many times as long.
        sums = cv2.reduce(steps, 1 - axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
        lines = np.ravel(sums) * (1.0 / steps.shape[1 - axis])
        phases = lines[: lines.size // _GRID * _GRID].reshape(-1, _GRID).mean(axis=0)
        second, strongest = np.sort(phases)[-2:]
        # Steps weaker than a twentieth of a level are rounding.
        ratios.append(float(strongest / max(second, 0.05)))
    return max(0.0, float(np.mean(ratios)) - 1.0)


def clipped(rgb: U8) -> float:
    """Share of pixels with a channel at 0 or 255.

    Args:
        rgb: uint8 (h, w, 3); every second row is looked at.
    """
    inside = cv2.inRange(rgb[::2], np.full(3, 1.0), np.full(3, 254.0))
    return 1.0 - cv2.countNonZero(inside) / inside.size


def histogram_gaps(counts: F64) -> float:
    """Share of empty levels inside the range that holds all but the outermost 2 % of the pixels.

    Args:
        counts: (256,).
    """
    total = float(counts.sum())
    if total == 0:
        return 0.0
    cumulative = np.cumsum(counts)
    low = int(np.searchsorted(cumulative, 0.01 * total))
    high = int(np.searchsorted(cumulative, 0.99 * total))
    if high - low < 2:
        return 0.0
    return float(np.mean(counts[low : high + 1] == 0))


def entropy(counts: F64) -> float:
    """Shannon entropy of a histogram, bits per pixel.

    Args:
        counts: (256,).
    """
    shares = counts[counts > 0] / max(1.0, float(counts.sum()))
    return max(0.0, float(-(shares * np.log2(shares)).sum()))


def colourfulness(rgb: U8) -> float:
    """Hasler & Süsstrunk, Measuring colourfulness in natural images, 2003; 0 for grey.

    Args:
        rgb: uint8 (h, w, 3); every third pixel along each axis is looked at.
    """
    red, green, blue = (rgb[::3, ::3, channel].astype(np.int16) for channel in range(3))
    red_green = red - green
    yellow_blue = red + green - 2 * blue  # twice the paper's, to stay with integers
    mean_rg, deviation_rg = cv2.meanStdDev(red_green)
    mean_yb, deviation_yb = cv2.meanStdDev(yellow_blue)
    deviation = np.hypot(deviation_rg[0, 0], deviation_yb[0, 0] / 2)
    mean = np.hypot(mean_rg[0, 0], mean_yb[0, 0] / 2)
    return float(deviation + 0.3 * mean)


def texture(grey: U8, noise_level: float | None = None) -> float:
    """Share of 16×16 tiles with more than noise in them.

    A tile counts when its standard deviation exceeds twice the noise of the picture, and 2.5 grey
    levels; 8 levels always suffice.

    Args:
        grey: uint8 (h, w), luminance of the preview. A picture smaller than a tile is one tile.
        noise_level: its `noise`, where the caller has it.

    Returns:
        0..1.
    """
    if noise_level is None:
        noise_level = noise(grey)
    needed = float(np.clip(2 * noise_level, _LEAST_TEXTURE, _MOST_TEXTURE_NEEDED))
    height, width = (max(1, length // _TILE) for length in grey.shape)
    inner = grey[: height * _TILE, : width * _TILE].astype(np.float32)
    if min(grey.shape) < _TILE:
        return float(inner.std() > needed)
    mean = _tile_sums(inner) / _TILE**2
    np.square(inner, out=inner)
    variance = _tile_sums(inner) / _TILE**2 - mean * mean
    return float(np.mean(variance > needed * needed))


def _tile_sums(values: NDArray[np.float32]) -> F64:
    """The sum of each 16×16 tile; exact, for 256 squares of grey levels fit single precision."""
    height, width = values.shape
    down = values.reshape(height // _TILE, _TILE, width).sum(axis=1)
    across = down.reshape(height // _TILE, width // _TILE, _TILE).sum(axis=2)
    return np.asarray(across, dtype=np.float64)


def _histogram(pixels: U8, channel: int = 0) -> F64:
    counts = cv2.calcHist([pixels], [channel], None, [256], [0, 256])
    return np.asarray(counts, dtype=np.float64).ravel()
