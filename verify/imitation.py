"""What was done to all of one picture, done to the other one too.

Coarse compression, a motion blur, a hard sharpening or a dark vignette moves every pixel, and
neither a grading nor a blur that is the same in all directions undoes it. Each is told by few
numbers: a quality, a smooth field of brightness, a filter of some pixels across. They are fitted to
all of the picture, robustly, so that another digit or another person, who are in a part of it, do
not bend them: what the edit does not explain is left, and is judged as always.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.linear_filter import LinearFilter, fit_filter
from verify.photometry import luminance
from verify.residual import Residual, smoothed
from verify.robust import deviation, weights
from verify.saving import Saving
from verify.specks import inside
from verify.warp import AlignedPair

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

# One pixel of so many across tells whether two pictures are alike.
_STEP = 3
# Quality of a JPEG whose losses are seen all over.
_COARSE_QUALITY = 40
# What it takes away differs by so much when the picture had been saved before.
_ROUNDED_OTHERWISE = 0.6
# Shading is looked for on so many pixels across, of what is neither black nor white.
_COARSE = 48
_DARK, _LIGHT = 8.0, 247.0
_LEAST_SAMPLES = 200
_ROUNDS = 4
# In logarithms of brightness.
_OUTLYING, _LEAST_ERROR = 3.0, 0.01
# The lightest part of a field over its darkest, from which on it is one; and what may be left of
# the differences in brightness when it is the reason for them.
_SHADED, _SHADING_LEFT = 1.12, 0.6
_STRONGEST = 6.0
# Logarithm up to which a lightest part is as light as it was.
_LIGHTENS = 0.02
# A filter of 9×9 pixels; its kernel's least sum.
_REACH, _LEAST_SUM = 4, 0.2
# Grey levels from which on a difference says no more, and what a filter has to leave of it.
_MOST, _FILTERED_LEFT = 20.0, 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Imitation:
    """A pair with one of the two edited as the other seems to have been.

    Attributes:
        pair: the two then.
        blur: sigma of the blur that was done to a, pixels; negative when it was done to b.
        least_noise: as of `measure_residual`.
    """

    pair: AlignedPair
    blur: float = 0.0
    least_noise: float = 0.0


def likeness(residual: Residual) -> float:
    """Correlation of the luminance of the two, where both are seen."""
    seen = residual.mask[::_STEP, ::_STEP]
    a, b = (grey[::_STEP, ::_STEP][seen] for grey in (residual.a, residual.b))
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt(max(1e-6, float((a @ a) * (b @ b)))))


def resaved(pair: AlignedPair, residual: Residual, saving: Saving) -> Imitation | None:
    """The finer of the two as a JPEG as coarse as the other one.

    None where neither is a coarse one. On equal grids the blocks of the two are then the same, and
    what is left is what differed before they were saved.
    """
    if not 0 < saving.quality <= _COARSE_QUALITY:
        return None
    saved = saving.again(pair.a, pair.b)
    edited = replace(pair, b=saved) if saving.is_a else replace(pair, a=saved)
    return Imitation(edited, least_noise=_ROUNDED_OTHERWISE * residual.noise)


def shaded(pair: AlignedPair, _residual: Residual, _saving: Saving) -> Imitation | None:
    """One of the two darkened by a smooth field where the other is darker.

    None where no such field explains much of what the two differ by in brightness.
    """
    height, width = pair.mask.shape
    step = max(height, width) / _COARSE
    size = (max(2, round(width / step)), max(2, round(height / step)))
    light_a, light_b = (
        np.asarray(cv2.resize(luminance(rgb), size, interpolation=cv2.INTER_AREA), np.float64)
        for rgb in (pair.a, pair.b)
    )
    share = cv2.resize(pair.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    known = (
        (np.asarray(share) > 0.99)
        & (np.minimum(light_a, light_b) > _DARK)
        & (np.maximum(light_a, light_b) < _LIGHT)
    )
    if int(known.sum()) < _LEAST_SAMPLES:
        return None
    terms = _terms(*size)
    seen = terms[known]
    wanted = np.log(light_b[known] / light_a[known])
    left, field = wanted - np.median(wanted), np.zeros(known.shape)
    before = float(np.abs(left).mean())
    for _ in range(_ROUNDS):
        error = np.abs(left)
        weight = weights(error, deviation(error, _LEAST_ERROR), _OUTLYING)
        solution = np.linalg.lstsq(seen * weight[:, None], wanted * weight, rcond=None)[0]
        left, field = wanted - seen @ solution, terms @ solution
    span = float(np.exp(field.max() - field.min()))
    if not _SHADED < span < _STRONGEST or np.abs(left).mean() > _SHADING_LEFT * before:
        return None
    # Of the two ways, the one that darkens less. Where nothing else was done to the brightness,
    # nothing is left for the grading to undo.
    of_a, of_b = np.exp(field - _excess(field)), np.exp(-field - _excess(-field))
    if of_a.mean() >= of_b.mean():
        return Imitation(replace(pair, a=_darkened(pair.a, of_a)))
    return Imitation(replace(pair, b=_darkened(pair.b, of_b)))


def _excess(field: F64) -> float:
    """What is to be taken off a field so that it lightens nothing."""
    most = float(field.max())
    return most if most > _LIGHTENS else 0.0


@lru_cache(16)
def _terms(width: int, height: int) -> F64:
    """The polynomials a field of brightness is made of, float64 (h, w, 7)."""
    y, x = np.mgrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y, (x * x + y * y) ** 2], axis=-1)


def _darkened(rgb: U8, field: F64) -> U8:
    """A picture times a field, float64, of few pixels."""
    height, width = rgb.shape[:2]
    full = cv2.resize(field.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.rint(rgb * np.minimum(full, 1.0)[..., None]), dtype=np.uint8)


def filtered(pair: AlignedPair, residual: Residual, _saving: Saving) -> Imitation | None:
    """One of the two through the filter that makes it most like the other.

    None where that is hardly better than making the two equally sharp.
    """
    compared = inside(pair.mask, _REACH)
    greys = [luminance(rgb) for rgb in (residual.grading.a, residual.grading.b)]
    # The softer one from the sharper one.
    source, target = greys if residual.blur >= 0 else greys[::-1]
    best = fit_filter(source, target, compared, _REACH)
    if best is None:
        return None
    blurred = smoothed(source, abs(residual.blur)) if residual.blur else source
    before = np.abs(blurred.ravel()[best.places] - target.ravel()[best.places])
    if _capped_mean(best.left) > _FILTERED_LEFT * _capped_mean(before):
        return None
    if residual.blur >= 0:
        return Imitation(replace(pair, a=_through(best, pair.a)), best.spread)
    return Imitation(replace(pair, b=_through(best, pair.b)), -best.spread)


def _capped_mean(difference: F32) -> float:
    return float(np.minimum(difference, _MOST).mean())


def _through(best: LinearFilter, rgb: U8) -> U8:
    """Without what the filter does to brightness and contrast, which is left to the grading."""
    kernel = best.kernel / max(_LEAST_SUM, float(best.kernel.sum()))
    return np.asarray(cv2.filter2D(rgb, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)
