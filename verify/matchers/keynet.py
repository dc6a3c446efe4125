"""KeyNet keypoints (Barroso-Laguna et al. 2019), AffNet shapes and OriNet angles (Mishkin et al.
2018), HardNet descriptors (Mishchuk et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kornia.feature import (
    HardNet,
    KeyNetDetector,
    LAFAffNetShapeEstimator,
    LAFDescriptor,
    LAFOrienter,
    OriNet,
    get_laf_center,
)

from verify.matchers.base import (
    U8,
    Keypoints,
    Matches,
    matches_of,
    mutual_nearest,
    to_grey,
    working_image,
)
from verify.matchers.network import image_tensor, load_into, read_checkpoint, select_device
from verify.matchers.weights import fingerprint_of

_FEATURES = 1024
_RATIO = 0.9
_SMALLEST, _LARGEST = 320, 640


class KeyNetMatcher:
    """KeyNet + AffNet + HardNet, mutual nearest neighbours in L2, ratio test."""

    name = "keynet"
    version = "keynet-affnet-hardnet-1"
    licence = "BSD-3-Clause-Clear AND MIT"
    is_rotation_invariant = True

    def __init__(
        self, weights: Mapping[str, Path], device: str = "auto", features: int = _FEATURES
    ) -> None:
        self._device = select_device(device)
        affine, angle, hardnet = (
            LAFAffNetShapeEstimator(False, False),
            OriNet(False),
            HardNet(False),
        )
        detector = KeyNetDetector(
            False, num_features=features, ori_module=LAFOrienter(angle_detector=angle),
            aff_module=affine,
        )  # fmt: skip
        parts: dict[str, Any] = {
            "keynet": detector.model,
            "affnet": affine,
            "orinet": angle,
            "hardnet": hardnet,
        }
        for part, module in parts.items():
            load_into(module, read_checkpoint(weights[part], "state_dict"), weights[part])
        self._detector = detector.eval().to(self._device)
        self._descriptor = LAFDescriptor(hardnet, patch_size=32).eval().to(self._device)
        parameters = (features, _RATIO, _SMALLEST, _LARGEST)
        self.fingerprint = fingerprint_of(weights, f"{self.version}{parameters}")

    def detect(self, rgb: U8) -> Keypoints:
        """Keypoints of an image, uint8 (h, w, 3)."""
        working = working_image(to_grey(rgb), smallest=_SMALLEST, largest=_LARGEST)
        image = image_tensor(working.pixels, self._device)
        with torch.inference_mode():
            frames, _responses = self._detector(image)
            # Slots that the detector left empty are all zero and would match each other.
            frames = frames[:, frames[0].abs().sum(dim=(1, 2)) > 0]
            descriptors = self._descriptor(image, frames)[0] if frames.shape[1] else None
        points = get_laf_center(frames)[0].float().cpu().numpy()
        return Keypoints(
            points=working.to_frame(points),
            descriptors=(
                np.empty((0, 128), np.float32)
                if descriptors is None
                else descriptors.float().cpu().numpy()
            ),
            frame=working.frame,
            working_scale=working.scale,
        )

    def match(self, a: Keypoints, b: Keypoints) -> Matches:
        """Mutual nearest neighbours that pass the ratio test."""
        squared = 2.0 - 2.0 * (a.descriptors @ b.descriptors.T)
        distances = np.sqrt(np.maximum(squared, 0.0, out=squared), out=squared)
        rows, columns, confidence = mutual_nearest(distances, _RATIO)
        return matches_of(a, b, rows, columns, confidence)
