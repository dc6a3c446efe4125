"""Changed pixels joined to places, and places to lines."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.warp import Mask

# Pixels across, within which changed pixels are of one place.
JOIN = 9
_MIN_PIXELS = 6
# Between letters of a line, as a share of the frame's longer side.
_GAP = 0.08
# Longer side of a line of some length, for that of the frame.
_SOME_LENGTH = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Changed pixels close to each other, joined; specks are none.

    Attributes:
        count: of places.
        labels: int32 (h, w), 0 where there is none, the number of a place or of a speck.
        region: bool (h, w), the places with a margin.
        box: left, top, right and bottom of all of them.
    """

    count: int
    labels: NDArray[np.int32]
    region: Mask
    box: tuple[int, int, int, int]


def find_places(unexplained: Mask) -> Places:
    """The places of changed pixels, bool (h, w)."""
    joined = cv2.dilate(unexplained.astype(np.uint8), np.ones((JOIN, JOIN), np.uint8))
    count, labels, boxes, _centres = cv2.connectedComponentsWithStats(joined)
    numbers = np.asarray(labels, dtype=np.int32)
    pixels = np.bincount(numbers[unexplained], minlength=count)
    real = pixels >= _MIN_PIXELS
    real[0] = False
    if not real.any():
        return Places(0, numbers, np.zeros(unexplained.shape, dtype=bool), (0, 0, 0, 0))
    chosen = np.asarray(boxes)[real]
    return Places(
        int(real.sum()),
        numbers,
        real[numbers],
        (
            int(chosen[:, 0].min()),
            int(chosen[:, 1].min()),
            int((chosen[:, 0] + chosen[:, 2]).max()),
            int((chosen[:, 1] + chosen[:, 3]).max()),
        ),
    )


def line_of(region: Mask) -> Mask:
    """The places and what is between them, bool (h, w).

    A letter in the colour of the picture behind it is no place of its own: it stands between two
    that are, and is a part of the same line.
    """
    side = round(_GAP * max(region.shape)) | 1
    closed = cv2.morphologyEx(
        region.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)
    )
    return np.asarray(closed > 0) | region


def lines_of(line: Mask, changed: Mask) -> tuple[float, float]:
    """Longer side of the largest line for that of the frame, and what is in none of some length."""
    count, labels, boxes, _centres = cv2.connectedComponentsWithStats(line.astype(np.uint8))
    height, width = line.shape
    boxes = np.asarray(boxes)
    extents = np.maximum(boxes[:, 2] / width, boxes[:, 3] / height)
    pixels = np.bincount(np.asarray(labels)[changed], minlength=count)
    extents[0] = 0.0
    total = max(1, int(pixels.sum()))
    return float(extents.max()), 1.0 - float(pixels[extents >= _SOME_LENGTH].sum()) / total
