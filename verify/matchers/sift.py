"""RootSIFT: SIFT (Lowe 2004) compared by the Hellinger kernel (Arandjelović & Zisserman 2012)."""

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

_FEATURES = 1500
_RATIO = 0.85
_CONTRAST_THRESHOLDS = (0.03, 0.008)
_ENOUGH = 250


class SiftMatcher:
    """RootSIFT keypoints, mutual nearest neighbours in L2, ratio test."""

    name = "sift"
    version = f"rootsift-1/opencv-{cv2.__version__}"
    # OpenCV's implementation; the method's patent (US 6,711,293) expired in 2020.
    licence = "Apache-2.0"
    is_rotation_invariant = True

    def __init__(self) -> None:
        parameters = (_FEATURES, _RATIO, _CONTRAST_THRESHOLDS)
        self.fingerprint = hashlib.sha256(f"{self.version}{parameters}".encode()).hexdigest()[:16]

    def detect(self, rgb: U8) -> Keypoints:
        """Up to 1500 keypoints of an image, uint8 (h, w, 3)."""
        working = working_image(to_grey(rgb))
        found: Any = ()
        descriptors: Any = None
        for grey, threshold in self._attempts(working.pixels):
            # Without the precise upscale OpenCV places every point a quarter of a pixel off.
            detector = cv2.SIFT.create(
                nfeatures=_FEATURES, contrastThreshold=threshold, enable_precise_upscale=True
            )
            found, descriptors = detector.detectAndCompute(grey, None)
            if len(found) >= _ENOUGH:
                break
        if descriptors is None:
            found, descriptors = (), np.empty((0, 128), np.float32)
        return Keypoints(
            points=working.to_frame(np.array([point.pt for point in found])),
            descriptors=root_sift(np.asarray(descriptors, dtype=np.float32)),
            frame=working.frame,
            working_scale=working.scale,
            sizes=np.array([point.size for point in found], np.float32) / working.scale[0],
            angles=np.array([point.angle for point in found], np.float32),
        )

    def _attempts(self, grey: U8) -> Iterator[tuple[U8, float]]:
        yield grey, _CONTRAST_THRESHOLDS[0]
        yield stretched_contrast(grey), _CONTRAST_THRESHOLDS[1]

    def match(self, a: Keypoints, b: Keypoints) -> Matches:
        """Mutual nearest neighbours that pass the ratio test."""
        # RootSIFT rows have length 1, so that one matrix product gives all the distances.
        squared = 2.0 - 2.0 * (a.descriptors @ b.descriptors.T)
        distances = np.sqrt(np.maximum(squared, 0.0, out=squared), out=squared)
        rows, columns, confidence = mutual_nearest(distances, _RATIO)
        return matches_of(a, b, rows, columns, confidence)


def root_sift(descriptors: F32) -> F32:
    """SIFT histograms, float32 (n, 128), L1-normalised, then square-rooted: rows of length 1."""
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-12)
    return np.asarray(np.sqrt(descriptors / total), dtype=np.float32)
