"""LoFTR (Sun et al. 2021): no keypoints, a transformer over both images at once. A GPU's work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    version = "loftr-2"
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
        return self.match_batch([(a, b)])[0]

    def match_batch(self, pairs: Sequence[tuple[Keypoints, Keypoints]]) -> list[Matches]:
        """`match` of each pair, all in one run of the network.

        Smaller images are padded to the largest, and the padding is masked.
        """
        images = [(_image_of(a), _image_of(b)) for a, b in pairs]
        if not images:
            return []
        first, mask_first = _padded([a for a, _ in images], self._device)
        second, mask_second = _padded([b for _, b in images], self._device)
        with torch.inference_mode():
            found = self._network(
                {"image0": first, "image1": second, "mask0": mask_first, "mask1": mask_second}
            )
        of_pair = found["batch_indexes"].cpu()
        matches = []
        for number, (a, b) in enumerate(pairs):
            own = of_pair == number
            matches.append(
                Matches(
                    points_a=_to_frame(found["keypoints0"].cpu()[own], a),
                    points_b=_to_frame(found["keypoints1"].cpu()[own], b),
                    confidence=found["confidence"].float().cpu()[own].numpy(),
                    frame_a=a.frame,
                    frame_b=b.frame,
                )
            )
        return matches


def _image_of(keypoints: Keypoints) -> U8:
    if keypoints.image is None:
        raise ValueError("LoFTR matches what its own detect() returned")
    return keypoints.image


def _padded(images: Sequence[U8], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Grey images as float32 (n, 1, h, w) in 0..1, and where they are, bool (n, h, w)."""
    height = max(image.shape[0] for image in images)
    width = max(image.shape[1] for image in images)
    batch = torch.zeros((len(images), 1, height, width), device=device)
    mask = torch.zeros((len(images), height, width), dtype=torch.bool, device=device)
    for number, image in enumerate(images):
        rows, columns = image.shape[:2]
        batch[number, :, :rows, :columns] = image_tensor(image, device)[0]
        mask[number, :rows, :columns] = True
    return batch, mask


def _to_frame(points: torch.Tensor, keypoints: Keypoints) -> F32:
    # The published models put the centre of the first pixel at (0.5, 0.5).
    return working_to_frame(points.float().cpu().numpy() - 0.5, keypoints.working_scale)
