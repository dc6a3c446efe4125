"""Colour descriptors, the same for copies of any size: taken of a squashed 128×128 picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.resize import squash

U8 = NDArray[np.uint8]

_SIDE = 128
_GRID = 4


def colour_square(rgb: U8) -> U8:
    """What the colour descriptors are taken of.

    Halved first while that leaves enough pixels, an odd last row or column left out: averaging
    2×2 pixels is many times faster than areas of fractional size.

    Args:
        rgb: uint8 (h, w, 3).

    Returns:
        uint8 (128, 128, 3).
    """
    while min(rgb.shape[:2]) >= 2 * _SIDE:
        height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
        even = rgb[: 2 * height, : 2 * width]
        halved = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
        rgb = np.asarray(halved, dtype=np.uint8)
    return squash(rgb, _SIDE)


def colour_histogram(square: U8) -> U8:
    """The joint histogram of four levels each of red, green and blue.

    The square root of the share (so that Euclidean distance is Hellinger's) × 255, rounded; bin
    16·(r // 64) + 4·(g // 64) + b // 64.

    Args:
        square: uint8 (128, 128, 3), see `colour_square`.

    Returns:
        uint8 (64,).
    """
    counts = cv2.calcHist([square], [0, 1, 2], None, [4, 4, 4], [0, 256, 0, 256, 0, 256])
    shares = np.asarray(counts, dtype=np.float64).ravel() / (square.size // 3)
    return np.asarray(np.rint(np.sqrt(shares) * 255), dtype=np.uint8)


def colour_layout(square: U8) -> U8:
    """The mean colour of each cell of a 4×4 grid.

    Args:
        square: uint8 (128, 128, 3).

    Returns:
        uint8 (4, 4, 3): L·255/100, a + 128, b + 128 of CIE Lab (D65).
    """
    lab = np.asarray(cv2.cvtColor(square, cv2.COLOR_RGB2LAB), dtype=np.uint8)
    # By a whole factor, area averaging is the rounded mean of each cell.
    return squash(lab, _GRID)
