"""One decode, everything that is known of an image."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import Base

from benchmarks.hostile.profiles import gamma_tag, icc_file, wide_gamut_profile, xyz_tag
from indexer.decode import DecodeLimits, decode
from indexer.errors import UndecodableImage
from indexer.extract import ExtractOptions, extract
from resolve.verdicts import decode_preview
from storage.preview_profile import MAX_PROFILE_BYTES, profile_in
from storage.records import ImageRecord

OPTIONS = ExtractOptions()
_TURNED = Image.Exif()
_TURNED[Base.Orientation] = 6


def extracted(content, options=OPTIONS):
    return extract(content, hashlib.sha256(content).digest(), options)


def test_the_record_describes_the_image(photo, encode):
    content = encode(photo, "JPEG", quality=90)
    record = extracted(content).record
    assert isinstance(record, ImageRecord)
    assert record.digest == hashlib.sha256(content).digest()
    assert (record.byte_size, record.format) == (len(content), "JPEG")
    assert (record.width, record.height, record.orientation) == (451, 300, 1)
    assert (len(record.hash64), len(record.hash256)) == (8, 32)
    assert record.texture > 0.5
    assert record.colour_histogram.shape == (64,)
    assert record.colour_layout.shape == (4, 4, 3)
    assert record.quality.jpeg_quality == 90
    assert record.metadata.frames == 1


def test_the_same_bytes_give_the_same_result(photo, encode):
    content = encode(photo, "WEBP", quality=80)
    first, second = extracted(content), extracted(content)
    assert first.preview == second.preview
    assert first.record.hash256 == second.record.hash256
    assert first.record.quality == second.record.quality


def test_a_file_whose_extension_lies_is_what_its_bytes_are(photo, encode, tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(encode(photo, "PNG"))
    assert extracted(path.read_bytes()).record.format == "PNG"


def test_the_preview_is_an_upright_jpeg_with_full_chroma(photo, encode):
    exif = Image.Exif()
    exif[0x0112] = 8
    big = photo.resize((1354, 900), Image.Resampling.BICUBIC)
    content = encode(big.transpose(Image.Transpose.ROTATE_270), "JPEG", quality=95, exif=exif)
    result = extracted(content)
    preview = Image.open(io.BytesIO(result.preview))
    assert (preview.format, preview.size) == ("JPEG", (640, 425))
    assert [layer[1:3] for layer in preview.layer] == [(1, 1)] * 3
    difference = np.asarray(preview, dtype=int) - np.asarray(photo.resize((640, 425)))
    assert np.abs(difference).mean() < 4
    assert (result.record.width, result.record.height) == (1354, 900)


def test_a_small_picture_is_not_enlarged_for_its_preview(photo, encode):
    preview = Image.open(io.BytesIO(extracted(encode(photo, "PNG")).preview))
    assert preview.size == (451, 300)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"subsampling": "4:2:0"}),
        ("RGB", {"subsampling": "4:2:2"}),
        ("RGB", {"subsampling": "4:4:4", "keep_rgb": True, "quality": 50}),
        ("L", {}),
    ],
)
def test_a_small_jpeg_is_its_own_preview_without_its_metadata(photo, encode, mode, options):
    exif = Image.Exif()
    exif[Base.Artist] = "somebody"
    content = encode(
        photo.convert(mode),
        "JPEG",
        exif=exif,
        comment=b"a secret",
        **{"quality": 85, **options},
    )
    preview = extracted(content).preview
    np.testing.assert_array_equal(decode_preview(preview), decode(content, DecodeLimits()).rgb)
    assert preview[-1000:] == content[-1000:]
    assert extracted(content + b"a film").preview == preview
    assert not Image.open(io.BytesIO(preview)).getexif()
    assert b"somebody" not in preview
    assert b"a secret" not in preview


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"progressive": True}),
        ("RGB", {"quality": 100, "subsampling": "4:4:4"}),
        ("RGB", {"exif": _TURNED}),
        (
            "RGB",
            {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()},
        ),
        ("CMYK", {}),
        ("RGB", {"restart_marker_rows": 1}),
    ],
    ids=["progressive", "large for its size", "turned", "with a profile", "CMYK", "restarts"],
)
def test_any_other_small_jpeg_is_saved_anew_for_its_preview(photo, encode, mode, options):
    content = encode(photo.convert(mode), "JPEG", **{"quality": 85, **options})
    preview = extracted(content).preview
    opened = Image.open(io.BytesIO(preview))
    assert opened.quantization != Image.open(io.BytesIO(content)).quantization
    assert [layer[1:3] for layer in opened.layer] == [(1, 1)] * 3
    difference = decode_preview(preview).astype(int) - decode(content, DecodeLimits()).rgb
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF"])
def test_the_preview_of_a_picture_with_a_profile_is_in_srgb_and_has_the_profile(
    name, photo, encode
):
    profile = wide_gamut_profile()
    content = encode(photo, name, icc_profile=profile)
    preview = extracted(content).preview
    assert profile_in(preview) == profile
    difference = decode_preview(preview).astype(int) - decode(content, DecodeLimits()).rgb
    assert np.abs(difference).mean() < 4
    # Whoever shows the preview takes it for what it is.
    assert "icc_profile" not in Image.open(io.BytesIO(preview)).info


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        ("RGB", wide_gamut_profile() + bytes(MAX_PROFILE_BYTES)),
        ("RGB", b"no profile"),
        ("CMYK", wide_gamut_profile()),
        ("L", icc_file(b"GRAY", {b"kTRC": gamma_tag(1.0), b"wtpt": xyz_tag(0.9642, 1, 0.82491)})),
    ],
    ids=["sRGB", "too large", "damaged", "of another space", "of greys"],
)
def test_other_profiles_are_not_kept(mode, profile, photo, encode):
    content = encode(photo.convert(mode), "JPEG", icc_profile=profile)
    assert profile_in(extracted(content).preview) == b""


def test_each_network_gets_the_whole_picture_at_its_size(photo, encode):
    options = ExtractOptions(network_inputs=(224, 600))
    inputs = extracted(encode(photo, "PNG"), options).network_inputs
    assert {side: pixels.shape for side, pixels in inputs.items()} == {
        224: (224, 224, 3),
        600: (600, 600, 3),
    }
    whole = np.asarray(photo.resize((224, 224), Image.Resampling.BOX), dtype=int)
    assert inputs[224].dtype == np.uint8
    assert np.abs(inputs[224] - whole).mean() < 3


def test_copies_in_other_formats_have_nearly_the_same_hash(photo, encode):
    original = extracted(encode(photo, "PNG")).record.hash256
    for name in ("JPEG", "WEBP", "HEIF", "AVIF"):
        copy = extracted(encode(photo, name, quality=80)).record.hash256
        difference = int.from_bytes(original, "big") ^ int.from_bytes(copy, "big")
        assert difference.bit_count() <= 10


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (5000, 2), (17, 16)])
def test_odd_sizes_are_extracted_too(size, encode):
    content = encode(Image.effect_noise(size, 60).convert("RGB"), "PNG")
    record = extracted(content).record
    assert (record.width, record.height) == size


def test_limits_are_those_of_the_options(photo, encode):
    options = ExtractOptions(limits=DecodeLimits(max_pixels=1000))
    with pytest.raises(UndecodableImage, match="451×300"):
        extracted(encode(photo, "PNG"), options)
