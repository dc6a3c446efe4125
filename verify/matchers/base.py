"""What a matcher is: keypoints of one image, then correspondences between two.

Points are pixels (x, y) of the image that was given, the centre of the first pixel at (0, 0),
whatever size the matcher worked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.geometry import Size, size_of

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Descriptors = NDArray[Any]

# Below 480 px detectors find too few corners for a firm homography; above 1024 they find the same
# ones at several times the cost.
SMALLEST_LONG_SIDE = 480
LARGEST_LONG_SIDE = 1024

_MIN_GAIN, _MAX_GAIN = 1.25, 8.0
_TEXTURE_WINDOW = 9
_MIN_CONTRAST = 4


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """What a matcher keeps of one image.

    Attributes:
        points: float32 (n, 2), pixels of the image given.
        descriptors: (n, d); uint8 bit strings of ORB, float32 of the others.
        frame: size of the image given.
        working_scale: working pixels for one pixel of the image given, (x, y).
        sizes: float32 (n,), diameter of the neighbourhood described, pixels of the image given.
        angles: float32 (n,), degrees.
        image: uint8 (h, w) grey at working size, kept by detector-free matchers only.
    """

    points: F32
    descriptors: Descriptors
    frame: Size
    working_scale: tuple[float, float] = (1.0, 1.0)
    sizes: F32 | None = None
    angles: F32 | None = None
    image: U8 | None = None

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Correspondences between the images a and b.

    Attributes:
        points_a: float32 (m, 2), pixels of a.
        points_b: float32 (m, 2), pixels of b.
        confidence: float32 (m,), 0..1, comparable within one matcher only.
        frame_a: size of a.
        frame_b: size of b.
    """

    points_a: F32
    points_b: F32
    confidence: F32
    frame_a: Size
    frame_b: Size

    def __len__(self) -> int:
        return len(self.points_a)


class Matcher(Protocol):
    """Finds the same points in two images."""

    @property
    def name(self) -> str:
        """The name `--matcher` takes."""

    @property
    def version(self) -> str:
        """Changes whenever the same images would give other matches."""

    @property
    def fingerprint(self) -> str:
        """Hex digest of the weights and parameters."""

    @property
    def licence(self) -> str:
        """SPDX identifier of the method's code and weights."""

    @property
    def is_rotation_invariant(self) -> bool:
        """False when the caller has to try the quarter turns."""

    def detect(self, rgb: U8) -> Keypoints:
        """Keypoints of an RGB image, uint8 (h, w, 3)."""

    def match(self, a: Keypoints, b: Keypoints) -> Matches:
        """Correspondences between two images that this matcher has detected."""


@runtime_checkable
class BatchMatcher(Matcher, Protocol):
    """A matcher whose network takes many pairs at once."""

    def match_batch(self, pairs: Sequence[tuple[Keypoints, Keypoints]]) -> list[Matches]:
        """`match` of each pair."""


