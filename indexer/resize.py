"""Resizing, so that every descriptor sees the same pixels whatever the size of the copy."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]


def squash(pixels: U8, side: int) -> U8:
    """The whole picture as a square, its aspect ratio given up.

    Nothing is cropped: what two copies share may lie at the border. Area averaging along an axis
    that shrinks, linear interpolation along one that grows. OpenCV's INTER_AREA silently turns
    into linear interpolation for both axes as soon as one of them grows, which would alias the
    other, hence the two steps.

    Args:
        pixels: uint8 (h, w) or (h, w, 3).
        side: width and height of the result, pixels.

    Returns:
        uint8 (side, side) or (side, side, 3).
    """
    height, width = pixels.shape[:2]
    shrunk = (min(width, side), min(height, side))
    if shrunk != (width, height):
        pixels = _resized(pixels, shrunk, cv2.INTER_AREA)
    if shrunk != (side, side):
        pixels = _resized(pixels, (side, side), cv2.INTER_LINEAR)
    return pixels


def fit(pixels: U8, longer_side: int) -> U8:
    """The picture in its proportions, its longer side at most `longer_side`; never enlarged.

    Args:
        pixels: uint8 (h, w) or (h, w, 3).
        longer_side: pixels.
    """
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= longer_side:
        return pixels
    size = (
        max(1, round(width * longer_side / longest)),
        max(1, round(height * longer_side / longest)),
    )
    return _resized(pixels, size, cv2.INTER_AREA)


def luminance(rgb: U8) -> U8:
    """Rec. 601 luminance in OpenCV's fixed-point arithmetic, so the same on every machine.

    Args:
        rgb: uint8 (h, w, 3).

    Returns:
        uint8 (h, w).
    """
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _resized(pixels: U8, size: tuple[int, int], interpolation: int) -> U8:
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), dtype=np.uint8)
