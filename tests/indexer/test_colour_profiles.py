"""What becomes of a picture that has an ICC profile."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin, TiffTags

from benchmarks.hostile.profiles import gamma_tag, icc_file, wide_gamut_profile, xyz_tag
from indexer.decode import DecodeLimits, decode
from tests.indexer.pixels import mean_difference

LIMITS = DecodeLimits()


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_wide_gamut_copy_equals_its_srgb_copy(name, photo, encode):
    vivid = Image.fromarray(np.asarray(photo) // 2 + np.asarray((120, 0, 0), dtype=np.uint8))
    profile = wide_gamut_profile()
    wide = ImageCms.profileToProfile(
        vivid,
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}
    content = encode(wide, name, icc_profile=profile, **options.get(name, {}))
    image = decode(content, LIMITS)
    assert image.metadata.has_icc
    assert mean_difference(np.asarray(wide), np.asarray(vivid)) > 6
    assert mean_difference(image.rgb, np.asarray(vivid)) < 1.5


def test_a_grey_profile_is_applied(photo, encode):
    profile = icc_file(b"GRAY", {b"kTRC": gamma_tag(1.0), b"wtpt": xyz_tag(0.9642, 1.0, 0.82491)})
    linear = np.full((32, 32), 128, dtype=np.uint8)
    image = decode(encode(linear, "PNG", icc_profile=profile), LIMITS)
    # Half the light is sRGB level 188.
    assert image.rgb[0, 0, 0] == pytest.approx(188, abs=2)


@pytest.mark.parametrize("profile", [b"no profile", b"", wide_gamut_profile()[:200]])
def test_a_damaged_profile_is_ignored(profile, photo, encode):
    image = decode(encode(photo, "PNG", icc_profile=profile), LIMITS)
    np.testing.assert_array_equal(image.rgb, np.asarray(photo))


def test_a_tiff_with_a_number_in_place_of_a_profile_is_read(photo, encode):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[34675] = TiffTags.SHORT
    tags[34675] = 7
    content = encode(photo, "TIFF", tiffinfo=tags)
    assert Image.open(io.BytesIO(content)).info["icc_profile"] == 7
    image = decode(content, LIMITS)
    assert (image.full_width, image.profile) == (photo.width, b"")


def test_an_srgb_profile_changes_nothing(photo, encode):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = decode(encode(photo, "PNG", icc_profile=profile), LIMITS)
    np.testing.assert_array_equal(image.rgb, np.asarray(photo))
