"""ORB (Rublee et al. 2011): binary keypoints, the cheapest matcher and the first to be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

from verify.matchers.base import (
    F32,
    U8,
    Keypoints,
    Matches,
    WorkingImage,
    matches_of,
    stretched_contrast,
    to_grey,
    working_image,
)

Indices = NDArray[np.intp]

# Fewer points, 700 say, find as many copies and place some of them ten pixels off.
_FEATURES = 1000
_LONGEST_SIDE = 480
_SCALE_FACTOR = 1.2
_LEVELS = 9
_RATIO = 0.85
# A smooth or dull image gives too few corners: it is asked again, stretched, at a lower threshold.
_FAST_THRESHOLDS = (12, 4)
_ENOUGH = 300


class OrbMatcher:
    """ORB keypoints, mutual nearest neighbours in Hamming distance, ratio test."""

    name = "orb"
    version = f"orb-4/opencv-{cv2.__version__}"
    licence = "Apache-2.0"
    is_rotation_invariant = True

    def __init__(self) -> None:
        parameters = (_FEATURES, _LONGEST_SIDE, _SCALE_FACTOR, _LEVELS, _RATIO, _FAST_THRESHOLDS)
        self.fingerprint = hashlib.sha256(f"{self.version}{parameters}".encode()).hexdigest()[:16]

    def detect(self, rgb: U8) -> Keypoints:
        """Up to 1000 keypoints of an image, uint8 (h, w, 3)."""
        working = working_image(to_grey(rgb), largest=_LONGEST_SIDE)
        _grey, found, descriptors = self._found(working)
        return _keypoints(working, found, descriptors)

    def detect_with_mirrored(self, rgb: U8) -> tuple[Keypoints, Keypoints]:
        """Up to 1000 keypoints of an image, uint8 (h, w, 3), and the same ones of its mirror image.

        Describing them again takes a third of the time of finding them again.
        """
        working = working_image(to_grey(rgb), largest=_LONGEST_SIDE)
        grey, found, descriptors = self._found(working)
        width = grey.shape[1]
        # A pixel of a coarse level is as wide as its scale: what began at its left now ends there.
        mirrored = [
            cv2.KeyPoint(
                width - point.pt[0] - _SCALE_FACTOR**point.octave,
                point.pt[1],
                point.size,
                (180.0 - point.angle) % 360.0,
                point.response,
                point.octave,
            )
            for point in found
        ]
        flipped = np.ascontiguousarray(grey[:, ::-1])
        kept, others = _detector(_FAST_THRESHOLDS[0]).compute(flipped, mirrored)
        return (
            _keypoints(working, found, descriptors),
            _keypoints(working, kept, _array_of(others)),
        )

    def _found(self, working: WorkingImage) -> tuple[U8, Any, U8]:
        """The image they were found in, the keypoints and their descriptors."""
        grey = working.pixels
        found: Any = ()
        descriptors: Any = None
        for grey, threshold in self._attempts(working.pixels):
            found, descriptors = _detector(threshold).detectAndCompute(grey, None)
            if len(found) >= _ENOUGH:
                break
        if descriptors is None:
            found = ()
        return grey, found, _array_of(descriptors)

    def _attempts(self, grey: U8) -> Iterator[tuple[U8, int]]:
        yield grey, _FAST_THRESHOLDS[0]
        yield stretched_contrast(grey), _FAST_THRESHOLDS[1]

    def match(self, a: Keypoints, b: Keypoints) -> Matches:
        """Mutual nearest neighbours that pass the ratio test."""
        rows, columns, confidence = mutual_nearest_bits(a.descriptors, b.descriptors, _RATIO)
        return matches_of(a, b, rows, columns, confidence)


def _detector(threshold: int) -> cv2.ORB:
    return cv2.ORB.create(
        nfeatures=_FEATURES,
        scaleFactor=_SCALE_FACTOR,
        nlevels=_LEVELS,
        fastThreshold=threshold,
    )


def _array_of(descriptors: Any) -> U8:
    if descriptors is None:
        return np.empty((0, 32), np.uint8)
    return np.asarray(descriptors, dtype=np.uint8)


def _keypoints(working: WorkingImage, found: Any, descriptors: U8) -> Keypoints:
    return Keypoints(
        points=working.to_frame(_centred(found)),
        descriptors=descriptors,
        frame=working.frame,
        working_scale=working.scale,
        sizes=np.array([point.size for point in found], np.float32) / working.scale[0],
        angles=np.array([point.angle for point in found], np.float32),
    )


def _centred(found: Any) -> F32:
    """Keypoints in pixels whose centres are at whole numbers.

    OpenCV multiplies a pyramid level's coordinates by its scale, which moves points of coarse
    levels towards the origin by up to two pixels.
    """
    points = np.array([point.pt for point in found], np.float32).reshape(-1, 2)
    scales = _SCALE_FACTOR ** np.array([point.octave for point in found], np.float32)
    return np.asarray(points + 0.5 * (scales[:, None] - 1.0), dtype=np.float32)


def mutual_nearest_bits(a: U8, b: U8, ratio: float) -> tuple[Indices, Indices, F32]:
    """`mutual_nearest` for packed bit strings, uint8 (n, k) and (m, k).

    FAISS's exact Hamming search of the two nearest takes a third of the time of OpenCV's matcher
    and of a matrix product over ±1.
    """
    if min(len(a), len(b)) < 2:
        empty = np.empty(0, np.intp)
        return empty, empty, np.empty(0, np.float32)
    near_b, second_b, to_b = _two_nearest(a, b)
    # What is not clear from this side is not clear from both: few are left to be asked back.
    rows = np.flatnonzero(near_b < ratio * second_b)
    if not len(rows):
        return rows, rows, np.empty(0, np.float32)
    _near_a, second_a, to_a = _two_nearest(b[to_b[rows]], a)
    second = np.minimum(second_b[rows], second_a)
    nearest = near_b[rows]
    is_match = (to_a == rows) & (nearest < ratio * second)
    confidence = 1.0 - nearest / np.maximum(second, 1e-6)
    return (
        rows[is_match],
        to_b[rows[is_match]],
        np.asarray(confidence[is_match], dtype=np.float32),
    )


def _two_nearest(queries: U8, base: U8) -> tuple[F32, F32, Indices]:
    index = faiss.IndexBinaryFlat(8 * base.shape[1])
    index.add(np.ascontiguousarray(base))
    distances, ids = index.search(np.ascontiguousarray(queries), 2)
    nearest, second = distances.T.astype(np.float32)
    return nearest, second, np.asarray(ids[:, 0], dtype=np.intp)
