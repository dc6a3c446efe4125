"""Colours that a JPEG loses are no other colours, and other colours are not lost in one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import indexed
from verify.cascade import Verifier
from verify.evidence import VerifyImage
from verify.saving import Saving, not_from_saving

U8 = NDArray[np.uint8]


def lettered(text: str) -> U8:
    """A photograph with thin red letters on a dark label."""
    drawn = photograph("astronaut.png").copy()
    drawn[72:106, 64:240] //= 3
    place, red = (70, 96), (255, 40, 40)
    cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, red, 1, cv2.LINE_AA)
    return np.asarray(drawn)


def scale(image: VerifyImage) -> float:
    return image.record.width / image.rgb.shape[1]


def test_the_coarser_of_two_savings_counts_and_only_where_its_blocks_are_seen() -> None:
    picture = photograph("coffee.png")
    fine, coarse, lossless = (indexed(picture, quality=quality).record for quality in (92, 40, 0))
    assert Saving.of(fine, coarse, (1.0, 1.0)) == Saving(40, is_a=False)
    assert Saving.of(coarse, fine, (1.0, 1.0)) == Saving(40, is_a=True)
    assert Saving.of(fine, coarse, (1.0, 4.0)) == Saving(92, is_a=True)
    assert not Saving.of(lossless, lossless, (1.0, 1.0)).is_known
    assert not Saving.of(coarse, fine, (3.0, 3.0)).is_known


def test_letters_that_fade_in_a_jpeg_are_the_same_letters(verifier: Verifier) -> None:
    original = indexed(lettered("JULY 1987"))
    assert scale(original) < 1.25
    for quality in (30, 60, 90):
        verdict = verifier.verify(original, indexed(lettered("JULY 1987"), quality=quality))
        assert verdict.is_copy, (quality, verdict.reason)


def test_another_letter_is_another_picture_although_all_of_them_fade(verifier: Verifier) -> None:
    original = indexed(lettered("JULY 1987"))
    for quality in (60, 90):
        for text in ("JULY 1937", "JUNE 1987"):
            verdict = verifier.verify(original, indexed(lettered(text), quality=quality))
            assert not verdict.is_copy, (quality, text)


def test_a_place_is_explained_when_saving_does_to_it_what_is_seen() -> None:
    finer = np.zeros((40, 40, 2), np.float32)
    finer[10:14, 10:14] = finer[30:34, 30:34] = 40.0
    saved = finer * 0.4
    coarser = saved.copy()
    # In the second place saving left most of it, and the other picture has nothing.
    saved[30:34, 30:34] = 30.0
    coarser[30:34, 30:34] = 0.0
    places = finer[..., 0] > 0
    left = not_from_saving(places, finer, coarser, saved)
    assert not left[:20].any()
    assert left[30:34, 30:34].all()
