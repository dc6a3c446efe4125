"""RAW files: known by their content, and shown by the preview that the camera put into them.

What a sensor recorded is no picture before somebody develops it, and each program does that in its
own way. The preview is how the camera did it, the same as in the JPEG of the same shot.
"""

from __future__ import annotations

import io
import struct
from importlib.util import find_spec

import numpy as np
from PIL import Image

from indexer.errors import UndecodableImage

FORMAT = "RAW"
NEEDS_RAWPY = "It is a RAW file; to read its preview, install rawpy: pip install 'dedup[raw]'."

_PREFIXES = (
    b"FUJIFILMCCD-RAW",
    b"II\x1a\0\0\0HEAPCCDR",
    b"IIRO",
    b"IIRS",
    b"MMOR",
    b"IIU\0",
    b"FOVb",
    b"\0MRM",
)
_TIFFS = {b"II*\0": "<", b"MM\0*": ">"}
_PHOTOMETRIC, _SUBDIRECTORIES, _DNG_VERSION = 262, 330, 50706
# A colour filter array; what one of a DNG was made into without being developed.
_SENSOR_PIXELS = frozenset((32803, 34892))
_SHORT = 3
# A camera writes a handful of each.
_MOST_DIRECTORIES, _MOST_TAGS, _MOST_BELOW = 32, 512, 16
_END_OF_JPEG = b"\xff\xd9"
_TAIL = 1024
# By how LibRaw says that the camera was held.
_ORIENTATIONS = {3: 3, 5: 8, 6: 6}


def can_read_raw() -> bool:
    """Whether rawpy is installed."""
    return find_spec("rawpy") is not None


def is_raw(content: bytes) -> bool:
    """Whether these bytes hold what a sensor recorded. Reads no more than tags; raises nothing."""
    if content.startswith(_PREFIXES) or content[4:12] == b"ftypcrx ":
        return True
    order = _TIFFS.get(content[:4])
    if order is None:
        return False
    return content[8:10] == b"CR" or _has_sensor_pixels(content, order)


def embedded_preview(content: bytes) -> bytes:
    """The largest preview of a RAW file, as a JPEG or PNG that says how it is to be turned.

    Raises:
        UndecodableImage: rawpy is not installed, there is no preview, or the file is damaged.
        MemoryError
    """
    if not can_read_raw():
        raise UndecodableImage(NEEDS_RAWPY)
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(content)) as opened:
            found = opened.extract_thumb()
            if found.format is rawpy.ThumbFormat.JPEG:
                return _whole(bytes(found.data), content)
            return _as_png(Image.fromarray(np.asarray(found.data)), opened.sizes.flip)
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError) as error:
        raise UndecodableImage("The RAW file has no preview that can be read.") from error
    except rawpy.LibRawUnsufficientMemoryError as error:
        raise MemoryError from error
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        raise UndecodableImage(
            "The RAW file is damaged, truncated or of an unknown kind."
        ) from error


def _whole(preview: bytes, content: bytes) -> bytes:
    """LibRaw gives a preview whose end is missing its full length, with whatever was in memory.

    Raises:
        UndecodableImage
    """
    is_there = preview[-_TAIL:] in content
    is_filled = preview.endswith(b"\0") and not preview.rstrip(b"\0").endswith(_END_OF_JPEG)
    if not is_there or is_filled:
        raise UndecodableImage("The RAW file is truncated: the end of its preview is missing.")
    return preview


def _as_png(image: Image.Image, flip: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = _ORIENTATIONS.get(flip, 1)
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=0, exif=exif)
    return stream.getvalue()


def _has_sensor_pixels(content: bytes, order: str) -> bool:
    (first,) = struct.unpack_from(f"{order}I", content.ljust(8, b"\0"), 4)
    waiting, seen = [first], set[int]()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        at = waiting.pop(0)
        if at in seen or not 8 <= at <= len(content) - 2:
            continue
        seen.add(at)
        (count,) = struct.unpack_from(f"{order}H", content, at)
        for place in range(at + 2, at + 2 + 12 * min(count, _MOST_TAGS), 12):
            if place + 12 > len(content):
                break
            tag, kind, values, value = struct.unpack_from(f"{order}HHII", content, place)
            if tag == _DNG_VERSION:
                return True
            if tag == _PHOTOMETRIC and kind == _SHORT:
                if struct.unpack_from(f"{order}H", content, place + 8)[0] in _SENSOR_PIXELS:
                    return True
            elif tag == _SUBDIRECTORIES:
                waiting += _below(content, order, values, value)
        after = at + 2 + 12 * count
        if after + 4 <= len(content):
            waiting.append(struct.unpack_from(f"{order}I", content, after)[0])
    return False


def _below(content: bytes, order: str, count: int, value: int) -> list[int]:
    if count == 1:
        return [value]
    count = min(count, _MOST_BELOW, max(0, len(content) - value) // 4)
    return list(struct.unpack_from(f"{order}{count}I", content, value)) if count > 0 else []
