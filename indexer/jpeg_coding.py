"""How a JPEG was coded, from its header alone."""

from __future__ import annotations

import re
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
_FIRST_MARKER = 0xC0
_SEQUENTIAL_FRAMES = frozenset({0xC0, 0xC1})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# All application segments, and comments. Of JFIF's and of Adobe's, which tell how colours are
# coded, so many bytes are kept.
_METADATA = frozenset({*range(0xE0, 0xF0), 0xFE})
_JFIF, _JFIF_BYTES = 0xE0, 18
_ADOBE, _ADOBE_BYTES = 0xEE, 16
# In a scan a byte of 255 is followed by a zero.
_AFTER_SCAN = re.compile(rb"\xff[^\x00]")
_END_OF_IMAGE = b"\xff\xd9"


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


def bare_jpeg(content: bytes) -> bytes | None:
    """A file with the same pixels, to the bit, and nothing besides: no EXIF, XMP, ICC, thumbnail or
    comment, and nothing after its end.

    None for all but baseline and extended sequential JPEGs of one undamaged scan without restart
    markers: decoders of other programs may not read the others, or warn of them.

    Args:
        content: of a JPEG file.
    """
    kept, components = [content[:2]], 0
    for marker, start, end in _segments(content):
        segment = content[start:end]
        if marker == _START_OF_SCAN:
            stop = _AFTER_SCAN.search(content, end)
            if segment[4:5] != bytes([components]) or stop is None or stop[0] != _END_OF_IMAGE:
                return None
            return b"".join([*kept, content[start : stop.end()]])
        if marker in _FRAMES:
            if marker not in _SEQUENTIAL_FRAMES or components or len(segment) < 10:
                return None
            components = segment[9]
        if marker == _JFIF and segment[4:9] == b"JFIF\0" and len(segment) >= _JFIF_BYTES:
            # The last two bytes are the sides of its thumbnail.
            segment = b"\xff\xe0\x00\x10" + segment[4 : _JFIF_BYTES - 2] + b"\0\0"
        elif marker == _ADOBE and segment[4:9] == b"Adobe" and len(segment) >= _ADOBE_BYTES:
            segment = b"\xff\xee\x00\x0e" + segment[4:_ADOBE_BYTES]
        elif marker in _METADATA:
            continue
        kept.append(segment)
    return None


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
        if marker < _FIRST_MARKER:
            # Decoders skip what is none, and so go on elsewhere than its length says.
            return
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
