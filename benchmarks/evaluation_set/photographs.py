"""Photographs to make an evaluation set from: those of a folder, and a few that packages bring."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

U8 = NDArray[np.uint8]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
LONGER_SIDE = 480
_FROM_SKLEARN = ("china.jpg", "flower.jpg")


def photographs_in(folder: Path) -> list[Path]:
    """The files under `folder` that can be read as still pictures, by name.

    Of files with the same bytes only the first counts: the truth of a set made from both would be
    wrong. Copies that differ in bytes are for the user to keep out.
    """
    found: dict[bytes, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and _is_still(path):
            found.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
    return list(found.values())


def _is_still(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1) == 1
    except (UnidentifiedImageError, OSError):
        return False


def load(path: Path, longer_side: int | None = None) -> U8:
    """The pixels, uint8 RGB (h, w, 3), turned as EXIF says.

    Args:
        longer_side: pixels; a larger picture is made this small.
    """
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    if longer_side is not None and max(upright.size) > longer_side:
        upright.thumbnail((longer_side, longer_side), Image.Resampling.LANCZOS)
    return np.array(upright)


def bundled(name: str) -> Path:
    """The file of a photograph that ships with scikit-image or scikit-learn."""
    if name in _FROM_SKLEARN:
        return Path(str(files("sklearn.datasets") / "images" / name))
    return Path(str(files("skimage") / "data" / name))


@cache
def photograph(name: str, longer_side: int = LONGER_SIDE) -> U8:
    """A photograph that ships with scikit-image or scikit-learn, uint8 RGB; not to be written to.

    Args:
        name: its file name.
        longer_side: pixels; enlarged where the file has fewer.
    """
    pixels = cv2.imread(str(bundled(name)), cv2.IMREAD_COLOR)
    assert pixels is not None, name
    height, width = pixels.shape[:2]
    factor = longer_side / max(height, width)
    if factor != 1:
        size = (round(width * factor), round(height * factor))
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        pixels = cv2.resize(pixels, size, interpolation=how)
    rgb = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    rgb.flags.writeable = False
    return rgb
