"""What becomes of the bytes of a file, whatever they are."""

from __future__ import annotations

import pickle
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from indexer.decode import DecodeLimits, decode
from indexer.errors import UndecodableImage
from indexer.jpeg_coding import is_decoded_whole
from indexer.pixel_modes import to_rgb
from tests.indexer.pixels import mean_difference

LIMITS = DecodeLimits()
LOSSLESS = {
    "PNG": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "WEBP": {"lossless": True},
    "PPM": {},
    "JPEG2000": {"irreversible": False},
}
LOSSY = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "HEIF": {"quality": 90},
    "AVIF": {"quality": 90},
}


def reason_of(content, limits=LIMITS):
    with pytest.raises(UndecodableImage) as caught:
        decode(content, limits)
    assert "\n" not in caught.value.reason
    return caught.value.reason


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_lossless_format_gives_back_its_pixels(name, photo, encode):
    image = decode(encode(photo, name, **LOSSLESS[name]), LIMITS)
    assert image.format == name
    assert (image.full_width, image.full_height, image.scale) == (451, 300, 1.0)
    np.testing.assert_array_equal(image.rgb, np.asarray(photo))


@pytest.mark.parametrize("name", LOSSY)
def test_a_lossy_format_gives_back_the_picture(name, photo, encode):
    image = decode(encode(photo, name, **LOSSY[name]), LIMITS)
    assert image.format == name
    assert image.orientation == 1
    assert mean_difference(image.rgb, np.asarray(photo)) < 4


TO_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
ORIENTED = {
    "jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "tiff raw": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "avif": ("AVIF", {"quality": 90}),
    "heic": ("HEIF", {"quality": 90}),
}


@pytest.mark.parametrize("orientation", TO_STORED)
@pytest.mark.parametrize("kind", ORIENTED)
def test_a_picture_is_upright_in_every_exif_orientation(kind, orientation, photo, encode):
    small = photo.resize((96, 64))
    turn = TO_STORED[orientation]
    stored = small.transpose(turn) if turn is not None else small
    exif = Image.Exif()
    exif[0x0112] = orientation
    name, options = ORIENTED[kind]
    image = decode(encode(stored, name, exif=exif.tobytes(), **options), LIMITS)
    assert image.orientation == orientation
    assert (image.full_width, image.full_height) == (96, 64)
    assert mean_difference(image.rgb, np.asarray(small)) < 6


def test_a_large_turned_jpeg_is_shrunk_while_decoding_and_upright(photo, encode):
    upright = photo.resize((1804, 1200), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif.tobytes())
    image = decode(content, LIMITS)
    assert (image.full_width, image.full_height, image.scale) == (1804, 1200, 0.5)
    assert image.rgb.shape == (600, 902, 3)
    assert mean_difference(image.rgb, np.asarray(photo.resize((902, 600)))) < 4


@pytest.mark.parametrize("size", [(640, 480), (1279, 900), (1281, 900), (6000, 400), (2563, 1501)])
def test_a_shrunk_jpeg_has_the_pixels_of_a_shrunk_png(size, photo, encode):
    big = photo.resize(size, Image.Resampling.BILINEAR)
    jpeg = decode(encode(big, "JPEG", quality=95, subsampling=0), LIMITS)
    png = decode(encode(big, "PNG", compress_level=1), LIMITS)
    assert (jpeg.full_width, jpeg.full_height) == (png.full_width, png.full_height) == size
    assert jpeg.scale == png.scale
    assert max(jpeg.rgb.shape[:2]) >= 640
    assert mean_difference(jpeg.rgb, png.rgb) < 3


def test_a_cmyk_jpeg_shows_the_same_colours_as_its_rgb(photo, encode):
    cmyk = photo.convert("CMYK")
    content = encode(cmyk, "JPEG", quality=95)
    image = decode(content, LIMITS)
    assert mean_difference(image.rgb, np.asarray(cmyk.convert("RGB"))) < 4
    assert mean_difference(image.rgb, np.asarray(photo)) < 12


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "YCbCr", "LAB", "RGBX", "HSV"])
def test_every_mode_of_a_tiff_shows_the_picture(mode, photo, encode):
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        stored = ImageCms.applyTransform(photo, to_lab)
    else:
        stored = photo.convert(mode)
    # No file format holds HSV.
    rgb = to_rgb(stored) if mode == "HSV" else decode(encode(stored, "TIFF"), LIMITS).rgb
    wanted = photo.convert("L").convert("RGB") if mode in ("1", "L") else photo
    blurred = [cv2.blur(pixels, (15, 15)) for pixels in (rgb, np.asarray(wanted))]
    assert mean_difference(*blurred) < 6


