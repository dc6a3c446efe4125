"""What the matchers that run a network share: device, weights into a module, pixels to tensors."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from storage.errors import ModelError
from verify.matchers.base import U8


def select_device(device: str) -> torch.device:
    """`auto` is CUDA where there is a GPU, the CPU otherwise.

    Raises:
        ModelError: the device is unknown or not on this machine.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"There is no device {device!r}.", "Use auto, cpu or cuda.") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ModelError("The device 'cuda' was asked for, and no GPU is usable.", "Use cpu.")
    return chosen


def read_checkpoint(path: Path, key: str = "") -> dict[str, Any]:
    """A state dict from a file; no code in the file is run.

    Args:
        path: file that torch.save wrote.
        key: where in the checkpoint the state dict is; a bare state dict is taken too.

    Raises:
        ModelError: unreadable, damaged or something else than a state dict.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"The weights {path} cannot be read: the file is damaged or no torch checkpoint.",
            "Fetch the file again.",
        ) from error
    if isinstance(checkpoint, Mapping) and key in checkpoint:
        checkpoint = checkpoint[key]
    if not isinstance(checkpoint, Mapping) or not checkpoint:
        raise ModelError(f"The weights {path} hold no state dict.", "Fetch the file again.")
    return dict(checkpoint)


def load_into(module: nn.Module, state: dict[str, Any], path: Path) -> None:
    """Loads learned weights, all of them, and sets the module to inference.

    Constants that the network derives itself may be absent from old checkpoints.

    Raises:
        ModelError: made for another network.
    """
    learned = {name for name, _parameter in module.named_parameters()} | {
        name
        for name, _buffer in module.named_buffers()
        if name.endswith(("running_mean", "running_var"))
    }
    try:
        missing = learned.intersection(module.load_state_dict(state, strict=False).missing_keys)
    except RuntimeError as error:
        raise _mismatch(module, path) from error
    if missing:
        raise _mismatch(module, path)
    module.eval().requires_grad_(False)


def image_tensor(pixels: U8, device: torch.device) -> torch.Tensor:
    """Pixels, uint8 (h, w) or (h, w, 3), as float32 (1, c, h, w) in 0..1."""
    planes = pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return torch.from_numpy(planes).to(device).float()[None] / 255.0


def _mismatch(module: nn.Module, path: Path) -> ModelError:
    return ModelError(
        f"The weights {path} do not fit the network {type(module).__name__}.",
        "Give the file that was made for this matcher.",
    )
