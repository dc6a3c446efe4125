"""The last look at two pictures that agree: is one place unlike all the others?

Another digit of five pixels differs by no more than compression differs elsewhere, in some other
picture. But it differs by more than *this* compression does anywhere else in *this* picture. So one
picture is predicted from the other by the linear filter that does so best (resampling, blur,
sharpening and a fraction of a pixel of shift are all linear; the kernel is fitted by least squares,
robustly), and what the prediction leaves in windows of a character's size is compared with what it
leaves in all windows that have contrast.

Measured on pages of small print saved in eleven ways, and pairs of them that differ in one digit of
four by six pixels: copies are at most at 1.7, and nearly all pairs that pass the other gates at 1.9
and more.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.linear_filter import fit_filter
from verify.photometry import luminance
from verify.residual import Residual, smoothed
from verify.specks import inside, quantile

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# A filter of 7×7 pixels.
_REACH = 3
# Takes out the noise of single pixels from both.
_SOFTENED = 0.7
_CHARACTER = 7
# Deviation in grey levels of a window that has contrast; fewer windows say nothing.
_CONTRAST, _LEAST_WINDOWS = 12.0, 50
# Mean squared difference in a window below which it holds no other character.
_HARMLESS = 12.0
# What nearly all windows stay below.
_NEARLY_ALL = 0.99
# As exact as saving a picture is; less is chance.
_EXACT_LEFT, _EXACT_ERROR = 0.04, 1.5
# Below, no other direction is tried.
_WELL_PREDICTED = 0.2
# Of the contrast, what another character takes away at least.
_ANOTHER = 0.45


@dataclass(frozen=True, slots=True)
class CloseLook:
    """What the best prediction of one picture from the other leaves.

    Attributes:
        odd: the worst window in multiples of what nearly all windows stay below; 0 where none has
            lost enough of its contrast to hold another character.
        lost: what that window has lost of its contrast, 0..1 and beyond.
        left: what nearly all windows stay below: error over contrast.
    """

    odd: float = 0.0
    lost: float = 0.0
    left: float = 0.0


def look_closely(residual: Residual) -> CloseLook:
    """Compares the worst window of a character's size with all the others."""
    size = (_CHARACTER, _CHARACTER)
    difference = cv2.subtract(residual.a, residual.b)
    suspect = np.asarray(cv2.boxFilter(difference * difference, -1, size)) >= _HARMLESS
    compared = inside(residual.mask, _CHARACTER // 2 + _REACH)
    if not (suspect & compared).any():
        return CloseLook()
    first, second = luminance(residual.grading.a), luminance(residual.grading.b)
    if residual.blur < 0:
        # The softer one from the sharper one.
        first, second = second, first
    found = _compared(first, second, compared)
    if found.left > _WELL_PREDICTED:
        # Which is the sharper one may be hard to see.
        other = _compared(second, first, compared)
        if 0 < other.left < found.left:
            return other
    return found


def detail_lost(picture: U8, reduction: float) -> float:
    """What windows of a character's size lose of their contrast when a picture is made smaller.

    Small print loses half of it by a third of its size, large print a fifth: the one is legible on
    the smaller picture, the other is not.

    Args:
        picture: uint8 RGB (h, w, 3).
        reduction: its pixels for one of the smaller picture, as a length.

    Returns:
        The median, 0..1; 0 where nothing has contrast.
    """
    grey = luminance(picture)
    height, width = grey.shape
    smaller = (max(1, round(width / reduction)), max(1, round(height / reduction)))
    small = cv2.resize(grey, smaller, interpolation=cv2.INTER_AREA)
    back = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    contrast = _variance(grey)
    has_contrast = contrast > _CONTRAST**2
    if int(has_contrast.sum()) < _LEAST_WINDOWS:
        return 0.0
    lost = _variance(np.asarray(cv2.subtract(grey, back)))[has_contrast]
    return quantile(np.asarray(np.sqrt(lost / contrast[has_contrast]), np.float32), 0.5)


def _compared(source: F32, target: F32, compared: Mask) -> CloseLook:
    """What the prediction of the target leaves."""
    best = fit_filter(source, target, compared, _REACH)
    if best is None:
        return CloseLook()
    left, right = smoothed(best.apply(source), _SOFTENED), smoothed(target, _SOFTENED)
    contrast = cv2.max(_variance(left), _variance(right))
    has_contrast = compared & np.asarray(contrast > _CONTRAST**2)
    if int(has_contrast.sum()) < _LEAST_WINDOWS:
        return CloseLook()
    error = np.asarray(
        np.sqrt(_variance(np.asarray(cv2.subtract(left, right)))[has_contrast]), np.float32
    )
    share = np.asarray(error / np.sqrt(np.asarray(contrast)[has_contrast]), np.float32)
    usual_share, usual_error = quantile(share, _NEARLY_ALL), quantile(error, _NEARLY_ALL)
    odd = np.minimum(share / max(_EXACT_LEFT, usual_share), error / max(_EXACT_ERROR, usual_error))
    odd[share < _ANOTHER] = 0.0
    worst = int(odd.argmax())
    lost = float(share[worst]) if odd[worst] > 0 else 0.0
    return CloseLook(float(odd[worst]), lost, usual_share)


def _variance(image: F32) -> F32:
    """Variance in windows of a character's size, float32 (h, w)."""
    size = (_CHARACTER, _CHARACTER)
    mean = cv2.boxFilter(image, -1, size)
    return np.asarray(np.maximum(cv2.boxFilter(image * image, -1, size) - mean * mean, 0))
