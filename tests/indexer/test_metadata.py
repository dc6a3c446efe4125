"""What the headers say, and that no header can do harm."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms

from indexer.decode import DecodeLimits, decode

LIMITS = DecodeLimits()


@pytest.fixture
def exif():
    exif = Image.Exif()
    exif[0x010F] = "Canon\0"
    exif[0x0110] = "Canon EOS 5D"
    exif[0x0131] = "Darktable\n 4.6"
    exif.get_ifd(0x8769)[0x9003] = "2021:05:06 07:08:09"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return exif


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_exif_is_read_from_every_format_that_carries_it(name, photo, encode, exif):
    metadata = decode(encode(photo, name, exif=exif.tobytes()), LIMITS).metadata
    assert metadata.taken_at == "2021-05-06T07:08:09"
    assert metadata.camera == "Canon EOS 5D"
    assert metadata.software == "Darktable 4.6"
    assert (metadata.has_exif, metadata.has_gps) == (True, True)


def test_the_make_stands_before_a_model_that_does_not_name_it(photo, encode, exif):
    exif[0x010F], exif[0x0110] = "SONY", "ILCE-7M3"
    assert decode(encode(photo, "JPEG", exif=exif), LIMITS).metadata.camera == "SONY ILCE-7M3"


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "HEIF", "AVIF"])
def test_a_file_that_says_nothing_has_empty_metadata(name, photo, encode):
    metadata = decode(encode(photo, name), LIMITS).metadata
    assert (metadata.taken_at, metadata.camera, metadata.software) == ("", "", "")
    assert not (metadata.has_exif or metadata.has_gps or metadata.has_icc or metadata.has_alpha)
    assert (metadata.bits_per_channel, metadata.frames) == (8, 1)


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_alpha_and_profile_are_noticed(name, photo, encode):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    translucent = photo.convert("RGBA")
    translucent.putalpha(200)
    metadata = decode(encode(translucent, name, icc_profile=profile), LIMITS).metadata
    assert (metadata.has_alpha, metadata.has_icc) == (True, True)


def test_bits_of_bilevel_and_palette_pictures(photo, encode):
    assert decode(encode(photo.convert("1"), "PNG"), LIMITS).metadata.bits_per_channel == 1
    assert decode(encode(photo.convert("1"), "TIFF"), LIMITS).metadata.bits_per_channel == 1
    assert decode(encode(photo.quantize(4), "PNG"), LIMITS).metadata.bits_per_channel == 8


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_hostile_exif_never_costs_the_picture(name, photo, encode, exif):
    random = np.random.default_rng(5)
    small = photo.resize((64, 48))
    valid = exif.tobytes()
    for round_ in range(40):
        damaged = bytearray(valid)
        for position in random.integers(8, len(valid), size=1 + round_ % 8):
            damaged[position] = int(random.integers(256))
        cut = bytes(damaged[: int(random.integers(8, len(valid) + 1))])
        image = decode(encode(small, name, exif=cut), LIMITS)
        assert sorted(image.rgb.shape) == [3, 48, 64]
        assert "\0" not in image.metadata.camera + image.metadata.software


def test_an_impossible_date_is_no_date(photo, encode, exif):
    exif.get_ifd(0x8769)[0x9003] = "0000:00:00 00:00:00"
    assert decode(encode(photo, "JPEG", exif=exif), LIMITS).metadata.taken_at == ""