def test_sixteen_bit_grey_is_scaled_not_clipped(encode):
    ramp = np.linspace(0, 65535, 256 * 64).astype(np.uint16).reshape(64, 256)
    for name in ("PNG", "TIFF"):
        image = decode(encode(ramp, name), LIMITS)
        assert image.metadata.bits_per_channel == 16
        np.testing.assert_array_equal(image.rgb[..., 1], np.rint(ramp / 257))


def test_twelve_bit_values_in_sixteen_bits_are_not_black(encode):
    ramp = np.linspace(0, 4095, 64 * 64).astype(np.uint16).reshape(64, 64)
    image = decode(encode(ramp, "TIFF"), LIMITS)
    assert image.rgb.min() == 0
    assert image.rgb.max() == 255


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_sixteen_bit_rgb_shows_the_picture(extension, photo):
    deep = np.asarray(photo).astype(np.uint16) * 257
    content = cv2.imencode(extension, deep[..., ::-1])[1].tobytes()
    image = decode(content, LIMITS)
    assert image.metadata.bits_per_channel == 16
    np.testing.assert_array_equal(image.rgb, np.asarray(photo))


def test_a_tiff_of_float_rgb_shows_the_picture(photo):
    floats = np.asarray(photo).astype(np.float32)[..., ::-1] / 255
    content = cv2.imencode(".tiff", floats)[1].tobytes()
    image = decode(content, LIMITS)
    assert image.format == "TIFF"
    assert image.metadata.bits_per_channel == 32
    assert mean_difference(image.rgb, np.asarray(photo)) < 1


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 255.0), (-3.0, 9.0), (0.0, 65535.0)])
def test_floating_point_grey_is_scaled_by_its_range(low, high, encode):
    ramp = np.linspace(low, high, 64 * 64, dtype=np.float32).reshape(64, 64)
    ramp[5, 5] = np.nan
    image = decode(encode(ramp, "TIFF"), LIMITS)
    assert (image.rgb[0, 0, 0], image.rgb[-1, -1, 0]) == (0, 255)
    assert image.rgb[32, 0, 0] == pytest.approx(128, abs=2)


def test_a_transparent_palette_shows_what_is_visible(photo, encode):
    palette = photo.quantize(64)
    pixels = np.asarray(palette).copy()
    pixels[:50] = 63
    image = Image.fromarray(pixels, "P")
    image.putpalette(palette.getpalette())
    for name in ("PNG", "GIF"):
        decoded = decode(encode(image, name, transparency=63), LIMITS)
        assert decoded.metadata.has_alpha
        assert (decoded.rgb[10] == decoded.rgb[10, 0]).all()
        assert mean_difference(decoded.rgb[60:], np.asarray(photo)[60:]) < 12


def test_a_colour_key_is_transparent(encode):
    pixels = np.full((40, 40, 3), 255, dtype=np.uint8)
    pixels[:20] = (200, 30, 30)
    pixels[10:15, 5:30] = (30, 30, 200)
    image = decode(encode(pixels, "PNG", transparency=(200, 30, 30)), LIMITS)
    assert image.metadata.has_alpha
    assert tuple(image.rgb[0, 0]) != (200, 30, 30)
    assert tuple(image.rgb[12, 10]) == (30, 30, 200)


@pytest.mark.parametrize("ink", [0, 60, 128, 200, 255])
def test_the_shape_of_an_icon_is_visible_whatever_its_colour(ink, encode):
    pixels = np.full((64, 64, 2), ink, dtype=np.uint8)
    pixels[..., 1] = 0
    pixels[16:48, 24:40, 1] = 255
    grey = decode(encode(Image.fromarray(pixels, "LA"), "PNG"), LIMITS).rgb.astype(int)
    assert abs(grey[30, 30, 0] - grey[2, 2, 0]) > 32


