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
# Longer over shorter side of places that are round, and the share of a line's rectangle that they
# fill where they stand apart. Five spots painted over: at most 1.16, and 0.21 to 0.45; of 58 lines
# of letters that cover the picture only a date has less than 1.2, and that fills 0.44.
_ROUND, _APART = 1.2, 0.42


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


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The connected parts of what `line_of` gives.

    Attributes:
        labels: int32 (h, w), 0 where there is none, the number of a line.
        extents: float64, longer side of each for that of the frame; 0 for none.
    """

    labels: NDArray[np.int32]
    extents: NDArray[np.float64]

    @classmethod
    def of(cls, line: Mask) -> Lines:
        """Those of a mask, bool (h, w)."""
        _, labels, boxes, _centres = cv2.connectedComponentsWithStats(line.astype(np.uint8))
        height, width = line.shape
        boxes = np.asarray(boxes)
        extents = np.maximum(boxes[:, 2] / width, boxes[:, 3] / height)
        extents[0] = 0.0
        return cls(np.asarray(labels, dtype=np.int32), extents)

    def beside(self, changed: Mask) -> float:
        """Share of the changed pixels that are in no line of some length."""
        pixels = np.bincount(self.labels[changed], minlength=len(self.extents))
        total = max(1, int(pixels.sum()))
        return 1.0 - float(pixels[self.extents >= _SOME_LENGTH].sum()) / total

    def are_strewn(self, places: Places) -> bool:
        """True when the largest line is of round places that stand apart.

        Words are longer than high, and single letters stand close to each other.
        """
        if len(self.extents) < 2:
            return False
        largest = self.labels == int(self.extents.argmax())
        filled = places.region & largest
        longer, shorter = _sides(largest)
        if float(filled.sum()) > _APART * longer * shorter:
            return False
        numbers = np.unique(places.labels[filled])
        sides = np.array([_sides(places.labels == n) for n in numbers if n > 0])
        return bool(np.median(sides[:, 0] / sides[:, 1]) < _ROUND)


def _sides(pixels: Mask) -> tuple[float, float]:
    """Longer and shorter side of the rectangle around some pixels, which may be turned."""
    points = np.argwhere(pixels)[:, ::-1].astype(np.float32)
    _, (one, other), _ = cv2.minAreaRect(points)
    return max(one, other) + 1.0, min(one, other) + 1.0
