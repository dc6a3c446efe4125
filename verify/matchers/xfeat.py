"""XFeat (Potje et al. 2024): a small network, as cheap as RootSIFT on a CPU.

Not invariant to rotation: it fails from about 45°, so that the quarter turns have to be tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from kornia.feature import XFeat

from verify.matchers.base import (
    F32,
    U8,
    Keypoints,
    Matches,
    is_textured,
    matches_of,
    mutual_nearest,
    working_image,
)
from verify.matchers.network import image_tensor, load_into, read_checkpoint, select_device
from verify.matchers.weights import fingerprint_of

_FEATURES = 1024
_DETECTION_THRESHOLD = 0.05
# The authors' threshold for two descriptors to be of one point.
_MIN_COSINE = 0.82
_LARGEST = 800
_STRIDE = 32


class XFeatMatcher:
    """XFeat keypoints, mutual nearest neighbours by cosine."""

    name = "xfeat"
    version = "xfeat-1"
    licence = "Apache-2.0"
    is_rotation_invariant = False

    def __init__(self, weights: Mapping[str, Path], device: str = "auto") -> None:
        self._device = select_device(device)
        self._model = XFeat(top_k=_FEATURES, detection_threshold=_DETECTION_THRESHOLD)
        path = weights["xfeat"]
        load_into(self._model.net, read_checkpoint(path), path)
        self._model.eval().to(self._device)
        parameters = (_FEATURES, _DETECTION_THRESHOLD, _MIN_COSINE, _LARGEST)
        self.fingerprint = fingerprint_of(weights, f"{self.version}{parameters}")

    def detect(self, rgb: U8) -> Keypoints:
        """Up to 1024 keypoints of an image, uint8 (h, w, 3)."""
        # Sides of whole strides, or the network would resize again and shift the points.
        working = working_image(rgb, largest=_LARGEST, multiple=_STRIDE)
        with torch.inference_mode():
            found = self._model.detectAndCompute(image_tensor(working.pixels, self._device))[0]
        points = found["keypoints"].float().cpu().numpy()
        keep = is_textured(working.pixels, points)
        return Keypoints(
            points=working.to_frame(points[keep]),
            descriptors=found["descriptors"].float().cpu().numpy()[keep],
            frame=working.frame,
            working_scale=working.scale,
        )

    def match(self, a: Keypoints, b: Keypoints) -> Matches:
        """Mutual nearest neighbours whose cosine is at least 0.82."""
        cosines: F32 = a.descriptors @ b.descriptors.T
        rows, columns, _confidence = mutual_nearest(1.0 - cosines, ratio=float("inf"))
        nearest = cosines[rows, columns]
        is_alike = nearest > _MIN_COSINE
        return matches_of(
            a, b, rows[is_alike], columns[is_alike], np.asarray(nearest[is_alike], np.float32)
        )
