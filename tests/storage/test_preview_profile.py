"""The profile inside a preview, and what it makes of colours that have lost it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile.profiles import (
    D50,
    DISPLAY_P3,
    PROPHOTO,
    adobe_rgb_profile,
    gamma_tag,
    icc_file,
    rgb_profile,
    wide_gamut_profile,
    xyz_tag,
)
from indexer.preview import encode_preview
from storage.colour_profile import as_stored, transform_to_srgb
from storage.preview_profile import MAX_PROFILE_BYTES, profile_in, with_profile

GREY = icc_file(b"GRAY", {b"kTRC": gamma_tag(1.8), b"wtpt": xyz_tag(*D50)})
# The three channels show as one grey; nearly so; and what is dark as nearly white.
ALL_GREY = rgb_profile([[value / 3 for value in D50]] * 3, 2.2)
NEARLY_GREY = np.array(DISPLAY_P3) * 0.02 + np.array(D50) / 3 * 0.98
FLAT = rgb_profile(NEARLY_GREY.tolist(), 2.2)
STEEP = rgb_profile(DISPLAY_P3, 0.3)


@pytest.fixture
def pixels():
    """Blocks in muted colours, which every space has."""
    blocks = np.random.default_rng(1).integers(96, 160, (6, 8, 3), dtype=np.uint8)
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


@pytest.mark.parametrize(
    "profile",
    [wide_gamut_profile(), adobe_rgb_profile(), rgb_profile(PROPHOTO, 1.8)],
    ids=["Display P3", "Adobe RGB", "ProPhoto"],
)
def test_the_stored_colours_come_back_where_srgb_has_them(pixels, profile):
    shown = np.asarray(transform_to_srgb(profile, "RGB").apply(Image.fromarray(pixels)))
    assert np.abs(shown.astype(int) - pixels).mean() > 1
    stored = as_stored(shown, profile)
    assert np.abs(stored.astype(int) - pixels).max() <= 3


@pytest.mark.parametrize(
    "profile",
    [b"no profile", b"", wide_gamut_profile()[:200], GREY, ALL_GREY, FLAT, STEEP],
    ids=["none", "empty", "cut off", "grey", "all greys", "flat", "steep"],
)
def test_a_profile_that_leads_nowhere_gives_no_colours(pixels, profile):
    assert as_stored(pixels, profile) is None
