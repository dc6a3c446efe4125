"""One picture in the many ways in which files hold it.

Every variant shows the picture it was made from, to somebody who reads it right: upright, in sRGB.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from benchmarks.hostile.profiles import wide_gamut_profile

pillow_heif.register_heif_opener()

Variant = Callable[[Image.Image], bytes]

_ORIENTATION = 0x0112
# How a picture is stored for the EXIF orientation to turn it upright (Exif 2.32, 4.6.4).
STORED_AS: Mapping[int, Image.Transpose | None] = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_TURNABLE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 93, "subsampling": 0}),
    "png": ("PNG", {"compress_level": 1}),
    "webp": ("WEBP", {"quality": 93, "method": 0}),
    "tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "heic": ("HEIF", {"quality": 90}),
    "avif": ("AVIF", {"quality": 90, "speed": 10}),
}
_SOURCE_PROFILE = ImageCms.createProfile("sRGB")


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The bytes of a file of Pillow's."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def oriented(kind: str, orientation: int, picture: Image.Image) -> bytes:
    """The picture stored turned, with the EXIF orientation that sets it right."""
    turn = STORED_AS[orientation]
    stored = picture.transpose(turn) if turn is not None else picture
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    file_format, options = _TURNABLE[kind]
    return encode(stored, file_format, exif=exif.tobytes(), **options)


def wide_gamut(file_format: str, options: Mapping[str, Any], picture: Image.Image) -> bytes:
    """Its colours as numbers of a wider space, with the profile that says so."""
    profile = wide_gamut_profile()
    wide = ImageCms.profileToProfile(
        picture,
        _SOURCE_PROFILE,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert wide is not None
    return encode(wide, file_format, icc_profile=profile, **options)


def cmyk_jpeg(picture: Image.Image) -> bytes:
    """With Adobe's marker, and inverted, as Photoshop writes it."""
    return encode(picture.convert("CMYK"), "JPEG", quality=95, subsampling=0)


def cmyk_jpeg_without_marker(picture: Image.Image) -> bytes:
    """The same file after a tool that strips application segments."""
    content = cmyk_jpeg(picture)
    start, end = _segment(content, 0xEE)
    return content[:start] + content[end:]


def ycck_jpeg(picture: Image.Image) -> bytes:
    """Four components, three of them luminance and colour, as Adobe's marker says."""
    ink = np.asarray(picture.convert("CMYK"))
    # Readers turn luminance and colour into RGB and invert that: so it is made of the ink, taken
    # for RGB. Pillow inverts all that it is given.
    colours = 255 - np.asarray(Image.fromarray(ink[..., :3]).convert("YCbCr"))
    stored = np.dstack((colours, ink[..., 3]))
    content = bytearray(encode(Image.fromarray(stored, "CMYK"), "JPEG", quality=95, subsampling=0))
    _, end = _segment(bytes(content), 0xEE)
    content[end - 1] = 2
    return bytes(content)


def misleading_thumbnail(picture: Image.Image) -> bytes:
    """A JPEG whose embedded thumbnail shows something else, as editors that forget it leave it."""
    thumbnail = encode(Image.new("RGB", (160, 120), (30, 160, 60)), "JPEG")
    exif = Image.Exif()
    exif[_ORIENTATION] = 1
    head = exif.tobytes()
    tiff = bytearray(head.removeprefix(b"Exif\0\0"))
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    first = int.from_bytes(tiff[4:8], order)
    entries = int.from_bytes(tiff[first : first + 2], order)
    link = first + 2 + 12 * entries
    second = len(tiff) + len(tiff) % 2
    tiff[link : link + 4] = second.to_bytes(4, order)
    tiff += b"\0" * (second - len(tiff))
    data_at = second + 2 + 12 * 3 + 4
    rows = ((0x0103, 3, 6), (0x0201, 4, data_at), (0x0202, 4, len(thumbnail)))
    tiff += len(rows).to_bytes(2, order)
    for tag, kind, value in rows:
        size = 2 if kind == 3 else 4
        tiff += tag.to_bytes(2, order) + kind.to_bytes(2, order) + (1).to_bytes(4, order)
        tiff += value.to_bytes(size, order).ljust(4, b"\0")
    tiff += b"\0" * 4 + thumbnail
    return encode(picture, "JPEG", quality=93, subsampling=0, exif=b"Exif\0\0" + bytes(tiff))


def sixteen_bit(extension: str, picture: Image.Image) -> bytes:
    """Each level 257 times as high, in 16 bits a channel."""
    deep = np.asarray(picture).astype(np.uint16) * 257
    return bytes(cv2.imencode(extension, deep[..., ::-1])[1].tobytes())


