"""Hashes of turned and mirrored images are permutations of the hash's bits."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from indexer.wavelet import grey_square, wavelet_hash
from search.orientations import oriented_hashes
from storage.records import U8


def _turned(image: U8) -> list[U8]:
    return [np.rot90(start, k) for start in (image, image[:, ::-1]) for k in range(4)]


@pytest.mark.parametrize("side", [8, 16])
def test_each_orientation_is_the_grid_of_bits_turned_and_mirrored(side: int) -> None:
    grids = np.random.default_rng(side).integers(0, 2, (5, side, side), dtype=np.uint8)
    oriented = oriented_hashes(np.packbits(grids.reshape(5, -1), axis=1), side)
    assert oriented.shape == (8, 5, side * side // 8)
    for row, grid in enumerate(grids):
        for number, turned in enumerate(_turned(grid)):
            assert oriented[number, row].tobytes() == np.packbits(turned.ravel()).tobytes()


@pytest.mark.parametrize("side", [8, 16])
def test_the_hash_of_a_turned_photograph_is_the_turned_hash(side: int) -> None:
    square = grey_square(data.astronaut())
    plain = np.frombuffer(wavelet_hash(square, side), np.uint8)[None]
    expected = [wavelet_hash(np.ascontiguousarray(turned), side) for turned in _turned(square)]
    assert [row[0].tobytes() for row in oriented_hashes(plain, side)] == expected


def test_no_hashes_give_no_orientations() -> None:
    assert oriented_hashes(np.empty((0, 8), np.uint8), 8).shape == (8, 0, 8)
