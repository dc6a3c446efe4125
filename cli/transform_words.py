"""A homography in a photographer's words: cropped where, turned, mirrored, scaled how much."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
# A frame that lies this much (share of its side) inside the other is a crop, not rounding.
_CROP_MARGIN = 0.01


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle inside a picture, pixels: left and top included, right and bottom not."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class TransformWords:
    """What maps picture a to picture b.

    Attributes:
        scale: length in b over length in a.
        degrees: how far a is turned clockwise to lie on b, -180..180, after mirroring.
        is_mirrored: whether a is mirrored (left-right) first.
        box_of_b: the part of b that a shows, when a shows only a part; else None.
        box_of_a: the part of a that b shows, when b shows only a part; else None.
    """

    scale: float
    degrees: float
    is_mirrored: bool
    box_of_b: Box | None
    box_of_a: Box | None

    def __str__(self) -> str:
        parts = []
        if self.box_of_b:
            parts.append(f"shows {_box_text(self.box_of_b)} of it")
        if self.box_of_a:
            parts.append(f"of which it shows {_box_text(self.box_of_a)}")
        if self.is_mirrored:
            parts.append("mirrored")
        if abs(self.degrees) >= 0.5:
            parts.append(f"turned {abs(self.degrees):.0f}°{'' if self.degrees > 0 else ' left'}")
        if not 0.98 <= self.scale <= 1.02:
            parts.append(f"{1 / self.scale:.2f} × its size")
        return ", ".join(parts) or "same frame and size"


def describe_transform(
    homography: F64, size_a: tuple[int, int], size_b: tuple[int, int]
) -> TransformWords:
    """Words for a map between two pictures.

    Args:
        homography: float64 (3, 3), pixels of a to pixels of b.
        size_a, size_b: width and height of the pictures, pixels.
    """
    width, height = size_a
    centre = np.array([width / 2, height / 2])
    # The derivative at the centre: a homography that is no similarity has no single scale or angle.
    step = max(1.0, min(width, height) / 100)
    middle, right, down = _project(homography, centre + np.array([[0, 0], [step, 0], [0, step]]))
    x_axis, y_axis = (right - middle) / step, (down - middle) / step
    determinant = float(x_axis[0] * y_axis[1] - x_axis[1] * y_axis[0])
    is_mirrored = determinant < 0
    if is_mirrored:
        x_axis = -x_axis
    return TransformWords(
        scale=math.sqrt(abs(determinant)),
        degrees=math.degrees(math.atan2(float(x_axis[1]), float(x_axis[0]))),
        is_mirrored=is_mirrored,
        box_of_b=_seen_part(homography, size_a, size_b),
        box_of_a=_seen_part(np.asarray(np.linalg.inv(homography), np.float64), size_b, size_a),
    )


def _project(homography: F64, points: F64) -> F64:
    mapped = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def _seen_part(homography: F64, size_from: tuple[int, int], size_to: tuple[int, int]) -> Box | None:
    """The part of the second picture under the first one's frame; None when it is all of it."""
    width, height = size_from
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    mapped = _project(homography, corners)
    limits = np.array(size_to, dtype=np.float64)
    low = np.clip(mapped.min(axis=0), 0, limits)
    high = np.clip(mapped.max(axis=0), 0, limits)
    margin = np.maximum(limits * _CROP_MARGIN, 2.0)
    if np.all(low <= margin) and np.all(high >= limits - margin):
        return None
    return Box(round(low[0]), round(low[1]), round(high[0]), round(high[1]))


def _box_text(box: Box) -> str:
    return f"{box.right - box.left}×{box.bottom - box.top} px at ({box.left}, {box.top})"
