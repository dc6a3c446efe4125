"""TIFFs whose pixels Pillow has no mode for, such as three channels of floats, read by OpenCV."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    IMAGELENGTH,
    IMAGEWIDTH,
    PREFIXES,
    ImageFileDirectory_v2,
)

from indexer.errors import UndecodableImage
from indexer.pixel_modes import scale_to_eight_bit


def read_size(content: bytes) -> tuple[int, int] | None:
    """(width, height) of the first page by its header; None when this is no (classic) TIFF.

    Raises:
        struct.error, SyntaxError, KeyError: the header is damaged.
    """
    tags = _first_directory(content)
    if tags is None or IMAGEWIDTH not in tags or IMAGELENGTH not in tags:
        return None
    return int(tags[IMAGEWIDTH]), int(tags[IMAGELENGTH])


def read_bits(content: bytes) -> int:
    """Bits per channel of the first page; 8 when it does not say."""
    tags = _first_directory(content)
    bits = tags.get(BITSPERSAMPLE, (8,)) if tags is not None else (8,)
    return max(int(b) for b in bits) if isinstance(bits, tuple) else int(bits)


def decode(content: bytes) -> Image.Image:
    """The first page, upright, as a Pillow image of mode L, RGB or RGBA.

    Raises:
        UndecodableImage: OpenCV cannot read it either.
    """
    pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise UndecodableImage("The TIFF is damaged, or its pixels are of an unknown kind.")
    values = scale_to_eight_bit(np.asarray(pixels))
    if values.ndim == 2:
        return Image.fromarray(values)
    match values.shape[2]:
        case 3:
            return Image.fromarray(np.ascontiguousarray(values[..., ::-1]))
        case 4:
            return Image.fromarray(np.ascontiguousarray(values[..., [2, 1, 0, 3]]))
        case channels:
            raise UndecodableImage(f"The TIFF has {channels} channels of an unknown meaning.")


def _first_directory(content: bytes) -> ImageFileDirectory_v2 | None:
    if content[:4] not in PREFIXES:
        return None
    header = content[:16] if content[2:3] == b"\x2b" or content[3:4] == b"\x2b" else content[:8]
    tags = ImageFileDirectory_v2(header)
    stream = io.BytesIO(content)
    stream.seek(tags.next)
    tags.load(stream)
    return tags
