"""Resizing, so that every descriptor sees the same pixels whatever the size of the copy."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

# A linear interpolation reaches one pixel to either side: beyond twice it skips some. At 1.5 copies
# agree as well as with areas.
_MOST_SHRUNK = 1.5


def squash(pixels: U8, side: int) -> U8:
    """The whole picture as a square, its aspect ratio given up.

    Nothing is cropped: what two copies share may lie at the border. An axis that grows is
    interpolated linearly. One that shrinks is interpolated to twice, four, eight … times the
    result and averaged from there: of photographs nearly the same as averaging areas of fractional
    size, which takes OpenCV three times as long, and turns into interpolation along both axes as
    soon as one of them grows. (Of stripes a pixel wide twice as much may be left.)

    Args:
        pixels: uint8 (h, w) or (h, w, 3).
        side: width and height of the result, pixels.

    Returns:
        uint8 (side, side) or (side, side, 3).
    """
    height, width = pixels.shape[:2]
    interpolated = (_multiple(width, side), _multiple(height, side))
    if interpolated != (width, height):
        pixels = _resized(pixels, interpolated, cv2.INTER_LINEAR)
    if interpolated != (side, side):
        pixels = _resized(pixels, (side, side), cv2.INTER_AREA)
    return pixels


def _multiple(length: int, side: int) -> int:
    """The multiple of the side, by a power of two, that a length is interpolated to.

    More than one for all that is longer than the side, and at least two thirds of the length:
    interpolation that shrinks further would skip pixels.
    """
    if length <= side:
        return side
    multiple = 2 * side
    while length > _MOST_SHRUNK * multiple:
        multiple *= 2
    return multiple


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
