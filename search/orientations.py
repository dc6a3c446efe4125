"""The hashes of an image's eight orientations, from its hash alone.

A wavelet hash is a grid of bits that turns and mirrors with the image, so the hash of a turned or
mirrored copy is a permutation of the bits.
"""

from __future__ import annotations

import numpy as np

from storage.records import U8

ORIENTATIONS = 8
# Each byte with its bits in reverse.
_REVERSED: U8 = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1
).ravel()


def oriented_hashes(hashes: U8, side: int) -> U8:
    """The hashes as those of the turned and mirrored images.

    Args:
        hashes: uint8 (n, side² / 8), rows of the grid from the top, most significant bit first.
        side: of the grid of bits: 8 or 16.

    Returns:
        uint8 (8, n, side² / 8): the image, then `np.rot90` of it once, twice, three times
        (counter-clockwise), then the same four of its mirror image (`image[:, ::-1]`).
    """
    rows = hashes.reshape(len(hashes), side, side // 8)
    bits = np.unpackbits(rows, axis=2)
    turned = np.packbits(bits.transpose(0, 2, 1), axis=2)
    # All others are one of these two with rows, or bits within rows, in reverse.
    mirrored, turned_mirrored = _mirrored(rows), _mirrored(turned)
    found = np.stack(
        [
            rows,
            turned[:, ::-1],
            mirrored[:, ::-1],
            turned_mirrored,
            mirrored,
            turned,
            rows[:, ::-1],
            turned_mirrored[:, ::-1],
        ]
    )
    return found.reshape(ORIENTATIONS, *hashes.shape)


def _mirrored(rows: U8) -> U8:
    """Grids of bits, uint8 (n, side, side / 8), left and right exchanged."""
    return _REVERSED[rows[:, :, ::-1]]
