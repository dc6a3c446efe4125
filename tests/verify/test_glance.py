"""The cheap look before the full comparison ends only what the full one would end as well."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import EDITS, OVERLAYS
from benchmarks.evaluation_set.lookalike_prints import slides_of_one_template
from benchmarks.evaluation_set.lookalike_scenes import gradient_skies
from benchmarks.evaluation_set.lookalikes import pages_with_one_changed_line
from benchmarks.evaluation_set.photographs import photograph
from verify.alignment import equal_frame_maps
from verify.geometry import scaling_matrix, size_of
from verify.glance import Glance, coarse_agreement, compare, doubt_at_a_glance

U8 = NDArray[np.uint8]


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def doubt(a: U8, b: U8) -> str:
    one, other = Glance.of(a), Glance.of(b)
    homography, correlation = equal_frame_maps(one, other)[0]
    found = compare(one, other, homography)
    assert found is not None
    return doubt_at_a_glance(one, other, correlation, found)


def test_small_copies_tell_the_right_map_from_a_wrong_one() -> None:
    picture = photograph("astronaut.png")
    copy = EDITS["resize 0.5"](picture, random())
    right = scaling_matrix(size_of(picture), size_of(copy))
    wrong = np.array([[1.0, 0, 40], [0, 1, 25], [0, 0, 1]]) @ right
    good, bad = (
        coarse_agreement(Glance.of(picture), Glance.of(copy), one) for one in (right, wrong)
    )
    assert good is not None
    assert bad is not None
    assert good > 0.95
    assert bad < 0.3


def test_blank_pictures_have_no_window_to_agree() -> None:
    blank = Glance.of(np.full((200, 300, 3), 200, np.uint8))
    assert blank.is_blank
    assert coarse_agreement(blank, blank, np.eye(3)) is None


def test_texture_too_fine_for_the_small_copy_is_texture() -> None:
    stripes = np.full((480, 640, 3), 120, np.uint8)
    stripes[:, np.arange(640) % 6 < 3] = 160
    assert not Glance.of(stripes).is_blank


@pytest.mark.parametrize("seed", range(4))
def test_two_slides_of_one_template_are_told_apart_at_a_glance(seed: int) -> None:
    first, second = slides_of_one_template(random(seed), 2, [photograph("china.jpg")])
    assert doubt(first, second) == "something changed on a page, a screen or a drawing"
    assert doubt(first, first) == ""


@pytest.mark.parametrize("edit", ["jpeg 10", "resize 0.5", "darker", "noise 8", "blur 2"])
def test_a_copy_of_a_page_is_compared_in_full(edit: str) -> None:
    page = pages_with_one_changed_line(random(), 1, [])[0]
    assert doubt(page, EDITS[edit](page, random())) == ""


@pytest.mark.parametrize("mark", ["text", "watermark", "sticker"])
@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "china.jpg"])
def test_something_laid_over_a_photograph_is_compared_in_full(name: str, mark: str) -> None:
    clean = photograph(name)
    assert doubt(clean, OVERLAYS[mark](clean, random())) == ""


def test_two_skies_are_told_apart_and_one_sky_is_compared_in_full() -> None:
    first, second = gradient_skies(random(), 2, [])
    assert Glance.of(first).is_blank
    assert doubt(first, second) == "too little texture to be sure"
    assert doubt(first, EDITS["jpeg 60"](first, random())) == ""
