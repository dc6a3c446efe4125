"""Copies that have lost the profile of their colours, and pictures that seem to have."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from benchmarks.evaluation_set.photographs import photograph
from benchmarks.hostile.profiles import (
    D50,
    DISPLAY_P3,
    adobe_rgb_profile,
    rgb_profile,
    wide_gamut_profile,
)
from tests.verify.gallery import PHOTOGRAPHS, seen
from verify.cascade import Verifier
from verify.evidence import VerifyImage
from verify.verdict import Relation

U8 = NDArray[np.uint8]
PROFILES = {"Adobe RGB": adobe_rgb_profile(), "wide gamut": wide_gamut_profile()}


def saved(rgb: U8, profile: bytes = b"", quality: int = 92) -> VerifyImage:
    """These values in a JPEG with a profile, indexed."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality, icc_profile=profile or None)
    return seen(file.getvalue())


def vivid(name: str) -> U8:
    """A dull photograph with a badge in strong colours, the only ones that a lost profile dulls."""
    grey = cv2.cvtColor(photograph(name), cv2.COLOR_RGB2GRAY)
    values = np.repeat(grey[..., None], 3, axis=2)
    for place, colour in enumerate([(190, 70, 70), (80, 170, 95), (70, 85, 190), (200, 170, 80)]):
        left = 30 + 16 * place
        cv2.rectangle(values, (left, 40), (left + 15, 64), colour, cv2.FILLED)
    return values


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_copy_without_its_profile_is_a_copy(verifier: Verifier, name: str, profile: str) -> None:
    values = vivid(name)
    original, copy = saved(values, PROFILES[profile]), saved(values, quality=75)
    for a, b in ((original, copy), (copy, original)):
        verdict = verifier.verify(a, b)
        assert verdict.is_copy, (verdict.reason, verdict.measurements)
        assert verdict.a_covers_b and verdict.b_covers_a


def test_the_reason_says_that_the_profile_was_lost(verifier: Verifier) -> None:
    values = vivid("flower.jpg")
    verdict = verifier.verify(saved(values, PROFILES["Adobe RGB"]), saved(values, quality=75))
    assert verdict.relation is Relation.ADJUSTED
    assert verdict.reason == "one of them without its colour profile"


def test_a_crop_without_its_profile_is_an_edited_copy(verifier: Verifier) -> None:
    values = vivid("flower.jpg")
    crop = np.ascontiguousarray(values[:-40, :-60])
    verdict = verifier.verify(saved(values, PROFILES["Adobe RGB"]), saved(crop, quality=75))
    assert verdict.is_copy and verdict.a_covers_b and not verdict.b_covers_a
    assert verdict.relation is Relation.EDITED
    assert "without its colour profile" in verdict.reason


@pytest.mark.parametrize("profile", PROFILES)
def test_another_colour_is_another_picture_with_and_without_a_profile(
    verifier: Verifier, profile: str
) -> None:
    """The same cup in another colour: a hue that moved is none that a profile has moved."""
    values = vivid("coffee.png")
    hsv = cv2.cvtColor(values, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + 60) % 180
    other = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.uint8)
    verdict = verifier.verify(saved(values, PROFILES[profile]), saved(other, quality=75))
    assert not verdict.is_copy, verdict.measurements


def test_a_grey_picture_is_none_for_one_in_colour(verifier: Verifier) -> None:
    """A profile under which all colours are shown as greys does not make it one."""
    colourful, grey = photograph("flower.jpg"), np.array(D50) / 3
    for nearly in (0.0, 0.02, 0.2):
        primaries = np.array(DISPLAY_P3) * nearly + grey * (1 - nearly)
        profile = rgb_profile(primaries.tolist(), 2.2)
        verdict = verifier.verify(saved(colourful, profile), saved(colourful, quality=75))
        assert not verdict.a_covers_b, (nearly, verdict.reason, verdict.measurements)


def test_a_copy_with_a_profile_of_its_own_has_lost_none(verifier: Verifier) -> None:
    values = vivid("coffee.png")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    original, other = saved(values, PROFILES["Adobe RGB"]), saved(values, srgb, quality=75)
    assert not other.profile and other.record.metadata.has_icc
    assert not verifier.verify(original, other).is_copy


def test_the_tones_are_those_that_are_seen(verifier: Verifier) -> None:
    values = vivid("coffee.png")
    original, copy = saved(values, PROFILES["Adobe RGB"]), saved(values, quality=75)
    measured = verifier.verify(original, copy).measurements
    assert measured["colour_a"] > measured["colour_b"] * 1.05


def test_a_detail_that_changed_is_seen_in_a_copy_without_its_profile(verifier: Verifier) -> None:
    values = vivid("coffee.png")
    other = values.copy()
    # A spoon that is somewhere else.
    other[40:90, 60:140] = values[200:250, 300:380]
    verdict = verifier.verify(saved(values, PROFILES["Adobe RGB"]), saved(other, quality=75))
    assert not verdict.is_copy, verdict.measurements
