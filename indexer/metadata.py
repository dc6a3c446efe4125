"""What the file says of itself, read from headers. Nothing a file says can raise here."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from indexer.gif_frames import count_gif_frames
from indexer.transparency import has_alpha
from storage.records import Metadata

_T = TypeVar("_T")

_LONGEST_TEXT = 120
_BITS_OF_MODE = {"1": 1, "I": 32, "F": 32}


def read_metadata(image: Image.Image, content: bytes, max_frames: int) -> Metadata:
    """Metadata of an opened image. May decode a PNG, whose EXIF may follow its pixels.

    Args:
        image: as opened; not yet loaded, since loading drops tags and frames of some formats.
        content: the bytes of the file.
        max_frames: so many frames are counted.
    """
    exif = _guarded(image.getexif, Image.Exif())
    nothing: dict[int, object] = {}
    details = _guarded(lambda: dict[int, object](exif.get_ifd(IFD.Exif)), nothing)
    gps = _guarded(lambda: dict[int, object](exif.get_ifd(IFD.GPSInfo)), nothing)
    make = _text(exif.get(Base.Make))
    model = _text(exif.get(Base.Model))
    return Metadata(
        taken_at=_timestamp(details.get(Base.DateTimeOriginal)),
        camera=model if model.lower().startswith(make.lower()) else f"{make} {model}".strip(),
        software=_text(exif.get(Base.Software)),
        # A TIFF is made of the same tags: only a private EXIF directory says a camera wrote them.
        has_exif=bool(details) if isinstance(image, TiffImageFile) else len(exif) > 0,
        has_gps=bool(gps),
        has_icc=bool(image.info.get("icc_profile")),
        has_alpha=has_alpha(image),
        bits_per_channel=_guarded(lambda: _bits(image, content), 8),
        frames=max(1, _guarded(lambda: _frames(image, content, max_frames), 1)),
    )


def _guarded(read: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return read()
    except Exception:  # noqa: BLE001
        # EXIF and frame tables are written by anybody; Pillow's parsers raise whatever broken
        # ones make them stumble over. Metadata is never worth losing the picture for.
        return otherwise


def _frames(image: Image.Image, content: bytes, most: int) -> int:
    match image.format:
        case "GIF":
            return count_gif_frames(content, most)
        case "TIFF":
            return _pages(content, most)
        case "MPO":
            with Image.open(io.BytesIO(content), formats=("JPEG",)) as other:
                return min(most, int(getattr(other, "n_frames", 1)))
        case _:
            # Their headers say it.
            return min(most, int(getattr(image, "n_frames", 1)))


def _pages(content: bytes, most: int) -> int:
    # On an image opened for it: Pillow stays at the page where a damaged file stopped it. What lies
    # before the damage counts; a file of pages must not pass for its first one.
    pages = 1
    with Image.open(io.BytesIO(content), formats=("TIFF",)) as image, suppress(Exception):
        while pages < most:
            image.seek(pages)
            pages += 1
    return pages


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    printable = "".join(c if c.isprintable() else " " for c in value.split("\0", 1)[0])
    return " ".join(printable.split())[:_LONGEST_TEXT]


def _timestamp(value: object) -> str:
    """EXIF's "2021:05:06 07:08:09" as "2021-05-06T07:08:09"; "" for anything else."""
    text = _text(value)
    if not text:
        return ""
    try:
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return ""


def _bits(image: Image.Image, content: bytes) -> int:
    match image.format:
        case "PNG":
            # IHDR is always first: signature 8, length 4, type 4, width 4, height 4, depth 1. The
            # depth of a palette PNG is that of its indices, its colours have 8 bits.
            return 8 if image.mode == "P" else content[24]
        case "TIFF" if isinstance(image, TiffImageFile):
            bits = image.tag_v2.get(BITSPERSAMPLE, (1,))
            return max(int(b) for b in bits) if isinstance(bits, tuple) else int(bits)
        case "HEIF":
            return int(image.info.get("bit_depth", 8))
        case "AVIF":
            return _av1_bits(content)
        case _:
            return 16 if image.mode.startswith("I;16") else _BITS_OF_MODE.get(image.mode, 8)


def _av1_bits(content: bytes) -> int:
    # AV1 codec configuration box (AV1-ISOBMFF 2.3.3): the third byte after the type holds
    # seq_tier_0, high_bitdepth, twelve_bit from its top.
    at = content.find(b"av1C", 0, 1 << 16)
    if at < 0:
        return 8
    flags = content[at + 6]
    if not flags & 0x40:
        return 8
    return 12 if flags & 0x20 else 10
