"""Letters in two colours are told from what moved, and from another picture under them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.lookalike_prints import seven_segment_displays
from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import indexed
from verify.calibration import THRESHOLDS, Strictness
from verify.cascade import Verifier
from verify.paint import NO_PAINT, Paint, find_paint

U8 = NDArray[np.uint8]
LIMITS = THRESHOLDS[Strictness.SAFE]
FONT = cv2.FONT_HERSHEY_SIMPLEX


def fur(height: int = 240, width: int = 320) -> U8:
    """Busy ground: strokes as thin as those of letters, in all colours of a coat."""
    random = np.random.default_rng(1)
    rough = random.normal(0, 1, (height, width)).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(rough, (0, 0), 1.2), np.float32)[..., None]
    strokes = soft / soft.std()
    coat = np.array([140.0, 105.0, 70.0]) + 35 * strokes
    return np.asarray(np.clip(coat, 0, 255), np.uint8)


def lettered(
    picture: U8, text: str = "gQx Rbm", colour: tuple[int, int, int] = (40, 200, 90)
) -> U8:
    """The picture with letters in one colour and an outline in black."""
    changed = picture.copy()
    at, size = (picture.shape[1] // 12, picture.shape[0] // 2), picture.shape[1] / 320
    cv2.putText(changed, text, at, FONT, size, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.putText(changed, text, at, FONT, size, colour, 2, cv2.LINE_AA)
    return changed


def paint_of(clean: U8, dirty: U8) -> Paint:
    changed = np.abs(clean.astype(int) - dirty).sum(axis=2) > 24
    return find_paint(clean, dirty, changed, np.ones(changed.shape, bool))


def is_explained(paint: Paint) -> bool:
    return (
        paint.unexplained <= LIMITS.max_unpainted
        and paint.worst <= LIMITS.max_worst_of_paint
        and paint.away <= LIMITS.max_away_from_paint
        and paint.covered >= LIMITS.min_painted
    )


def test_letters_on_busy_ground_are_mixed_of_what_was_there_and_two_colours() -> None:
    assert is_explained(paint_of(fur(), lettered(fur())))


def test_what_was_there_is_not_mixed_of_the_letters() -> None:
    # Painted on the one, so taken away from the other.
    assert not is_explained(paint_of(lettered(fur()), fur()))


def test_two_colours_do_not_explain_a_thing_that_moved() -> None:
    picture = photograph("astronaut.png")
    moved = picture.copy()
    moved[200:260, 100:220] = picture[200:260, 160:280]
    assert not is_explained(paint_of(picture, moved))


def test_letters_hide_nothing_that_changed_beside_them() -> None:
    picture = photograph("coffee.png")
    other = picture.copy()
    other[150:180, 200:260] = picture[150:180, 260:320][:, ::-1]
    assert paint_of(picture, lettered(picture)).worst < LIMITS.max_worst_unpainted
    assert paint_of(picture, lettered(other)).worst > LIMITS.max_worst_unpainted


def test_on_a_thumbnail_spots_look_like_letters() -> None:
    small = fur(120, 160)
    assert paint_of(small, lettered(small)).covered == 0.0


def test_where_nothing_is_covered_there_is_no_paint() -> None:
    assert paint_of(fur(), fur()) == NO_PAINT


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "china.jpg"])
def test_text_on_a_photograph_is_laid_over_it(verifier: Verifier, name: str) -> None:
    picture = photograph(name)
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for copy in (lettered(picture), lettered(np.asarray(half, np.uint8))):
        verdict = verifier.verify(indexed(picture, quality=92), indexed(copy, quality=85))
        assert verdict.a_covers_b and not verdict.b_covers_a, verdict


@pytest.mark.parametrize("side", [200, 250, 300])
def test_a_display_on_a_thumbnail_may_show_another_number(verifier: Verifier, side: int) -> None:
    for seed in range(4):
        displays = seven_segment_displays(np.random.default_rng(seed), 2, [])
        small = []
        for display in displays:
            share = side / max(display.shape[:2])
            size = (round(display.shape[1] * share), round(display.shape[0] * share))
            small.append(
                np.asarray(cv2.resize(display, size, interpolation=cv2.INTER_AREA), np.uint8)
            )
        one, other = (indexed(picture, quality=90) for picture in small)
        verdict = verifier.verify(one, other)
        assert not verdict.is_copy, verdict
