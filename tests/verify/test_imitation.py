"""What was done to all of a picture is taken out of the comparison; what changed in it is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import Edit, chain
from benchmarks.evaluation_set.further_edits import motion_blur, vignette
from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import indexed
from tests.verify.retouched import (
    a_light_goes_on,
    a_ring_marks_another_place,
    two_patches_are_exchanged,
)
from verify.cascade import Verifier
from verify.imitation import filtered, resaved, shaded
from verify.residual import measure_residual
from verify.saving import UNKNOWN, Saving
from verify.verdict import Relation
from verify.warp import AlignedPair, align_pixels

U8 = NDArray[np.uint8]
Retouch = Callable[[U8, np.random.Generator], tuple[U8, U8]]

EDITS: dict[str, Edit] = {
    "vignette": vignette,
    "motion blur": motion_blur(9),
    "vignette and motion blur": chain(vignette, motion_blur(7)),
}


def edited(picture: U8, edit: str) -> U8:
    return EDITS[edit](picture, np.random.default_rng(1))


def pair_of(a: U8, b: U8) -> AlignedPair:
    pair = align_pixels(a, b, np.eye(3))
    assert pair is not None
    return pair


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "china.jpg"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_every_pixel_makes_a_copy(verifier: Verifier, name: str, edit: str) -> None:
    picture = photograph(name)
    original = indexed(picture, quality=92)
    copy = indexed(edited(picture, edit), quality=85)
    for a, b in ((original, copy), (copy, original)):
        verdict = verifier.verify(a, b)
        assert verdict.relation is Relation.ADJUSTED, verdict


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize(
    "retouch", [a_light_goes_on, two_patches_are_exchanged, a_ring_marks_another_place]
)
def test_what_is_changed_in_the_picture_is_seen_through_the_edit(
    verifier: Verifier, retouch: Retouch, edit: str
) -> None:
    for name in ("astronaut.png", "coffee.png", "china.jpg"):
        before, after = retouch(photograph(name), np.random.default_rng(2))
        one, other = indexed(before, quality=92), indexed(edited(after, edit), quality=85)
        verdict = verifier.verify(one, other)
        assert not verdict.is_copy, (name, verdict.reason)


def test_the_sharp_one_never_goes_for_the_one_with_motion_blur(verifier: Verifier) -> None:
    sharp = photograph("china.jpg")
    verdict = verifier.verify(
        indexed(sharp, quality=80), indexed(edited(sharp, "motion blur"), quality=95)
    )
    assert verdict.a_covers_b
    assert not verdict.b_covers_a
    assert verdict.reason == "other sharpness"


def test_a_verdict_has_the_tones_of_the_two_as_they_are(verifier: Verifier) -> None:
    """By them the keeper is chosen: the one with dark corners is not the one that others match."""
    picture = photograph("coffee.png")
    verdict = verifier.verify(
        indexed(picture, quality=92), indexed(edited(picture, "vignette"), quality=92)
    )
    found = verdict.measurements
    assert found["brightness_b"] < found["brightness_a"] - 5
    assert verdict.reason == "other brightness or colour"


def test_dark_corners_are_given_to_the_picture_that_lacks_them() -> None:
    picture = photograph("astronaut.png")
    dark = edited(picture, "vignette")
    for a, b in ((picture, dark), (dark, picture)):
        pair = pair_of(a, b)
        imitation = shaded(pair, measure_residual(pair), UNKNOWN)
        assert imitation is not None
        left = np.abs(imitation.pair.a.astype(int) - imitation.pair.b)[pair.mask]
        assert left.mean() < 1.0
        assert np.minimum(a, b).mean() == pytest.approx(imitation.pair.a.mean(), abs=1.0)


def test_pictures_that_no_edit_tells_apart_are_left_as_they_are() -> None:
    picture = photograph("china.jpg")
    moved, _ = two_patches_are_exchanged(picture, np.random.default_rng(1))
    for other in (picture, moved):
        pair = pair_of(picture, other)
        residual = measure_residual(pair)
        assert shaded(pair, residual, UNKNOWN) is None
        assert filtered(pair, residual, UNKNOWN) is None


def test_a_coarse_jpeg_is_compared_with_one_as_coarse() -> None:
    """What is left then is what was another picture before both were saved."""
    picture = photograph("china.jpg")
    fine, coarse = indexed(picture, quality=92), indexed(picture, quality=5)
    pair = pair_of(fine.rgb, coarse.rgb)
    saving = Saving.of(fine.record, coarse.record, (1.0, 1.0))
    residual = measure_residual(pair, saving)
    imitation = resaved(pair, residual, saving)
    assert imitation is not None
    assert residual.noise > 4
    left = np.abs(imitation.pair.a.astype(int) - imitation.pair.b)[pair.mask]
    assert np.median(left) < 2
    assert resaved(pair, residual, Saving(quality=75)) is None
    assert resaved(pair, residual, UNKNOWN) is None
