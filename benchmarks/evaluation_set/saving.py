"""How pictures become files: formats, qualities, and copies that differ in their file only."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.evaluation_set.drawing import U8, Random


@dataclass(frozen=True, slots=True)
class SavedFile:
    """The bytes of a picture and the suffix that belongs to them."""

    content: bytes
    suffix: str


FileEdit = Callable[[Path, U8, Random], SavedFile]

_ORIENTATION = 0x0112
_SHOWN_TURNED_LEFT = 6


def jpeg_file(image: U8, quality: int) -> SavedFile:
    return _saved(image, "JPEG", ".jpg", quality=quality)


def png_file(image: U8) -> SavedFile:
    return _saved(image, "PNG", ".png", compress_level=1)


def webp_file(image: U8, quality: int) -> SavedFile:
    return _saved(image, "WEBP", ".webp", quality=quality)


def passed_on(image: U8, random: Random) -> SavedFile:
    """As people save an edited picture: mostly JPEG, sometimes PNG or WebP."""
    chance, quality = random.random(), int(random.integers(70, 96))
    if chance < 0.6:
        return jpeg_file(image, quality)
    return png_file(image) if chance < 0.8 else webp_file(image, quality)


def same_bytes(path: Path, _image: U8, _random: Random) -> SavedFile:
    return SavedFile(path.read_bytes(), path.suffix.lower())


def same_pixels(_path: Path, image: U8, _random: Random) -> SavedFile:
    return png_file(image)


def as_webp(_path: Path, image: U8, _random: Random) -> SavedFile:
    return webp_file(image, 60)


def turned_by_exif(_path: Path, image: U8, _random: Random) -> SavedFile:
    """Stored lying on its side, with the note that says how to show it."""
    exif = Image.Exif()
    exif[_ORIENTATION] = _SHOWN_TURNED_LEFT
    stored = np.ascontiguousarray(np.rot90(image, 1))
    return _saved(stored, "JPEG", ".jpg", quality=92, exif=exif)


def jpeg_of(quality: int) -> FileEdit:
    """One JPEG generation, straight from the original's pixels."""
    return lambda _path, image, _random: jpeg_file(image, quality)


FILE_EDITS: dict[str, FileEdit] = {
    "exact": same_bytes,
    "same pixels": same_pixels,
    "webp 60": as_webp,
    "turned by exif": turned_by_exif,
    **{f"jpeg {quality}": jpeg_of(quality) for quality in (90, 60, 30, 20, 10, 5)},
}
# These lose nothing: any of them, or the original itself, is the right one to keep.
LOSSLESS = frozenset({"original", "exact", "same pixels"})


def _saved(image: U8, format_name: str, suffix: str, **options: object) -> SavedFile:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format_name, **options)
    return SavedFile(buffer.getvalue(), suffix)
