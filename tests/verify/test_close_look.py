"""Small print is read as far as it is legible; where it is not, both pictures stay."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.drawing import WHITE, sheet, typeface, words
from tests.verify.gallery import indexed
from verify.alignment import EQUAL_FRAMES, Proposal
from verify.cascade import Verifier
from verify.close_look import CloseLook, detail_lost, look_closely
from verify.evidence import VerifyImage, measure
from verify.geometry import scaling_matrix, size_of

U8 = NDArray[np.uint8]


def page(amount: str, seed: int = 1) -> U8:
    """A scan at 150 dpi: print of ten points, six pixels high in a preview, and one amount."""
    random = np.random.default_rng(seed)
    picture, draw = sheet(1240, 1754, WHITE)
    for row in range(46):
        line = words(random, 9)[:62]
        if row == 20 + seed:
            line = f"{line[:20]} {amount} {line[28:]}"
        draw.text((130, 110 + 32 * row), line, font=typeface("DejaVuSans", 21), fill=(20, 20, 25))
    return np.asarray(picture)


def noisy(picture: U8) -> U8:
    noise = np.random.default_rng(3).normal(0, 12, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def half(picture: U8) -> U8:
    return np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def turned(picture: U8) -> U8:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 0.7, 1.0)
    return np.asarray(cv2.warpAffine(picture, turn, (width, height), borderValue=WHITE))


def darker(picture: U8) -> U8:
    return np.clip(picture * 0.8 - 10.0, 0, 255).astype(np.uint8)


def blurred(picture: U8) -> U8:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.0))


def cropped(picture: U8) -> U8:
    return np.ascontiguousarray(picture[105:1631, 87:1166])


SAVED: dict[str, tuple[Callable[[U8], U8], int]] = {
    "coarsely": (np.asarray, 10),
    "with noise": (noisy, 85),
    "at half the size": (half, 85),
    "turned a little": (turned, 85),
    "darker": (darker, 85),
    "blurred": (blurred, 85),
    "without its margin": (cropped, 85),
}


@pytest.fixture(scope="module")
def scan() -> VerifyImage:
    return indexed(page("1 734.20"), quality=90)


@pytest.mark.parametrize("how", SAVED)
def test_a_page_with_another_digit_is_another_however_it_was_saved(
    verifier: Verifier, scan: VerifyImage, how: str
) -> None:
    edit, quality = SAVED[how]
    for amount in ("1 754.20", "4 734.20", "1 734.26"):
        verdict = verifier.verify(scan, indexed(edit(page(amount)), quality=quality))
        assert not verdict.is_copy, (amount, verdict.measurements)


@pytest.mark.parametrize("how", SAVED)
def test_the_same_page_is_a_copy_however_it_was_saved(
    verifier: Verifier, scan: VerifyImage, how: str
) -> None:
    edit, quality = SAVED[how]
    verdict = verifier.verify(scan, indexed(edit(page("1 734.20")), quality=quality))
    assert verdict.is_copy, (verdict.reason, verdict.measurements)


@pytest.mark.parametrize("width", [150, 210, 300, 340])
def test_of_a_page_and_its_thumbnail_both_stay(
    verifier: Verifier, scan: VerifyImage, width: int
) -> None:
    """Nobody can read there that the amount is the same."""
    small = cv2.resize(
        page("1 734.20"), (width, width * 1754 // 1240), interpolation=cv2.INTER_AREA
    )
    assert not verifier.verify(scan, indexed(np.asarray(small), quality=85)).is_copy


def close_look(a: U8, b: U8) -> CloseLook:
    """At two pictures that lie on each other, both saved as JPEGs."""
    left, right = indexed(a, quality=85), indexed(b, quality=70)
    frame = scaling_matrix(size_of(left.rgb), size_of(right.rgb))
    evidence = measure(left, right, Proposal(frame, EQUAL_FRAMES, 0, 1.0), frame)
    assert evidence is not None
    return look_closely(evidence.residual)


SHIFT = np.array([[1, 0, 0.3], [0, 1, -0.2]])


def print_of(amount: str) -> U8:
    return half(page(amount))[:640, :620]


def shifted_and_softer(picture: U8) -> U8:
    """By a third of a pixel."""
    moved = cv2.warpAffine(picture, SHIFT, picture.shape[1::-1])
    return np.asarray(cv2.GaussianBlur(moved, (0, 0), 0.8))


def test_what_was_done_to_all_of_a_picture_is_no_odd_place() -> None:
    found = close_look(print_of("1 734.20"), shifted_and_softer(print_of("1 734.20")))
    assert found.odd == 0
    assert found.left < 0.2


def test_another_digit_is_an_odd_place() -> None:
    found = close_look(print_of("1 734.20"), shifted_and_softer(print_of("1 784.20")))
    assert found.odd > 2.0
    assert found.lost > 0.5


def test_two_pictures_that_differ_in_nothing_need_no_close_look() -> None:
    left = indexed(print_of("1 734.20"), quality=85)
    frame = scaling_matrix(size_of(left.rgb), size_of(left.rgb))
    evidence = measure(left, left, Proposal(frame, EQUAL_FRAMES, 0, 1.0), frame)
    assert evidence is not None
    assert look_closely(evidence.residual) == CloseLook()


def test_small_print_loses_what_large_print_keeps() -> None:
    small = page("1 734.20")[100:740, 100:740]
    large = np.asarray(cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC))
    assert detail_lost(half(small), 1.5) > 0.5
    assert detail_lost(large, 1.5) < 0.2
