"""The maps proposed between two pictures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import EDITS, jpeg
from benchmarks.evaluation_set.lookalike_prints import slides_of_one_template
from benchmarks.evaluation_set.photographs import photograph
from verify.alignment import EQUAL_FRAMES, Aligner, equal_frame_maps, refined
from verify.geometry import (
    F64,
    ORIENTATION_COUNT,
    Size,
    corners,
    orientation_matrix,
    oriented,
    project,
    scaling_matrix,
    size_of,
)
from verify.glance import Glance
from verify.matchers.registry import load_matcher

U8 = NDArray[np.uint8]


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    return Aligner((load_matcher("orb"), load_matcher("sift")))


def maps_between(a: U8, b: U8) -> list[F64]:
    return [homography for homography, _ in equal_frame_maps(Glance.of(a), Glance.of(b))]


def random() -> np.random.Generator:
    return np.random.default_rng(1)


def worst_corner(found: F64, truth: F64, image: U8) -> float:
    points = corners(size_of(image))
    return float(np.abs(project(found, points) - project(truth, points)).max())


@pytest.mark.parametrize("orientation", range(ORIENTATION_COUNT))
def test_equal_frames_are_mapped_in_every_orientation(orientation: int) -> None:
    picture = photograph("coffee.png")
    copy = np.ascontiguousarray(oriented(picture, orientation))
    truth = orientation_matrix(size_of(picture), orientation)
    assert worst_corner(maps_between(picture, copy)[0], truth, picture) < 1e-6


def test_equal_frames_are_mapped_at_another_size_and_shape() -> None:
    picture = photograph("astronaut.png")
    for edit in ("resize 0.25", "aspect"):
        copy = EDITS[edit](picture, random())
        truth = scaling_matrix(size_of(picture), size_of(copy))
        assert worst_corner(maps_between(picture, copy)[0], truth, picture) < 1e-6


def test_no_equal_frames_are_seen_in_unrelated_or_inverted_pictures() -> None:
    picture = photograph("coffee.png")
    assert maps_between(picture, photograph("china.jpg")) == []
    assert maps_between(picture, np.asarray(255 - picture, np.uint8)) == []


def test_blank_frames_of_one_shape_are_mapped_upright() -> None:
    blank = np.full((200, 300, 3), 250, np.uint8)
    half = np.full((100, 150, 3), 250, np.uint8)
    truth = scaling_matrix(size_of(blank), size_of(half))
    assert np.allclose(maps_between(blank, half), [truth])
    assert maps_between(blank, np.ascontiguousarray(np.rot90(blank))) == []


def test_equal_frames_are_proposed_before_keypoints(aligner: Aligner) -> None:
    picture = photograph("astronaut.png")
    copy = jpeg(50)(picture, random())
    first = next(aligner.proposals(picture, copy, b"whole", b"saved again"))
    assert (first.method, first.inliers) == (EQUAL_FRAMES, 0)
    assert first.agreement > 0.95


@pytest.mark.parametrize("orientation", [0, 1, 6])
def test_keypoints_find_where_a_crop_came_from_in_any_orientation(
    aligner: Aligner, orientation: int
) -> None:
    picture = photograph("china.jpg")
    part = np.ascontiguousarray(picture[60:280, 150:430])
    copy = np.ascontiguousarray(oriented(part, orientation))
    cut = np.array([[1.0, 0, -150], [0, 1, -60], [0, 0, 1]])
    truth = orientation_matrix(size_of(part), orientation) @ cut
    found = next(aligner.proposals(picture, copy, b"china", b"part %d" % orientation))
    assert found.method in ("orb", "sift")
    assert found.inliers >= 20
    inside = project(np.linalg.inv(truth), corners(size_of(copy)))
    assert np.abs(project(found.homography, inside) - corners(size_of(copy))).max() < 5


def test_nothing_is_proposed_between_unrelated_pictures(aligner: Aligner) -> None:
    first, second = photograph("coffee.png"), photograph("china.jpg")
    assert list(aligner.proposals(first, second, b"coffee", b"temple")) == []


def test_proposals_do_not_depend_on_what_is_remembered(aligner: Aligner) -> None:
    picture = photograph("coffee.png")
    copy = EDITS["rotate 15"](picture, random())
    fresh = Aligner((load_matcher("orb"), load_matcher("sift")))
    for one in (aligner, aligner, fresh):
        methods = [
            (found.method, found.homography.tobytes())
            for found in one.proposals(picture, copy, b"cup", b"turned cup")
        ]
        assert methods == [
            (found.method, found.homography.tobytes())
            for found in fresh.proposals(picture, copy, b"cup", b"turned cup")
        ]


@pytest.mark.parametrize("factor", ["resize 0.5", "jpeg 30", "gamma 0.6"])
def test_refinement_brings_a_map_that_is_two_pixels_off_to_its_place(factor: str) -> None:
    picture = photograph("astronaut.png")
    copy = EDITS[factor](picture, random())
    truth = scaling_matrix(size_of(picture), size_of(copy))
    off = truth @ np.array([[1.002, 0, 1.6], [0, 0.999, -1.2], [0, 0, 1]])
    before = worst_corner(off, truth, picture)
    found, shift = refined(picture, copy, off)
    assert worst_corner(found, truth, picture) < 0.8 * before
    assert 0.3 < shift < 3.0


@pytest.mark.parametrize("orientation", range(ORIENTATION_COUNT))
def test_refinement_works_in_every_orientation(orientation: int) -> None:
    # OpenCV's robust fits reject maps that mirror.
    picture = photograph("china.jpg")
    part = np.ascontiguousarray(oriented(picture[30:280, 60:400], orientation))
    truth = orientation_matrix(Size(340, 250), orientation) @ np.array(
        [[1.0, 0, -60], [0, 1, -30], [0, 0, 1]]
    )
    off = truth @ np.array([[1.003, 0, 1.2], [0, 0.998, -0.9], [0, 0, 1]])
    found, _shift = refined(picture, part, off)
    inside = np.array([[100.0, 60.0], [360.0, 60.0], [360.0, 250.0], [100.0, 250.0]])
    assert np.abs(project(found, inside) - project(truth, inside)).max() < 0.2


def test_refinement_of_a_right_map_moves_nothing() -> None:
    picture = photograph("astronaut.png")
    copy = EDITS["jpeg 30"](picture, random())
    _found, shift = refined(picture, copy, np.eye(3))
    assert shift < 0.1


def test_refinement_leaves_a_blank_picture_as_it_is() -> None:
    blank = np.full((200, 300, 3), 250, np.uint8)
    found, shift = refined(blank, blank, np.eye(3))
    assert np.allclose(found, np.eye(3))
    assert shift == float("inf")


def test_what_a_glance_tells_is_said_with_the_proposal(aligner: Aligner) -> None:
    first, second = slides_of_one_template(random(), 2, [photograph("china.jpg")])
    found = list(aligner.proposals(first, second, b"slide", b"next slide"))
    assert [one.doubt for one in found] == ["something changed on a page, a screen or a drawing"]
