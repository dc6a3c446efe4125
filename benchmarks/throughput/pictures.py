"""JPEGs of one size made of photographs, as many as asked for, no two of them the same file.

Only so many are encoded as there are photographs; the others are these with another comment in
their header. Each has a digest of its own, so each is read, decoded, described and embedded.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

_START_OF_IMAGE = b"\xff\xd8"
_COMMENT = b"\xff\xfe"


@dataclass(frozen=True, slots=True)
class Size:
    """A kind of picture.

    Attributes:
        name: in the report.
        width, height: pixels.
        quality: of the JPEG.
        detail: standard deviation of the noise that an enlarged picture gets, grey levels: without
            it the file would be far smaller than a camera's, and quicker to decode.
    """

    name: str
    width: int
    height: int
    quality: int = 92
    detail: float = 0.0


SMALL = Size("500×375", 500, 375)
LARGE = Size("24 megapixels", 6000, 4000, quality=90, detail=4.0)
TINY = Size("160×120", 160, 120, quality=85)


def make_pictures(photographs: Sequence[Path], folder: Path, size: Size, count: int) -> None:
    """Writes `count` JPEGs into a new folder; the first `len(photographs)` differ in their pixels.

    Raises:
        FileExistsError: there is such a folder.
    """
    folder.mkdir(parents=True)
    encoded = [_encode(path, size, seed) for seed, path in enumerate(photographs[:count])]
    for number in range(count):
        content = with_comment(encoded[number % len(encoded)], f"picture {number}")
        (folder / f"{number:06d}.jpg").write_bytes(content)


def with_comment(jpeg: bytes, text: str) -> bytes:
    """The same picture with a comment behind its first header segment.

    Raises:
        ValueError: it does not begin as a JPEG.
    """
    if jpeg[:2] != _START_OF_IMAGE or jpeg[2] != 0xFF:
        raise ValueError("no JPEG")
    at = 4 + int.from_bytes(jpeg[4:6], "big")
    comment = text.encode()
    return jpeg[:at] + _COMMENT + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[at:]


def _encode(path: Path, size: Size, seed: int) -> bytes:
    with Image.open(path) as image:
        picture = image.convert("RGB")
    if picture.width < picture.height:
        picture = picture.transpose(Image.Transpose.ROTATE_90)
    picture = ImageOps.fit(picture, (size.width, size.height), Image.Resampling.BICUBIC)
    if size.detail:
        picture = _with_detail(picture, size.detail, seed)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=size.quality)
    return written.getvalue()


def _with_detail(picture: Image.Image, deviation: float, seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    pixels = np.asarray(picture, dtype=np.float32)
    grain = random.standard_normal(pixels.shape[:2], dtype=np.float32)[..., None] * deviation
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))
