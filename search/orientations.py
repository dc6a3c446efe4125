"""The hashes of an image's eight orientations, from its hash alone.

A wavelet hash is a grid of bits that turns and mirrors with the image, so the hash of a turned or
mirrored copy is a permutation of the bits.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from storage.records import U8

ORIENTATIONS = 8


def oriented_hashes(hashes: U8, side: int) -> U8:
    """The hashes as those of the turned and mirrored images.

    Args:
        hashes: uint8 (n, side² / 8), rows of the grid from the top, most significant bit first.
        side: of the grid of bits: 8 or 16.

    Returns:
        uint8 (8, n, side² / 8): the image, then `np.rot90` of it once, twice, three times
        (counter-clockwise), then the same four of its mirror image (`image[:, ::-1]`).
    """
    bits = np.unpackbits(hashes, axis=1)
    return np.stack([np.packbits(bits[:, order], axis=1) for order in _bit_orders(side)])


@cache
def _bit_orders(side: int) -> tuple[NDArray[np.int64], ...]:
    grid = np.arange(side * side).reshape(side, side)
    return tuple(
        np.rot90(start, turns).ravel() for start in (grid, grid[:, ::-1]) for turns in range(4)
    )
