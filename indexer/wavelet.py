"""Wavelet hashes of 64 and 256 bits.

The picture is squashed to 256×256 grey levels. The low-pass band of a Haar wavelet transform of
level n is, up to a factor, the sum of each 2ⁿ×2ⁿ block, so both hashes come from integer sums, at
a quarter of the cost and free of rounding. A bit is set where a block is brighter than the median
block; the median of an even number of blocks is the mean of the middle two, and a block equal to
it gives 0. Neither depends on the order of the blocks: the hash of a turned or mirrored square is
the turned or mirrored hash.
"""

from __future__ import annotations

import cv2
import numpy as np
import pywt
from numpy.typing import NDArray

from indexer.resize import luminance, squash

U8 = NDArray[np.uint8]

GREY_SIDE = 256


def grey_square(rgb: U8) -> U8:
    """What the hashes are taken of: luminance, squashed.

    Args:
        rgb: uint8 (h, w, 3).

    Returns:
        uint8 (256, 256).
    """
    return squash(luminance(rgb), GREY_SIDE)


def wavelet_hash(grey: U8, side: int) -> bytes:
    """The hash of side × side bits, rows from the top, most significant bit first.

    Args:
        grey: uint8 (256, 256), see `grey_square`.
        side: 8 for the 64-bit hash, 16 for the 256-bit one.
    """
    return _threshold(_block_sums(grey, side))


def reference_wavelet_hash(grey: U8, side: int) -> bytes:
    """The same hash from PyWavelets' transform, which `wavelet_hash` equals bit for bit.

    Args:
        grey: uint8 (256, 256).
        side: 8 or 16.
    """
    level = (GREY_SIDE // side).bit_length() - 1
    approximation = pywt.wavedec2(grey.astype(np.float64), "haar", level=level)[0]
    # Each level divides the sum of four by two.
    return _threshold(np.rint(approximation * 2.0**level).astype(np.int64))


def _block_sums(grey: U8, side: int) -> NDArray[np.int64]:
    if grey.shape != (GREY_SIDE, GREY_SIDE):
        raise ValueError(f"the hash needs a {GREY_SIDE}×{GREY_SIDE} square, not {grey.shape}")
    block = GREY_SIDE // side
    # The sums of all that is above and to the left: what a block adds is a difference of corners.
    corners = cv2.integral(grey)[::block, ::block]
    return np.asarray(np.diff(np.diff(corners, axis=0), axis=1), dtype=np.int64)


def _threshold(sums: NDArray[np.int64]) -> bytes:
    ordered = np.sort(sums, axis=None)
    middle = ordered.size // 2
    # Doubled, so that the mean of the middle two stays an integer.
    return np.packbits(2 * sums > ordered[middle - 1] + ordered[middle]).tobytes()
