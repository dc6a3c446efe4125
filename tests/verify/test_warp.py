"""Two pictures on one pixel grid."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import EDITS
from benchmarks.evaluation_set.photographs import photograph
from verify.geometry import Size, scaling_matrix, size_of
from verify.residual import measure_residual
from verify.warp import AlignedPair, align_pixels

U8 = NDArray[np.uint8]


def aligned(a: U8, b: U8) -> AlignedPair:
    pair = align_pixels(a, b, scaling_matrix(size_of(a), size_of(b)))
    assert pair is not None
    return pair


def test_the_grid_is_that_of_the_coarser_picture() -> None:
    full = photograph("coffee.png")
    small = EDITS["resize 0.5"](full, np.random.default_rng(1))
    assert aligned(full, small).a.shape == small.shape
    assert not aligned(full, small).a_is_reference
    assert aligned(small, full).a.shape == small.shape
    assert aligned(small, full).a_is_reference


def test_only_what_both_show_is_compared() -> None:
    picture = photograph("coffee.png")
    part = np.ascontiguousarray(picture[:, 100:])
    pair = align_pixels(picture, part, np.array([[1.0, 0, -100], [0, 1, 0], [0, 0, 1]]))
    assert pair is not None
    assert not pair.mask[:, :100].any()
    assert pair.mask[10:-10, 110:-10].all()
    assert np.array_equal(pair.a[pair.mask], pair.b[pair.mask])


def test_pictures_that_hardly_overlap_cannot_be_compared() -> None:
    picture = photograph("coffee.png")
    beside = np.array([[1.0, 0, -picture.shape[1] + 3], [0, 1, 0], [0, 0, 1]])
    assert align_pixels(picture, picture, beside) is None


def test_a_map_that_moves_nothing_takes_the_pixels_as_they_are() -> None:
    picture = photograph("china.jpg")
    other = np.ascontiguousarray(picture[::-1])
    still, moved = np.eye(3), np.array([[1.0, 0, 0.019], [0, 1, 0], [0, 0, 1]])
    for homography in (still, moved):
        pair = align_pixels(picture, other, homography)
        assert pair is not None
        assert pair.b is other
    half = align_pixels(picture, other, np.array([[1.0, 0, 0.5], [0, 1, 0], [0, 0, 1]]))
    assert half is not None
    assert half.b is not other


def test_a_tiny_picture_is_compared_at_its_own_size() -> None:
    tiny = np.asarray(cv2.resize(photograph("china.jpg"), (36, 24), interpolation=cv2.INTER_AREA))
    pair = align_pixels(tiny, tiny, scaling_matrix(Size(36, 24), Size(36, 24)))
    assert pair is not None
    assert not measure_residual(pair).unexplained.any()
