"""Brightness, contrast, gamma, saturation, white balance and grey are taken out; content is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import EDITS, saturation, tone
from benchmarks.evaluation_set.photographs import photograph
from verify.grading import Grading, fit_grading

U8 = NDArray[np.uint8]
NAMES = ("astronaut.png", "coffee.png", "china.jpg", "rocket.jpg")


def random() -> np.random.Generator:
    return np.random.default_rng(1)


def graded(a: U8, b: U8) -> Grading:
    return fit_grading(a, b, np.ones(a.shape[:2], bool))


def left(grading: Grading) -> float:
    """Mean difference of the two in one grading, grey levels."""
    return float(np.abs(grading.a.astype(float) - grading.b).mean())


def grey(rgb: U8) -> U8:
    luminance = np.rint(rgb @ np.array([0.299, 0.587, 0.114]))
    return np.repeat(luminance[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "edit", ["darker", "brighter", "gamma 0.6", "gamma 1.6", "pale", "saturated"]
)
def test_a_graded_copy_is_brought_back_whichever_comes_first(name: str, edit: str) -> None:
    picture = photograph(name)
    copy = EDITS[edit](picture, random())
    before = float(np.abs(picture.astype(float) - copy).mean())
    forth, back = graded(picture, copy), graded(copy, picture)
    assert left(forth) < 0.35 * before
    assert left(back) < 0.35 * before
    assert forth.is_graded


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edit", ["jpeg 60", "noise 8", "sharpen"])
def test_compression_noise_and_sharpening_are_no_grading(name: str, edit: str) -> None:
    picture = photograph(name)
    grading = graded(picture, EDITS[edit](picture, random()))
    assert grading.change < 1.0
    assert grading.recolouring < 6.0


def test_what_ran_into_white_is_explained_from_the_side_that_still_has_it() -> None:
    picture = photograph("coffee.png")
    copy = tone(lambda value: value * 1.7)(picture, random())
    for grading in (graded(picture, copy), graded(copy, picture)):
        assert left(grading) < 2.5
    assert graded(picture, copy).a_is_mapped
    assert not graded(copy, picture).a_is_mapped


@pytest.mark.parametrize("name", NAMES)
def test_grey_is_made_from_colour_and_never_colour_from_grey(name: str) -> None:
    picture = photograph(name)
    copy = grey(picture)
    forth, back = graded(picture, copy), graded(copy, picture)
    assert forth.a_is_mapped
    assert not back.a_is_mapped
    assert max(left(forth), left(back)) < 1.5
    assert max(forth.recolouring, back.recolouring) < 10.0


def test_the_saturation_tells_how_much_colour_was_taken() -> None:
    picture = photograph("astronaut.png")
    assert graded(picture, saturation(0.5)(picture, random())).saturation == pytest.approx(
        0.5, abs=0.08
    )
    assert graded(picture, picture).saturation == pytest.approx(1.0, abs=0.01)


def test_colours_that_turn_into_others_are_recoloured() -> None:
    picture = photograph("astronaut.png")
    turned = np.ascontiguousarray(picture[..., [2, 0, 1]])
    assert graded(picture, turned).recolouring > 22.0


def test_light_does_not_turn_into_dark() -> None:
    picture = photograph("astronaut.png")
    inverted = np.asarray(255 - picture, np.uint8)
    assert left(graded(picture, inverted)) > 40


def test_text_over_the_picture_does_not_bend_the_fit() -> None:
    picture = photograph("coffee.png")
    copy = EDITS["darker"](picture, random())
    marked = copy.copy()
    marked[20:60, 20:500] = 255
    plain, covered = graded(picture, copy), graded(picture, marked)
    assert covered.change == pytest.approx(plain.change, rel=0.1)
    elsewhere = np.abs(covered.a.astype(float) - covered.b)[80:]
    assert float(elsewhere.mean()) < 2.0


def test_tones_are_those_of_each_as_it_is_without_what_is_laid_over() -> None:
    picture = photograph("coffee.png")
    copy = tone(lambda value: value + 20.0 / 255.0)(picture, random())
    marked = copy.copy()
    marked[20:50, 20:500] = (255, 0, 0)
    grading = graded(picture, marked)
    assert grading.tones_b.brightness - grading.tones_a.brightness == pytest.approx(20, abs=1.5)
    assert grading.tones_b.red - grading.tones_a.red == pytest.approx(0, abs=1.0)


def on_a_ground(colour: tuple[int, int, int]) -> U8:
    """A photograph on a ground of one colour."""
    page = np.full((480, 640, 3), colour, np.uint8)
    page[60:300, 80:400] = photograph("astronaut.png")[60:300, 80:400]
    return page


def test_a_ground_that_ran_into_white_with_all_the_rest_was_not_recoloured() -> None:
    yellowish = on_a_ground((225, 205, 180))
    brighter = tone(lambda value: value * 1.25 + 0.06)(yellowish, random())
    assert (brighter[0, 0, :2] == 255).all() and brighter[0, 0, 2] < 245
    for forth in (graded(yellowish, brighter), graded(brighter, yellowish)):
        assert forth.tint < 1.0
        assert forth.recolouring < 6.0
        assert left(forth) < 3.0
    # The same photograph, as much brighter, on another ground.
    bluish = tone(lambda value: value * 1.25 + 0.06)(on_a_ground((150, 160, 185)), random())
    assert graded(yellowish, bluish).tint > 2.5


def test_a_colour_that_little_of_the_picture_has_is_as_bright_as_all_others() -> None:
    picture = on_a_ground((150, 140, 120))
    picture[400:430, 600:630] = (40, 20, 90)
    brighter = tone(lambda value: value * 1.25 + 0.06)(picture, random())
    first = graded(picture, brighter)
    again = fit_grading(picture, brighter, np.ones(picture.shape[:2], bool), like=first)
    place = np.s_[405:425, 605:625]
    away = np.abs(again.a[place].astype(float) - again.b[place])
    assert away.max() <= 3.0
    assert again.a_is_mapped == first.a_is_mapped