def test_white_and_dark_lettering_on_nothing_are_both_visible(encode):
    pixels = np.zeros((64, 64, 4), dtype=np.uint8)
    pixels[8:24, 8:56] = (255, 255, 255, 255)
    pixels[40:56, 8:56] = (0, 0, 0, 255)
    grey = decode(encode(pixels, "PNG"), LIMITS).rgb[..., 0].astype(int)
    assert abs(grey[16, 30] - grey[2, 2]) > 32
    assert abs(grey[48, 30] - grey[2, 2]) > 32


def test_a_dark_cut_out_is_flattened_on_white_as_people_do(photo, encode):
    cut_out = photo.convert("RGBA")
    alpha = np.full((300, 451), 255, dtype=np.uint8)
    alpha[:100] = 0
    cut_out.putalpha(Image.fromarray(alpha))
    image = decode(encode(cut_out, "PNG"), LIMITS)
    assert (image.rgb[:100] == 255).all()
    np.testing.assert_array_equal(image.rgb[100:], np.asarray(photo)[100:])


def test_a_picture_with_nothing_visible_is_known_by_its_hidden_colours(photo, encode):
    hidden = photo.convert("RGBA")
    hidden.putalpha(0)
    content = encode(hidden, "PNG")
    np.testing.assert_array_equal(decode(content, LIMITS).rgb, np.asarray(photo))


def test_a_huge_transparent_picture_is_the_small_one_shrunk(photo, encode):
    big = photo.resize((2800, 1860), Image.Resampling.BILINEAR).convert("RGBA")
    alpha = np.full((1860, 2800), 255, dtype=np.uint8)
    alpha[:, :700] = 0
    big.putalpha(Image.fromarray(alpha))
    image = decode(encode(big, "PNG", compress_level=1), LIMITS)
    assert image.rgb.shape == (465, 700, 3)
    assert (image.rgb[:, :170] == 255).all()
    shrunk = np.asarray(big.convert("RGB").reduce(4))
    assert mean_difference(image.rgb[:, 180:], shrunk[:, 180:]) < 1


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_an_animation_is_its_first_frame(name, photo, encode):
    frames = [Image.new("RGB", (451, 300), colour) for colour in ("red", "blue")]
    options = {"GIF": {}, "WEBP": {"lossless": True}, "AVIF": {"quality": 90}}.get(name, {})
    content = encode(photo, name, save_all=True, append_images=frames, **options)
    image = decode(content, LIMITS)
    assert image.metadata.frames == 3
    assert mean_difference(image.rgb, np.asarray(photo)) < 12


