"""Something laid over the picture is told from another picture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import OVERLAYS
from benchmarks.evaluation_set.lookalikes import (
    charts_with_another_line,
    flat_object_moved,
    forms_filled_differently,
    labels_with_one_changed_digit,
    pages_with_one_changed_line,
)
from benchmarks.evaluation_set.photographs import photograph
from verify.calibration import THRESHOLDS, Strictness
from verify.overlay import Changes, find_changes
from verify.residual import align_pixels, measure_residual

U8 = NDArray[np.uint8]
LIMITS = THRESHOLDS[Strictness.SAFE]


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def changes(a: U8, b: U8) -> Changes:
    pair = align_pixels(a, b, np.eye(3))
    assert pair is not None
    return find_changes(pair, measure_residual(pair))


def test_equal_pictures_have_no_changed_place() -> None:
    picture = photograph("coffee.png")
    found = changes(picture, picture)
    assert (found.places, found.changed_share, found.region_share, found.extent) == (0, 0, 0, 0)
    assert found.two_sidedness == 0
    assert found.agreement_elsewhere == 1


@pytest.mark.parametrize("mark", ["text", "watermark"])
@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "china.jpg"])
def test_the_outlines_of_an_overlay_are_on_the_side_that_has_it(name: str, mark: str) -> None:
    clean = photograph(name)
    marked = OVERLAYS[mark](clean, random())
    forth, back = changes(clean, marked), changes(marked, clean)
    assert forth.overlay_is_on_b
    assert not back.overlay_is_on_b
    for found in (forth, back):
        assert found.two_sidedness < LIMITS.max_two_sidedness
        assert found.opposed < LIMITS.max_opposed
        assert found.extent > LIMITS.min_overlay_extent
        assert found.agreement_elsewhere > 0.95


def test_a_changed_digit_has_outlines_on_both_sides() -> None:
    for seed in range(4):
        first, second = labels_with_one_changed_digit(random(seed), 2, [])
        found = changes(first, second)
        assert found.places >= 1
        assert found.two_sidedness > LIMITS.max_two_sidedness or found.opposed > LIMITS.max_opposed
        assert found.extent < LIMITS.min_overlay_extent


def test_a_moved_object_goes_in_one_place_and_comes_in_another() -> None:
    first, second = flat_object_moved(random(), 2, [photograph("china.jpg")])
    found = changes(first, second)
    assert found.opposed > LIMITS.max_opposed or found.worst_place > LIMITS.max_worst_place


def test_another_line_on_a_chart_leaves_its_colour_in_both() -> None:
    first, second = charts_with_another_line(random(), 2, [])
    found = changes(first, second)
    assert max(found.two_sidedness / LIMITS.max_two_sidedness, found.opposed) > 1


def test_a_page_is_like_paper_and_a_photograph_is_not() -> None:
    first, second = pages_with_one_changed_line(random(), 2, [])
    assert changes(first, second).paper_a > LIMITS.max_paper
    photo = photograph("coffee.png")
    marked = OVERLAYS["text"](photo, random())
    assert changes(photo, marked).paper_a < LIMITS.max_paper


def test_a_word_missing_on_a_page_is_surrounded_by_paper() -> None:
    page = pages_with_one_changed_line(random(), 1, [])[0]
    emptied = page.copy()
    emptied[300:330, 80:400] = 255
    found = changes(emptied, page)
    assert found.overlay_is_on_b
    assert found.paper_around > LIMITS.max_paper_around


def test_a_thing_that_moved_a_little_leaves_its_colour_in_both() -> None:
    scene = photograph("china.jpg")
    first, second = scene.copy(), scene.copy()
    first[150:210, 150:230] = (250, 40, 40)
    second[150:210, 160:240] = (250, 40, 40)
    covered = scene.copy()
    covered[150:210, 150:230] = (250, 40, 40)
    assert changes(first, second).ink_in_clean > LIMITS.max_ink_in_clean
    assert changes(scene, covered).ink_in_clean < LIMITS.max_ink_in_clean


def test_sides_change_when_the_pictures_are_exchanged() -> None:
    empty, filled = forms_filled_differently(random(), 2, [])
    forth, back = changes(empty, filled), changes(filled, empty)
    assert forth.places > 0
    assert forth.overlay_is_on_b
    assert not back.overlay_is_on_b
    assert forth.outline_a == pytest.approx(back.outline_b, rel=0.3)
    assert forth.paper_a == pytest.approx(back.paper_b, abs=0.1)