def lab_tiff(picture: Image.Image) -> bytes:
    """CIE Lab, as print shops keep pictures."""
    to_lab = ImageCms.buildTransform(_SOURCE_PROFILE, ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(picture, to_lab)
    assert lab is not None
    return encode(lab, "TIFF", compression="tiff_lzw")


def paged(file_format: str, options: Mapping[str, Any], picture: Image.Image) -> bytes:
    """Followed by two other pages or frames."""
    others = [Image.new("RGB", picture.size, colour) for colour in ("red", "blue")]
    return encode(picture, file_format, save_all=True, append_images=others, **options)


def with_alpha(file_format: str, options: Mapping[str, Any], picture: Image.Image) -> bytes:
    """With an alpha channel that hides nothing."""
    opaque = picture.convert("RGBA")
    return encode(opaque, file_format, **options)


def cut_out(shape: Image.Image, picture: Image.Image) -> bytes:
    """Transparent but for the shape, mode L; the colours are there under what is transparent."""
    alpha = shape.resize(picture.size)
    translucent = picture.convert("RGBA")
    translucent.putalpha(alpha)
    return encode(translucent, "PNG")


def grey_with_alpha(picture: Image.Image) -> bytes:
    """Grey and alpha. Of a grey picture only is this a copy."""
    return encode(picture.convert("LA"), "PNG")


def few_colours(picture: Image.Image) -> Image.Image:
    """With a palette of 255, which changes a photograph and not what has few colours anyway."""
    return picture.quantize(255)


def palette(file_format: str, picture: Image.Image) -> bytes:
    """With a palette of 256, one of them transparent and used by no pixel."""
    return encode(few_colours(picture), file_format, transparency=255)


def _segment(content: bytes, wanted: int) -> tuple[int, int]:
    """Where the segment of a JPEG with this marker begins and ends."""
    at = 2
    while content[at + 1] != wanted:
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return at, at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def _saved(file_format: str, options: Mapping[str, Any], picture: Image.Image) -> bytes:
    return encode(picture, file_format, **options)


_LOSSLESS_WEBP = {"lossless": True, "method": 0}
_FINE_JPEG = {"quality": 93, "subsampling": 0}

# What is stored turned, in each format and orientation.
ORIENTED: Mapping[str, Variant] = {
    f"{kind}-orientation-{orientation}": partial(oriented, kind, orientation)
    for kind in _TURNABLE
    for orientation in STORED_AS
}
# What is stored in other colours, with other coding, or with other things beside it.
CODED: Mapping[str, Variant] = {
    "jpeg-plain": partial(_saved, "JPEG", {"quality": 88}),
    "jpeg-progressive": partial(_saved, "JPEG", _FINE_JPEG | {"progressive": True}),
    "jpeg-restarts": partial(_saved, "JPEG", _FINE_JPEG | {"restart_marker_blocks": 5}),
    "jpeg-cmyk": cmyk_jpeg,
    "jpeg-cmyk-without-marker": cmyk_jpeg_without_marker,
    "jpeg-ycck": ycck_jpeg,
    "jpeg-misleading-thumbnail": misleading_thumbnail,
    "jpeg-wide-gamut": partial(wide_gamut, "JPEG", _FINE_JPEG),
    "jpeg-several": partial(paged, "MPO", {"quality": 93}),
    "png-wide-gamut": partial(wide_gamut, "PNG", {}),
    "png-16-bit": partial(sixteen_bit, ".png"),
    "png-alpha": partial(with_alpha, "PNG", {}),
    "png-palette": partial(palette, "PNG"),
    "png-animated": partial(paged, "PNG", {}),
    "webp-lossless": partial(_saved, "WEBP", _LOSSLESS_WEBP),
    "webp-wide-gamut": partial(wide_gamut, "WEBP", _LOSSLESS_WEBP),
    "webp-alpha": partial(with_alpha, "WEBP", _LOSSLESS_WEBP),
    "webp-animated": partial(paged, "WEBP", _LOSSLESS_WEBP),
    "gif": partial(palette, "GIF"),
    "gif-animated": partial(paged, "GIF", {}),
    "tiff-16-bit": partial(sixteen_bit, ".tiff"),
    "tiff-wide-gamut": partial(wide_gamut, "TIFF", {"compression": "tiff_lzw"}),
    "tiff-lab": lab_tiff,
    "tiff-cmyk": lambda picture: encode(picture.convert("CMYK"), "TIFF"),
    "tiff-pages": partial(paged, "TIFF", {"compression": "tiff_deflate"}),
    "heic-wide-gamut": partial(wide_gamut, "HEIF", {"quality": 92}),
    "avif-wide-gamut": partial(wide_gamut, "AVIF", {"quality": 92, "speed": 10}),
    "jpeg2000": partial(_saved, "JPEG2000", {}),
    "bmp": partial(_saved, "BMP", {}),
    "ppm": partial(_saved, "PPM", {}),
    "qoi": partial(_saved, "QOI", {}),
}
# Of these only the first frame or page shows the picture: no copies of it, for they hold more.
SEVERAL_FRAMES = frozenset(
    ("jpeg-several", "png-animated", "webp-animated", "gif-animated", "tiff-pages")
)
VARIANTS: Mapping[str, Variant] = {**ORIENTED, **CODED}
