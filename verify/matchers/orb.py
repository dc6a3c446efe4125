"""ORB (Rublee et al. 2011): binary keypoints, the cheapest matcher and the first to be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from verify.matchers.base import (
    F32,
    U8,
    Keypoints,
    Matches,
    matches_of,
    mutual_nearest,
    stretched_contrast,
    to_grey,
    working_image,
)

_FEATURES = 1200
_SCALE_FACTOR = 1.2
_LEVELS = 9
_RATIO = 0.85
# A smooth or dull image gives too few corners: it is asked again, stretched, at a lower threshold.
_FAST_THRESHOLDS = (12, 4)
_ENOUGH = 300


class OrbMatcher:
    """ORB keypoints, mutual nearest neighbours in Hamming distance, ratio test."""

    name = "orb"
    version = f"orb-1/opencv-{cv2.__version__}"
    licence = "Apache-2.0"
    is_rotation_invariant = True

    def __init__(self) -> None:
        parameters = (_FEATURES, _SCALE_FACTOR, _LEVELS, _RATIO, _FAST_THRESHOLDS)
        self.fingerprint = hashlib.sha256(f"{self.version}{parameters}".encode()).hexdigest()[:16]

    def detect(self, rgb: U8) -> Keypoints:
        """Up to 1200 keypoints of an image, uint8 (h, w, 3)."""
        working = working_image(to_grey(rgb))
        found: Any = ()
        descriptors: Any = None
        for grey, threshold in self._attempts(working.pixels):
            detector = cv2.ORB.create(
                nfeatures=_FEATURES,
                scaleFactor=_SCALE_FACTOR,
                nlevels=_LEVELS,
                fastThreshold=threshold,
            )
            found, descriptors = detector.detectAndCompute(grey, None)
            if len(found) >= _ENOUGH:
                break
        if descriptors is None:
            found, descriptors = (), np.empty((0, 32), np.uint8)
        return Keypoints(
            points=working.to_frame(_centred(found)),
            descriptors=np.asarray(descriptors, dtype=np.uint8),
            frame=working.frame,
            working_scale=working.scale,
            sizes=np.array([point.size for point in found], np.float32) / working.scale[0],
            angles=np.array([point.angle for point in found], np.float32),
        )

    def _attempts(self, grey: U8) -> Iterator[tuple[U8, int]]:
        yield grey, _FAST_THRESHOLDS[0]
        yield stretched_contrast(grey), _FAST_THRESHOLDS[1]

    def match(self, a: Keypoints, b: Keypoints) -> Matches:
        """Mutual nearest neighbours that pass the ratio test."""
        rows, columns, confidence = mutual_nearest(
            hamming_distances(a.descriptors, b.descriptors), _RATIO
        )
        return matches_of(a, b, rows, columns, confidence)


def _centred(found: Any) -> F32:
    """Keypoints in pixels whose centres are at whole numbers.

    OpenCV multiplies a pyramid level's coordinates by its scale, which moves points of coarse
    levels towards the origin by up to two pixels.
    """
    points = np.array([point.pt for point in found], np.float32).reshape(-1, 2)
    scales = _SCALE_FACTOR ** np.array([point.octave for point in found], np.float32)
    return np.asarray(points + 0.5 * (scales[:, None] - 1.0), dtype=np.float32)


def hamming_distances(a: U8, b: U8) -> F32:
    """Hamming distances, float32 (n, m), of packed bit strings, uint8 (n, k) and (m, k).

    One matrix product over ±1, exact in float32, is faster than OpenCV's two searches for the two
    nearest from either side.
    """
    signs_a, signs_b = (
        np.unpackbits(bits, axis=1).astype(np.float32) * 2.0 - 1.0 for bits in (a, b)
    )
    return np.asarray((signs_a.shape[1] - signs_a @ signs_b.T) * 0.5, dtype=np.float32)
