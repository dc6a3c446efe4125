"""DISK keypoints (Tyszkiewicz et al. 2020) matched by LightGlue (Lindenberger et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kornia.feature import DISK, LightGlue

from verify.matchers.base import (
    U8,
    Keypoints,
    Matches,
    frame_to_working,
    is_textured,
    matches_of,
    working_image,
)
from verify.matchers.network import image_tensor, load_into, read_checkpoint, select_device
from verify.matchers.weights import fingerprint_of

_FEATURES = 1024
# DISK costs a second and a half at 640 px on a CPU core, and finds enough at half of that.
_SMALLEST, _LARGEST = 320, 640
_STRIDE = 16


class DiskLightGlueMatcher:
    """DISK keypoints, LightGlue matches."""

    name = "disk-lightglue"
    version = "disk-lightglue-1"
    licence = "Apache-2.0"
    is_rotation_invariant = False

    def __init__(self, weights: Mapping[str, Path], device: str = "auto") -> None:
        self._device = select_device(device)
        self._disk = DISK()
        load_into(self._disk, read_checkpoint(weights["disk"], "extractor"), weights["disk"])
        self._disk.to(self._device)
        self._glue = _light_glue(weights["lightglue"]).to(self._device)
        parameters = (_FEATURES, _SMALLEST, _LARGEST)
        self.fingerprint = fingerprint_of(weights, f"{self.version}{parameters}")

    def detect(self, rgb: U8) -> Keypoints:
        """Up to 1024 keypoints of an image, uint8 (h, w, 3)."""
        working = working_image(rgb, smallest=_SMALLEST, largest=_LARGEST, multiple=_STRIDE)
        with torch.inference_mode():
            found = self._disk(image_tensor(working.pixels, self._device), n=_FEATURES)[0]
        points = found.keypoints.float().cpu().numpy()
        keep = is_textured(working.pixels, points)
        return Keypoints(
            points=working.to_frame(points[keep]),
            descriptors=found.descriptors.float().cpu().numpy()[keep],
            frame=working.frame,
            working_scale=working.scale,
        )

    def match(self, a: Keypoints, b: Keypoints) -> Matches:
        """The matches LightGlue believes in, with its confidence."""
        if len(a) == 0 or len(b) == 0:
            none = np.empty(0, np.intp)
            return matches_of(a, b, none, none, np.empty(0, np.float32))
        with torch.inference_mode():
            found = self._glue({"image0": self._input(a), "image1": self._input(b)})
        pairs = found["matches"][0].cpu().numpy().astype(np.intp)
        confidence = found["scores"][0].float().cpu().numpy()
        return matches_of(a, b, pairs[:, 0], pairs[:, 1], confidence)

    def _input(self, keypoints: Keypoints) -> dict[str, torch.Tensor]:
        # LightGlue reads positions in the pixels that DISK saw.
        points = frame_to_working(keypoints.points, keypoints.working_scale)
        scale_x, scale_y = keypoints.working_scale
        size = [keypoints.frame.width * scale_x, keypoints.frame.height * scale_y]
        return {
            "keypoints": torch.from_numpy(points)[None].to(self._device),
            "descriptors": torch.from_numpy(keypoints.descriptors)[None].to(self._device),
            "image_size": torch.tensor([size], device=self._device),
        }


def _light_glue(path: Path) -> Any:
    """LightGlue for DISK with weights from a file; kornia itself would ask the hub for them."""
    configuration = {k: v for k, v in LightGlue.features["disk"].items() if k != "weights"}
    features: Any = None  # annotated as a string in kornia, documented as optional
    network = LightGlue(features, **configuration)
    state = {_current_name(name): value for name, value in read_checkpoint(path).items()}
    load_into(network, state, path)
    return network


def _current_name(name: str) -> str:
    """The published file says `self_attn.3.…` for what is now `transformers.3.self_attn.…`."""
    block, _dot, rest = name.partition(".")
    if block not in ("self_attn", "cross_attn"):
        return name
    layer, _dot, rest = rest.partition(".")
    return f"transformers.{layer}.{block}.{rest}"
