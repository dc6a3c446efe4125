"""Photographs to make an evaluation set from: those of a folder, and a few that packages bring."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
LONGER_SIDE = 480
_FROM_SKLEARN = ("china.jpg", "flower.jpg")


@cache
def photograph(name: str, longer_side: int = LONGER_SIDE) -> U8:
    """A photograph that ships with scikit-image or scikit-learn, uint8 RGB; not to be written to.

    Args:
        name: its file name.
        longer_side: pixels; enlarged where the file has fewer.
    """
    if name in _FROM_SKLEARN:
        path = Path(str(files("sklearn.datasets") / "images" / name))
    else:
        path = Path(str(files("skimage") / "data" / name))
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert pixels is not None, path
    height, width = pixels.shape[:2]
    factor = longer_side / max(height, width)
    if factor != 1:
        size = (round(width * factor), round(height * factor))
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        pixels = cv2.resize(pixels, size, interpolation=how)
    rgb = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    rgb.flags.writeable = False
    return rgb
