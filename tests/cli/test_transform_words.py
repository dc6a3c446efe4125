"""What a homography says, in words."""

from __future__ import annotations

import numpy as np

from cli.transform_words import Box, describe_transform


def test_the_same_frame_at_half_the_size() -> None:
    words = describe_transform(np.diag([2.0, 2.0, 1.0]), (400, 300), (800, 600))
    assert words.box_of_b is None
    assert words.box_of_a is None
    assert str(words) == "0.50 × its size"


def test_the_query_is_a_crop() -> None:
    shift = np.array([[1.0, 0, 120], [0, 1, 60], [0, 0, 1]])
    words = describe_transform(shift, (300, 200), (640, 480))
    assert words.box_of_b == Box(120, 60, 420, 260)
    assert str(words) == "shows 300×200 px at (120, 60) of it"


def test_the_indexed_image_is_a_crop_of_the_query() -> None:
    shift = np.array([[1.0, 0, -120], [0, 1, -60], [0, 0, 1]])
    words = describe_transform(shift, (640, 480), (300, 200))
    assert words.box_of_b is None
    assert words.box_of_a == Box(120, 60, 420, 260)


def test_a_quarter_turn_clockwise() -> None:
    turn = np.array([[0.0, -1, 300], [1, 0, 0], [0, 0, 1]])
    words = describe_transform(turn, (400, 300), (300, 400))
    assert round(words.degrees) == 90
    assert str(words) == "turned 90°"


def test_a_mirrored_copy() -> None:
    mirror = np.array([[-1.0, 0, 400], [0, 1, 0], [0, 0, 1]])
    words = describe_transform(mirror, (400, 300), (400, 300))
    assert words.is_mirrored
    assert str(words) == "mirrored"


def test_an_equal_copy() -> None:
    assert str(describe_transform(np.eye(3), (40, 30), (40, 30))) == "same frame and size"
