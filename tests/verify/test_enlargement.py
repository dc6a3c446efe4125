"""Enlarging adds pixels and no detail, and that is seen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import EDITS, noise, resize
from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import indexed
from verify.enlargement import was_enlarged

U8 = NDArray[np.uint8]
SHARP = ("astronaut.png", "coffee.png", "rocket.jpg", "china.jpg")


def random() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("quality", [85, 95, 0])
@pytest.mark.parametrize("factor", [1.5, 2.0])
@pytest.mark.parametrize("name", ["china.jpg", "astronaut.png"])
def test_an_enlarged_copy_of_a_sharp_picture_is_recognised(
    name: str, factor: float, quality: int
) -> None:
    picture = photograph(name)
    small = indexed(picture, quality=92).record
    large = indexed(resize(factor)(picture, random()), quality=quality).record
    assert was_enlarged(large, small, factor)
    assert not was_enlarged(small, large, 1 / factor)


@pytest.mark.parametrize("edit", ["jpeg 60", "jpeg 30", "sharpen", "noise 8", "blur 1"])
@pytest.mark.parametrize("factor", [0.5, 0.67, 0.75])
@pytest.mark.parametrize("name", SHARP)
def test_a_sharp_original_is_never_taken_for_an_enlarged_copy_of_a_smaller_one(
    name: str, factor: float, edit: str
) -> None:
    picture = photograph(name)
    reduced = EDITS[edit](resize(factor)(picture, random()), random())
    large = indexed(picture, quality=92).record
    assert not was_enlarged(large, indexed(reduced, quality=90).record, 1 / factor)


def test_what_a_camera_wrote_is_never_taken_for_an_enlarged_copy() -> None:
    picture = photograph("china.jpg")
    small = indexed(picture, quality=92).record
    enlarged = resize(2.0)(picture, random())
    assert was_enlarged(indexed(enlarged, quality=92).record, small, 2.0)
    taken = indexed(enlarged, quality=92, taken_at="2020:01:01 10:00:00").record
    assert not was_enlarged(taken, small, 2.0)


@pytest.mark.parametrize("deviation", [10.0, 12.0, 14.0, 16.0, 20.0, 25.0])
def test_noise_put_on_a_small_copy_does_not_make_the_original_an_enlarged_one(
    deviation: float,
) -> None:
    picture = photograph("astronaut.png")
    small = noise(deviation)(resize(0.5)(picture, random()), random())
    large = indexed(picture, quality=92).record
    assert not was_enlarged(large, indexed(small, quality=95).record, 2.0)


def test_a_soft_picture_tells_nothing() -> None:
    soft = EDITS["blur 2"](photograph("coffee.png"), random())
    large = indexed(resize(2.0)(soft, random()), quality=92).record
    assert not was_enlarged(large, indexed(EDITS["blur 2"](soft, random())).record, 2.0)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.1, 8.0])
def test_sizes_that_are_close_or_far_apart_are_another_matter(factor: float) -> None:
    record = indexed(photograph("coffee.png")).record
    assert not was_enlarged(record, record, factor)
