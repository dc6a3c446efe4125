"""LoFTR (Sun et al. 2021): no keypoints, a transformer over both images at once. A GPU's work."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from kornia.feature import LoFTR

from verify.matchers.base import (
    F32,
    U8,
    Keypoints,
    Matches,
    to_grey,
    working_image,
    working_to_frame,
)
from verify.matchers.network import image_tensor, load_into, read_checkpoint, select_device
from verify.matchers.weights import fingerprint_of

_SMALLEST, _LARGEST = 320, 640
_STRIDE = 8


class LoftrMatcher:
    """Matches of LoFTR's outdoor model."""

    name = "loftr"
    version = "loftr-1"
    licence = "Apache-2.0"
    is_rotation_invariant = False

    def __init__(self, weights: Mapping[str, Path], device: str = "auto") -> None:
        self._device = select_device(device)
        self._network = LoFTR(None)
        path = weights["loftr"]
        load_into(self._network, read_checkpoint(path, "state_dict"), path)
        self._network.to(self._device)
        self.fingerprint = fingerprint_of(weights, f"{self.version}{(_SMALLEST, _LARGEST)}")

    def detect(self, rgb: U8) -> Keypoints:
        """The grey image at working size, without points: the network needs both images."""
        working = working_image(
            to_grey(rgb), smallest=_SMALLEST, largest=_LARGEST, multiple=_STRIDE
        )
        return Keypoints(
            points=np.empty((0, 2), np.float32),
            descriptors=np.empty((0, 0), np.float32),
            frame=working.frame,
            working_scale=working.scale,
            image=working.pixels,
        )

    def match(self, a: Keypoints, b: Keypoints) -> Matches:
        """What the network matches, with its coarse score as confidence."""
        if a.image is None or b.image is None:
            raise ValueError("LoFTR matches what its own detect() returned")
        with torch.inference_mode():
            found = self._network(
                {
                    "image0": image_tensor(a.image, self._device),
                    "image1": image_tensor(b.image, self._device),
                }
            )
        return Matches(
            points_a=_to_frame(found["keypoints0"], a),
            points_b=_to_frame(found["keypoints1"], b),
            confidence=found["confidence"].float().cpu().numpy(),
            frame_a=a.frame,
            frame_b=b.frame,
        )


def _to_frame(points: torch.Tensor, keypoints: Keypoints) -> F32:
    # The published models put the centre of the first pixel at (0.5, 0.5).
    return working_to_frame(points.float().cpu().numpy() - 0.5, keypoints.working_scale)
