"""How a JPEG was coded, from its header alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

# ITU-T T.81, table K.1: the luminance table that libjpeg scales by its quality, in rows.
_STANDARD_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)

_SUBSAMPLING = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (1, 2): "4:4:0",
    (2, 2): "4:2:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}

# Markers of ITU-T T.81, table B.1.
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES_IN_ONE_SCAN = frozenset({0xC0, 0xC1, 0xC3, 0xC9, 0xCB})
_PROGRESSIVE_FRAMES = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_START_OF_SCAN = 0xDA
_JFIF = 0xE0
# All application segments but Adobe's, which tells how colours are coded; and comments.
_METADATA = frozenset({*range(0xE0, 0xF0), 0xFE}) - {0xEE}


@dataclass(frozen=True, slots=True)
class JpegCoding:
    """What the tables of a JPEG say of it.

    Attributes:
        quality: the libjpeg quality, 1..100, whose luminance table comes nearest (least sum of
            absolute differences); other encoders' tables land near the quality they look like.
        mean_quantiser: mean of the 64 luminance quantisers.
        subsampling: "4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0", "4:0:0" for grey, or the
            sampling factors as "2x2,1x1,1x1" where they have no such name.
    """

    quality: int
    mean_quantiser: float
    subsampling: str


def read_jpeg_coding(image: Image.Image) -> JpegCoding | None:
    """The coding of an opened JPEG; None for other formats or a header without tables."""
    if not isinstance(image, JpegImageFile) or not image.layer:
        return None
    table = image.quantization.get(image.layer[0][3])
    if table is None or len(table) != 64:
        return None
    luminance = np.asarray(table, dtype=np.int64)
    distances = np.abs(_libjpeg_tables() - luminance).sum(axis=1)
    return JpegCoding(
        # Of equally near tables the better quality: argmin would take the worse.
        quality=100 - int(np.argmin(distances[::-1])),
        mean_quantiser=float(luminance.mean()),
        subsampling=_subsampling(image.layer),
    )


def is_decoded_whole(content: bytes) -> bool:
    """Whether a decoder must hold the coefficients of the full picture, however small it is asked.

    So it is for progressive JPEGs and all others whose components come in several scans.

    Args:
        content: of a JPEG file. True as well when its markers cannot be followed.
    """
    components = 0
    for marker, start, _ in _segments(content):
        if marker in _FRAMES_IN_ONE_SCAN and start + 10 <= len(content):
            components = content[start + 9]
        elif marker in _PROGRESSIVE_FRAMES:
            return True
        elif marker == _START_OF_SCAN and start + 5 <= len(content):
            return content[start + 4] != components
    return True


def without_metadata(content: bytes) -> bytes:
    """A JPEG file with the same pixels, to the bit, and no EXIF, XMP, ICC, thumbnail or comment.

    Args:
        content: of a JPEG file whose markers can be followed up to the first scan, as those can
            that `is_decoded_whole` is false for.
    """
    kept = [content[:2]]
    for marker, start, end in _segments(content):
        if marker == _START_OF_SCAN:
            kept.append(content[start:])
            break
        is_jfif = marker == _JFIF and content[start + 4 : start + 8] == b"JFIF"
        if is_jfif or marker not in _METADATA:
            kept.append(content[start:end])
    return b"".join(kept)


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment of a JPEG file, up to the first scan's header."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        yield marker, at, end
        if marker == _START_OF_SCAN:
            return
        at = end


def _subsampling(layers: list[tuple[int, int, int, int]]) -> str:
    factors = [(horizontal, vertical) for _, horizontal, vertical, _ in layers]
    if len(factors) == 1:
        return "4:0:0"
    luminance, chroma = factors[0], factors[1:3]
    if all(factor == chroma[0] for factor in chroma) and min(*chroma[0]) > 0:
        ratio = (luminance[0] // chroma[0][0], luminance[1] // chroma[0][1])
        if ratio in _SUBSAMPLING:
            return _SUBSAMPLING[ratio]
    return ",".join(f"{horizontal}x{vertical}" for horizontal, vertical in factors)


@lru_cache(maxsize=1)
def _libjpeg_tables() -> NDArray[np.int64]:
    """int64 (100, 64): the luminance table of each quality, as libjpeg's jpeg_quality_scaling."""
    standard = np.asarray(_STANDARD_LUMINANCE, dtype=np.int64).ravel()
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables = (standard[None] * scale[:, None] + 50) // 100
    return np.asarray(tables.clip(1, 255), dtype=np.int64)
