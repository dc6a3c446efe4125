"""The profile inside a preview, and what it makes of colours that have lost it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile.profiles import (
    adobe_rgb_profile,
    gamma_tag,
    icc_file,
    wide_gamut_profile,
    xyz_tag,
)
from indexer.preview import encode_preview
from storage.colour_profile import as_stored, transform_to_srgb, with_assigned
from storage.preview_profile import MAX_PROFILE_BYTES, profile_in, with_profile

GREY = icc_file(b"GRAY", {b"kTRC": gamma_tag(1.8), b"wtpt": xyz_tag(0.9642, 1.0, 0.82491)})


@pytest.fixture
def pixels():
    """Blocks in random colours."""
    blocks = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)


@pytest.mark.parametrize("size", [1, 560, MAX_PROFILE_BYTES])
def test_a_profile_comes_back_out_of_a_preview_whose_pixels_are_the_same(pixels, size):
    profile = bytes(n % 256 for n in range(size))
    preview = encode_preview(pixels)
    both = with_profile(preview, profile)
    assert profile_in(both) == profile
    shown = [np.asarray(Image.open(io.BytesIO(content))) for content in (preview, both)]
    np.testing.assert_array_equal(*shown)


def test_a_preview_without_a_profile_is_as_it_was(pixels):
    preview = encode_preview(pixels)
    assert with_profile(preview, b"") == preview
    assert profile_in(preview) == b""


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x10", b"no JPEG"])
def test_what_is_no_preview_has_no_profile(content):
    assert profile_in(content) == b""


@pytest.mark.parametrize("profile", [wide_gamut_profile(), adobe_rgb_profile()])
def test_a_picture_that_has_lost_its_profile_gets_its_colours_back(pixels, profile):
    shown = np.asarray(transform_to_srgb(profile, "RGB").apply(Image.fromarray(pixels)))
    assert np.abs(shown.astype(int) - pixels).mean() > 2
    np.testing.assert_array_equal(with_assigned(pixels, profile), shown)


@pytest.mark.parametrize("profile", [wide_gamut_profile(), adobe_rgb_profile()])
def test_the_stored_colours_come_back_where_srgb_has_them(profile):
    pixels = np.random.default_rng(1).integers(96, 160, (48, 64, 3), dtype=np.uint8)
    shown = np.asarray(transform_to_srgb(profile, "RGB").apply(Image.fromarray(pixels)))
    stored = as_stored(shown, profile)
    assert np.abs(stored.astype(int) - pixels).max() <= 3


def test_stored_greys_come_back(pixels):
    grey = Image.fromarray(pixels[..., 0])
    shown = np.asarray(transform_to_srgb(GREY, "L").apply(grey))
    expected = np.repeat(np.asarray(grey)[..., None], 3, axis=2)
    assert np.abs(as_stored(shown, GREY).astype(int) - expected).mean() < 3


def test_a_grey_profile_is_that_of_greys(pixels):
    grey = Image.fromarray(pixels[..., 0])
    shown = np.asarray(transform_to_srgb(GREY, "L").apply(grey))
    assigned = with_assigned(np.repeat(np.asarray(grey)[..., None], 3, axis=2), GREY)
    np.testing.assert_array_equal(assigned, shown)
    assert np.abs(assigned.astype(int) - np.asarray(grey)[..., None]).mean() > 2


@pytest.mark.parametrize("profile", [b"no profile", b"", wide_gamut_profile()[:200]])
def test_a_damaged_profile_changes_nothing(pixels, profile):
    np.testing.assert_array_equal(with_assigned(pixels, profile), pixels)
    assert as_stored(pixels, profile) is None