@runtime_checkable
class MirrorsCheaply(Protocol):
    """A matcher that describes the keypoints of a mirrored image without looking for them again."""

    def detect_with_mirrored(self, rgb: U8) -> tuple[Keypoints, Keypoints]:
        """Keypoints of an RGB image, uint8 (h, w, 3), and of `image[:, ::-1]`."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkingImage:
    """An image at the size a matcher works at.

    Attributes:
        pixels: uint8 (h, w, 3) or (h, w).
        frame: size of the image given.
        scale: working pixels for one pixel of the image given, (x, y).
    """

    pixels: U8
    frame: Size
    scale: tuple[float, float]

    def to_frame(self, points: NDArray[Any]) -> F32:
        """Working pixels (n, 2) as pixels of the image given, float32 (n, 2)."""
        return working_to_frame(points, self.scale)


def working_image(
    image: U8,
    smallest: int = SMALLEST_LONG_SIDE,
    largest: int = LARGEST_LONG_SIDE,
    multiple: int = 1,
) -> WorkingImage:
    """Brings the longer side of an image, uint8 (h, w[, 3]), into smallest..largest.

    Both sides become whole multiples of `multiple`, as networks with strides want them.
    """
    frame = size_of(image)
    longer = max(frame.width, frame.height)
    factor = smallest / longer if longer < smallest else min(1.0, largest / longer)
    width, height = (
        max(1, round(side * factor / multiple)) * multiple for side in (frame.width, frame.height)
    )
    if (width, height) == (frame.width, frame.height):
        return WorkingImage(np.ascontiguousarray(image), frame, (1.0, 1.0))
    interpolation = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    pixels = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=interpolation)
    return WorkingImage(
        np.asarray(pixels, dtype=np.uint8), frame, (width / frame.width, height / frame.height)
    )


def working_to_frame(points: NDArray[Any], scale: tuple[float, float]) -> F32:
    """Working pixels (n, 2) as pixels of the image given; edges of the two grids coincide."""
    grid = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return np.asarray((grid + 0.5) / np.asarray(scale) - 0.5, dtype=np.float32)


def frame_to_working(points: NDArray[Any], scale: tuple[float, float]) -> F32:
    """The inverse of `working_to_frame`."""
    grid = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return np.asarray((grid + 0.5) * np.asarray(scale) - 0.5, dtype=np.float32)


def to_grey(rgb: U8) -> U8:
    """Luma, uint8 (h, w), of an image uint8 (h, w, 3) or (h, w)."""
    if rgb.ndim == 2:
        return np.ascontiguousarray(rgb)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def stretched_contrast(grey: U8) -> U8:
    """A dull image, uint8 (h, w), with its grey levels spread out, at most eightfold.

    Corner detectors have absolute thresholds; a faded scan would pass none of them.
    """
    low, high = np.percentile(grey, (1.0, 99.0))
    gain = min(_MAX_GAIN, 255.0 / max(1.0, float(high - low)))
    if gain < _MIN_GAIN:
        return grey
    stretched = (grey.astype(np.float32) - float(low)) * gain
    return np.asarray(np.clip(stretched, 0, 255), dtype=np.uint8)


def is_textured(pixels: U8, points: NDArray[Any]) -> NDArray[np.bool_]:
    """Which points (n, 2) lie where the image, uint8 (h, w, 3), is not flat, bool (n,).

    Networks find "keypoints" in blank frames, at the borders, and match them with confidence.
    """
    grey = to_grey(pixels)
    window = np.ones((_TEXTURE_WINDOW, _TEXTURE_WINDOW), np.uint8)
    contrast = cv2.subtract(cv2.dilate(grey, window), cv2.erode(grey, window))
    columns, rows = np.round(np.asarray(points)).astype(np.intp).reshape(-1, 2).T
    size = size_of(grey)
    inside = contrast[rows.clip(0, size.height - 1), columns.clip(0, size.width - 1)]
    return np.asarray(inside >= _MIN_CONTRAST, dtype=np.bool_)


def mutual_nearest(distances: F32, ratio: float) -> tuple[NDArray[np.intp], NDArray[np.intp], F32]:
    """Pairs that are each other's nearest and clearly nearer than the next best.

    Args:
        distances: float32 (n, m), overwritten.
        ratio: a pair stays when nearest < ratio × second nearest, from both sides (Lowe 2004).

    Returns:
        Rows and columns of the pairs, and 1 - nearest / second nearest as confidence.
    """
    if min(distances.shape) < 2:
        empty = np.empty(0, np.intp)
        return empty, empty, np.empty(0, np.float32)
    nearest_b = distances.argmin(axis=1)
    nearest_a = distances.argmin(axis=0)
    rows = np.flatnonzero(nearest_a[nearest_b] == np.arange(len(nearest_b)))
    columns = nearest_b[rows]
    nearest = distances[rows, columns]
    # The pairs' own cells are taken out, so that a row's or column's minimum is the second best.
    distances[rows, columns] = np.inf
    second = np.minimum(distances[rows].min(axis=1), distances.min(axis=0)[columns])
    is_clear = nearest < ratio * second
    confidence = 1.0 - nearest / np.maximum(second, 1e-6)
    return rows[is_clear], columns[is_clear], np.asarray(confidence[is_clear], dtype=np.float32)


def matches_of(
    a: Keypoints, b: Keypoints, rows: NDArray[np.intp], columns: NDArray[np.intp], confidence: F32
) -> Matches:
    """The matches that pair point `rows[i]` of a with point `columns[i]` of b."""
    return Matches(
        points_a=a.points[rows],
        points_b=b.points[columns],
        confidence=confidence,
        frame_a=a.frame,
        frame_b=b.frame,
    )
