"""One thing changed by hand in a picture makes another picture: both stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.lookalike_scenes import spot_the_difference
from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import PHOTOGRAPHS, indexed
from tests.verify.retouched import RETOUCHES
from verify.cascade import Verifier

U8 = NDArray[np.uint8]


@pytest.mark.parametrize("qualities", [(95, 95), (92, 75)])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("retouch", RETOUCHES)
def test_a_retouched_picture_is_another(
    verifier: Verifier, retouch: str, name: str, qualities: tuple[int, int]
) -> None:
    random = np.random.default_rng(PHOTOGRAPHS.index(name))
    before, after = RETOUCHES[retouch](photograph(name), random)
    a, b = (
        indexed(rgb, quality=quality)
        for rgb, quality in zip((before, after), qualities, strict=True)
    )
    for one, other in ((a, b), (b, a)):
        verdict = verifier.verify(one, other)
        assert not verdict.is_copy, (verdict.reason, verdict.measurements)


def keyboard(ground: tuple[int, int, int]) -> U8:
    """Light keys with letters on a ground of this colour, one of them blue."""
    picture = np.full((300, 640, 3), ground, np.uint8)
    for row, letters in enumerate(("1234567890", "QWERTYUIOP", "ASDFGHJKL;", "ZXCVBNM,./")):
        for column, letter in enumerate(letters):
            x, y = 16 + 61 * column + 5 * row, 24 + 66 * row
            colour = (90, 170, 250) if letter == "P" else (236, 236, 238)
            cv2.rectangle(picture, (x, y), (x + 53, y + 54), colour, -1)
            place = (x + 18, y + 36)
            cv2.putText(picture, letter, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (20, 20, 20), 2)
    return picture


@pytest.mark.parametrize(
    ("ground", "another"),
    [
        ((66, 56, 52), (62, 40, 78)),
        # On average the picture hardly moves: the keys fill most of it.
        ((57, 42, 54), (77, 30, 55)),
    ],
)
def test_a_drawing_on_a_ground_of_another_colour_is_another(
    verifier: Verifier, ground: tuple[int, int, int], another: tuple[int, int, int]
) -> None:
    """A curve for each channel would explain it: the keys stay white and the blue one blue."""
    one, other = keyboard(ground), keyboard(another)
    verdict = verifier.verify(indexed(one, quality=92), indexed(other, quality=80))
    assert not verdict.is_copy
    again = verifier.verify(indexed(one, quality=92), indexed(one, quality=60))
    assert again.is_copy


def test_a_drawing_that_was_darkened_is_a_copy(verifier: Verifier) -> None:
    """All its colours move together."""
    drawn = keyboard((77, 30, 55))
    darker = (0.8 * drawn).astype(np.uint8)
    verdict = verifier.verify(indexed(drawn), indexed(darker, quality=85))
    assert verdict.is_copy, verdict.reason


@pytest.mark.parametrize(
    ("name", "side"),
    [("flower.jpg", 500), ("flower.jpg", 360), ("china.jpg", 360), ("page.png", 640)],
)
def test_small_things_that_were_painted_over_were_not_laid_over_the_other_picture(
    verifier: Verifier, name: str, side: int
) -> None:
    """Five spots filled with what is beside them; where they lie in a line they look like words."""
    before, after = spot_the_difference(np.random.default_rng(0), 2, [photograph(name, side)])
    verdict = verifier.verify(indexed(before, quality=92), indexed(after, quality=85))
    assert not verdict.is_copy, verdict.measurements


def test_a_smooth_sky_is_no_ground_of_a_drawing(verifier: Verifier) -> None:
    """A crop that lost the profile of its colours, which are duller now."""
    dusk = photograph("rocket.jpg")
    duller = np.clip(
        dusk @ np.float32([[0.8, 0.15, 0.05], [0.1, 0.85, 0.05], [0.1, 0.1, 0.8]]), 0, 255
    )
    height, width = dusk.shape[:2]
    crop = duller.astype(np.uint8)[height // 9 : -height // 9, width // 9 : -width // 9]
    verdict = verifier.verify(indexed(dusk), indexed(crop, quality=90))
    assert verdict.is_copy, (verdict.reason, verdict.measurements)
