"""EXIF orientation: found in the header, applied by hand, once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base

U8 = NDArray[np.uint8]

# These loaders turn the pixels themselves (libheif by the `irot` and `imir` boxes, Pillow's TIFF
# plugin by the tag). Turning them again would undo it.
_TURNED_BY_LOADER = frozenset({"HEIF", "TIFF"})


def read_orientation(image: Image.Image) -> tuple[int, bool]:
    """The orientation of an opened image, and whether its loader applies it.

    Call it before `load`: Pillow's TIFF plugin removes the tag once it has turned the pixels. For
    a PNG it may decode the pixels, since eXIf may follow them.

    Returns:
        (orientation, is_turned_by_loader): 1..8, and True when the loaded pixels are upright.
    """
    turned = image.format in _TURNED_BY_LOADER
    if image.format == "HEIF":
        value = image.info.get("original_orientation")
    else:
        try:
            value = image.getexif().get(Base.Orientation)
        except Exception:  # noqa: BLE001
            # Written by anybody, and Pillow's parser raises whatever the bytes make it stumble
            # over. A picture with broken EXIF is shown upright by every viewer.
            value = None
    return (value if isinstance(value, int) and 1 <= value <= 8 else 1), turned


def apply_orientation(pixels: U8, orientation: int) -> U8:
    """The pixels as they are meant to be seen.

    Args:
        pixels: uint8 (h, w) or (h, w, 3) as stored.
        orientation: EXIF orientation, 1..8 (Exif 2.32, tag 0x0112).

    Returns:
        A contiguous array; height and width exchanged for 5..8.
    """
    match orientation:
        case 2:
            pixels = pixels[:, ::-1]
        case 3:
            pixels = pixels[::-1, ::-1]
        case 4:
            pixels = pixels[::-1]
        case 5:
            pixels = pixels.swapaxes(0, 1)
        case 6:
            pixels = np.rot90(pixels, -1)
        case 7:
            pixels = np.rot90(pixels, 2).swapaxes(0, 1)
        case 8:
            pixels = np.rot90(pixels)
        case _:
            pass
    return np.ascontiguousarray(pixels)
