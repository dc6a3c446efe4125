"""Coordinates agree with the pixels that numpy and OpenCV move."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.geometry import (
    ORIENTATION_COUNT,
    Size,
    corners,
    inverse,
    local_scale,
    orientation_matrix,
    oriented,
    project,
    scaling_matrix,
    size_of,
)

sizes = st.builds(Size, st.integers(1, 60), st.integers(1, 60))


@given(sizes, st.integers(0, ORIENTATION_COUNT - 1), st.data())
def test_the_orientation_matrix_leads_to_where_the_pixel_went(
    size: Size, orientation: int, data: st.DataObject
) -> None:
    image = np.arange(size.area, dtype=np.float32).reshape(size.height, size.width)
    x = data.draw(st.integers(0, size.width - 1))
    y = data.draw(st.integers(0, size.height - 1))
    moved = project(orientation_matrix(size, orientation), np.array([[x, y]]))[0]
    column, row = np.rint(moved).astype(int)
    assert oriented(image, orientation)[row, column] == image[y, x]


def test_the_eight_orientations_are_all_different() -> None:
    image = np.arange(9, dtype=np.float32).reshape(3, 3)
    views = {oriented(image, number).tobytes() for number in range(ORIENTATION_COUNT)}
    assert len(views) == ORIENTATION_COUNT


@given(sizes, sizes)
def test_scaling_puts_corners_on_corners(source: Size, target: Size) -> None:
    assert np.allclose(project(scaling_matrix(source, target), corners(source)), corners(target))


def test_scaling_agrees_with_resizing() -> None:
    ramp = np.tile(np.arange(64, dtype=np.float32), (48, 1))
    half = cv2.resize(ramp, (32, 24), interpolation=cv2.INTER_AREA)
    back = inverse(scaling_matrix(Size(64, 48), Size(32, 24)))
    for column in (0, 10, 31):
        assert half[5, column] == pytest.approx(project(back, np.array([[column, 5]]))[0, 0])


def test_the_size_is_width_and_height() -> None:
    assert size_of(np.zeros((3, 5, 3), np.uint8)) == Size(5, 3)
    assert Size(5, 3).area == 15


@given(st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0, 6.3))
def test_the_local_scale_is_the_root_of_the_change_in_area(
    along: float, across: float, angle: float
) -> None:
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 3], [np.sin(angle), np.cos(angle), -4], [0, 0, 1]]
    )
    homography = turn @ np.diag([along, across, 1.0])
    assert local_scale(homography, (12.0, 30.0)) == pytest.approx((along * across) ** 0.5)


def test_the_inverse_leads_back() -> None:
    homography = np.array([[1.1, 0.1, 8], [-0.2, 0.9, 5], [1e-4, 2e-4, 1]])
    points = corners(Size(320, 200))
    assert np.allclose(project(inverse(homography), project(homography, points)), points)