@pytest.mark.parametrize("name", ["GIF", "TIFF"])
def test_damage_in_a_later_frame_leaves_the_first_frame_what_it_is(name, photo, encode):
    small = photo.resize((90, 60)).quantize(32)
    content = encode(small, name, save_all=True, append_images=[small.rotate(180)] * 2)
    whole = decode(content, LIMITS).rgb
    random = np.random.default_rng(11)
    readable = 0
    for _ in range(40):
        damaged = bytearray(content)
        for position in random.integers(len(content) // 2, len(content), size=8):
            damaged[position] = int(random.integers(256))
        try:
            rgb = decode(bytes(damaged), LIMITS).rgb
        except UndecodableImage:
            continue
        readable += 1
        np.testing.assert_array_equal(rgb, whole)
    assert readable > 0


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBa", "RGBA"])
def test_every_mode_with_alpha_shows_the_picture(mode, photo):
    translucent = photo.convert("L").convert("RGBA") if mode in ("LA", "La") else photo.copy()
    translucent.putalpha(255)
    by_way_of = {"La": "LA", "PA": "P"}.get(mode, "RGBA")
    image = translucent.convert(by_way_of).convert(mode)
    rgb = to_rgb(image)
    wanted = np.asarray(translucent.convert("RGB"))
    assert mean_difference(rgb, wanted) < (16 if mode == "PA" else 1)


def test_big_endian_sixteen_bit_grey_is_the_same(photo):
    deep = (np.asarray(photo.convert("L")).astype(">u2") * 257).astype(">u2")
    image = Image.frombytes("I;16B", photo.size, deep.tobytes())
    np.testing.assert_array_equal(to_rgb(image)[..., 0], np.asarray(photo.convert("L")))


def test_a_multi_picture_jpeg_is_a_jpeg(photo, encode):
    content = encode(photo, "MPO", save_all=True, append_images=[photo.rotate(180)], quality=95)
    image = decode(content, LIMITS)
    assert (image.format, image.metadata.frames) == ("JPEG", 2)
    assert image.jpeg is not None
    assert mean_difference(image.rgb, np.asarray(photo)) < 4


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_a_truncated_picture_is_unreadable_with_a_reason(name, share, photo, encode):
    options = {"TIFF": {"compression": "tiff_deflate"}}.get(name, {})
    content = encode(photo, name, **options)
    reason = reason_of(content[: int(len(content) * share)])
    assert "truncated" in reason
    assert {"WEBP": "WebP", "HEIF": "HE"}.get(name, name) in reason


def test_a_large_jpeg_cut_short_is_unreadable_though_it_is_shrunk(photo, encode):
    content = encode(photo.resize((2000, 1400)), "JPEG")
    assert "truncated" in reason_of(content[: len(content) // 2])


def test_an_empty_file_is_unreadable():
    assert reason_of(b"") == "The file is empty."


@pytest.mark.parametrize(
    "content", [b"hello, world\n" * 50, b"\xff\xd8\xff", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"II*\0"]
)
def test_what_is_no_image_is_unreadable(content):
    assert reason_of(content).startswith(("Not an image", "The JPEG is", "The TIFF is"))


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_refused_by_its_header():
    reason = reason_of(png_header(30_000, 30_000))
    assert "30000×30000" in reason
    assert "900 megapixels" in reason
    assert "200 megapixels" in reason


def test_a_float_tiff_is_refused_by_its_header():
    content = cv2.imencode(".tiff", np.zeros((40, 50, 3), dtype=np.float32))[1].tobytes()
    assert "50×40" in reason_of(content, DecodeLimits(max_pixels=1999))


def test_a_jpeg_counts_by_what_it_is_decoded_to_unless_progressive(photo, encode):
    big = photo.resize((2600, 1730))
    limits = DecodeLimits(max_pixels=1_000_000)
    assert decode(encode(big, "JPEG"), limits).scale == 0.25
    assert "2600×1730" in reason_of(encode(big, "JPEG", progressive=True), limits)
    assert "2600×1730" in reason_of(encode(big, "BMP"), limits)


def test_a_jpeg_with_a_scan_per_component_counts_whole(photo, encode):
    one_scan = encode(photo.resize((1400, 900)), "JPEG")
    assert not is_decoded_whole(one_scan)
    start = one_scan.index(b"\xff\xda")
    assert one_scan[start + 4] == 3
    several = one_scan[: start + 4] + b"\x01" + one_scan[start + 5 :]
    assert is_decoded_whole(several)
    assert is_decoded_whole(encode(photo, "JPEG", progressive=True))
    assert is_decoded_whole(one_scan[:300])
    assert not is_decoded_whole(encode(photo.convert("L"), "JPEG", comment=b"x" * 500))


def test_a_file_over_the_byte_limit_is_refused(photo, encode):
    assert "MiB" in reason_of(encode(photo, "BMP"), DecodeLimits(max_bytes=1000))


def test_the_reason_survives_the_way_out_of_a_worker():
    error = pickle.loads(pickle.dumps(UndecodableImage("The file is empty.")))
    assert error.reason == str(error) == "The file is empty."


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_no_damage_raises_anything_but_unreadable(name, photo, encode):
    content = bytearray(encode(photo.resize((90, 60)), name))
    random = np.random.default_rng(7)
    reasons = []
    for _ in range(60):
        damaged = bytearray(content)
        for position in random.integers(0, len(content), size=6):
            damaged[position] = int(random.integers(256))
        try:
            assert decode(bytes(damaged), DecodeLimits(max_pixels=10_000_000)).rgb.ndim == 3
        except UndecodableImage as error:
            reasons.append(error.reason)
    assert all(reason and "\n" not in reason for reason in reasons)
