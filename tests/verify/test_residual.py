"""The aligned pixels: edits leave nothing unexplained, changed content does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import EDITS
from benchmarks.evaluation_set.lookalikes import (
    burst_frames_with_a_moved_object,
    labels_with_one_changed_digit,
    pages_with_one_changed_line,
)
from benchmarks.evaluation_set.photographs import photograph
from verify.geometry import scaling_matrix, size_of
from verify.residual import Residual, measure_residual
from verify.warp import AlignedPair, align_pixels

U8 = NDArray[np.uint8]


def random() -> np.random.Generator:
    return np.random.default_rng(1)


def aligned(a: U8, b: U8) -> AlignedPair:
    pair = align_pixels(a, b, scaling_matrix(size_of(a), size_of(b)))
    assert pair is not None
    return pair


def compared(a: U8, b: U8) -> Residual:
    return measure_residual(aligned(a, b))


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "rocket.jpg", "china.jpg"])
@pytest.mark.parametrize(
    "edit", ["jpeg 30", "resize 0.5", "darker", "gamma 1.6", "pale", "blur 2", "sharpen", "noise 8"]
)
def test_an_edit_leaves_no_pixel_unexplained(name: str, edit: str) -> None:
    picture = photograph(name)
    residual = compared(picture, EDITS[edit](picture, random()))
    assert not residual.unexplained.any()
    assert residual.agreeing > 0.95
    assert residual.disagreeing < 0.01


@pytest.mark.parametrize("edit", ["jpeg 60", "gamma 0.6", "saturated"])
def test_the_few_highlights_of_a_dark_picture_are_explained(edit: str) -> None:
    dusk = photograph("rocket.jpg")
    assert np.quantile(dusk, 0.9) < 128 < 250 < dusk.max()
    assert not compared(dusk, EDITS[edit](dusk, random())).unexplained.any()


def test_a_third_of_a_pixel_of_misalignment_is_explained() -> None:
    picture = photograph("china.jpg")
    shift = np.array([[1.0, 0, 0.33], [0, 1, 0.2], [0, 0, 1]])
    pair = align_pixels(picture, picture, shift)
    assert pair is not None
    assert not measure_residual(pair).unexplained.any()


@pytest.mark.parametrize("quality", ["jpeg 60", "jpeg 30"])
@pytest.mark.parametrize(
    "family",
    [
        labels_with_one_changed_digit,
        pages_with_one_changed_line,
        burst_frames_with_a_moved_object,
    ],
)
def test_changed_content_stays_unexplained_after_compression(family, quality: str) -> None:
    first, second = family(random(), 2, [photograph("coffee.png"), photograph("china.jpg")])
    residual = compared(first, EDITS[quality](second, random()))
    assert residual.unexplained.sum() >= 12


def test_the_unexplained_pixels_are_where_the_content_changed() -> None:
    picture = photograph("china.jpg")
    changed = picture.copy()
    changed[200:230, 300:340] = picture[100:130, 60:100]
    unexplained = compared(picture, changed).unexplained
    ys, xs = np.nonzero(unexplained)
    assert len(ys) > 100
    assert ys.min() >= 195
    assert ys.max() < 235
    assert xs.min() >= 295
    assert xs.max() < 345


def test_the_blur_is_positive_when_a_is_sharper_and_negative_when_b_is() -> None:
    sharp = photograph("astronaut.png")
    soft = EDITS["blur 2"](sharp, random())
    assert compared(sharp, soft).blur > 1
    assert compared(soft, sharp).blur < -1
    assert compared(sharp, sharp).blur == 0


def test_the_tone_change_tells_a_graded_copy_from_a_recompressed_one() -> None:
    picture = photograph("astronaut.png")
    assert compared(picture, EDITS["gamma 0.6"](picture, random())).grading.change > 10
    assert compared(picture, EDITS["jpeg 60"](picture, random())).grading.change < 1


def test_more_noise_is_measured_as_more_noise() -> None:
    picture = photograph("coffee.png")
    noisy = np.clip(picture + random().normal(0, 25, picture.shape), 0, 255).astype(np.uint8)
    slightly = compared(picture, EDITS["noise 8"](picture, random())).noise
    assert 0.8 <= slightly < compared(picture, noisy).noise


def test_a_blank_picture_has_no_textured_window() -> None:
    blank = np.full((200, 300, 3), 128, np.uint8)
    residual = compared(blank, blank)
    assert residual.textured_tiles == 0
    assert residual.textured_share == 0
    assert residual.plain_difference == 0


def test_an_inverted_picture_agrees_nowhere() -> None:
    picture = photograph("astronaut.png")
    residual = compared(picture, np.asarray(255 - picture, np.uint8))
    assert residual.agreeing < 0.1
    assert residual.noise > 20


def test_a_highlight_that_ran_into_white_is_explained_whichever_comes_first() -> None:
    picture = photograph("coffee.png")
    copy = np.clip(picture * 1.6, 0, 255).astype(np.uint8)
    assert not compared(picture, copy).unexplained.any()
    assert not compared(copy, picture).unexplained.any()


def test_a_plain_difference_is_seen_without_texture() -> None:
    grey = np.full((200, 300, 3), 128, np.uint8)
    patched = grey.copy()
    patched[80:120, 100:160] += 6
    assert compared(grey, patched).plain_difference == pytest.approx(6, abs=0.5)
