"""Networks of timm, with EfficientNet-Lite0 and its packaged weights as the default."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from timm.models import get_pretrained_cfg
from torch import Tensor, nn

from indexer.embedders.hub import HubWeights
from indexer.embedders.known_models import DEFAULT_MODEL, LITE0_WEIGHTS, PUBLISHED_AS, unknown_model
from indexer.embedders.network import LOAD_ERRORS, Network, assemble, unusable
from indexer.embedders.weights import WeightsSought, find_weights
from storage.errors import ModelError

LITE0_ARCHITECTURE = "tf_efficientnet_lite0"
"""With TensorFlow's padding, which the weights were trained with: top-1 on 1,000 labelled
photographs is 0.89, and 0.81 with timm's `efficientnet_lite0`, whose padding is another."""

GEM_POWER = 3.0
_GEM_FLOOR = 1e-6
_FILENAMES = ("model.safetensors", "pytorch_model.bin")


class PooledMap(nn.Module):
    """The last feature map of a convolutional network, pooled by the generalised mean.

    Radenović, Tolias, Chum: Fine-tuning CNN image retrieval with no human annotation, 2018; p = 3.
    """

    backbone: Any

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, pictures: Tensor) -> Tensor:
        # In float32 whatever the network's precision: cubes of activations leave float16's range.
        features = self.backbone.forward_features(pictures).to(torch.float32)
        powers = features.clamp(min=_GEM_FLOOR).pow(GEM_POWER)
        vectors: Tensor = powers.mean(dim=(2, 3)).pow(1.0 / GEM_POWER)
        return vectors


class PreLogits(nn.Module):
    """What the classifier of a transformer would see."""

    backbone: Any

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.backbone.forward_features(pictures)
        vectors: Tensor = self.backbone.forward_head(features, pre_logits=True)
        return vectors


def load_network(name: str, path: Path | None = None) -> Network:
    """Loads a network of timm, or the default.

    Args:
        name: a name of timm's, with or without the tag of its weights, or `DEFAULT_MODEL`.
        path: a checkpoint; None to look in packages and the hub.

    Raises:
        ModelError: an unknown name, or weights that are absent, damaged or another network's.
    """
    backbone = load_backbone(name, path)
    config = backbone.pretrained_cfg
    _, height, width = config["input_size"]
    if height != width:
        raise ModelError(
            f"The network {name!r} takes {width}×{height} pictures; only squares are supported.",
            "Choose another; `dedup models` lists some.",
        )
    pooling, features = _pooled(backbone, height)
    return assemble(
        features=features,
        mean=config["mean"],
        std=config["std"],
        name=name,
        architecture=_architecture(name, path),
        pooling=pooling,
        input_size=height,
        licence=_licence(config, path),
    )


def load_backbone(name: str, path: Path | None = None) -> Any:
    """The whole network, a module of timm's, with its classifier, in evaluation mode.

    Raises:
        ModelError: as `load_network`.
    """
    architecture = _architecture(name, path)
    found = find_weights(sought_weights(name, path))
    try:
        if name == DEFAULT_MODEL:
            backbone = timm.create_model(architecture, pretrained=False)
            backbone.load_state_dict(in_order(_read(found), backbone.state_dict()))
        else:
            backbone = timm.create_model(
                architecture,
                pretrained=True,
                # Custom loaders are for the upstream .npz files; what the hub has is converted.
                pretrained_cfg_overlay={"file": str(found), "custom_load": found.suffix == ".npz"},
            )
    except LOAD_ERRORS as error:
        raise unusable(name, found, error) from error
    return backbone.eval()


def sought_weights(name: str, path: Path | None = None) -> WeightsSought:
    """Where the weights of that name may be.

    Raises:
        ModelError: timm has no network of that name.
    """
    if name == DEFAULT_MODEL:
        return WeightsSought(
            name,
            path,
            LITE0_WEIGHTS,
            hub_note=f"the same network trained elsewhere is --model {LITE0_ARCHITECTURE}",
        )
    config = get_pretrained_cfg(_architecture(name, path))
    if config is not None and config.hf_hub_id:
        return WeightsSought(name, path, hub=HubWeights(config.hf_hub_id, _FILENAMES))
    return WeightsSought(name, path, hub_note=_no_weights_note(name))


def in_order(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames tensors to the target's names: the first to the first, and so on.

    Every pair must agree in shape and in the last part of the name ("weight", "running_mean" …),
    which tells apart what shapes alone do not. Tensors that already have the target's names keep
    them.

    Raises:
        ValueError: they do not agree; the message names the first pair.
    """
    if source.keys() == target.keys():
        return dict(source)
    if len(source) != len(target):
        raise ValueError(f"it has {len(source)} tensors, the network {len(target)}.")
    renamed = {}
    for (name, tensor), (wanted, like) in zip(source.items(), target.items(), strict=True):
        if tensor.shape != like.shape or name.rpartition(".")[2] != wanted.rpartition(".")[2]:
            raise ValueError(
                f"{name} {tuple(tensor.shape)} is in the place of {wanted} {tuple(like.shape)}."
            )
        renamed[wanted] = tensor
    return renamed


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    content = torch.load(path, map_location="cpu", weights_only=True)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError("it holds no dictionary of tensors.")
    return dict(state)


def _architecture(name: str, path: Path | None) -> str:
    if name == DEFAULT_MODEL:
        return LITE0_ARCHITECTURE
    # A checkpoint of the user's own is of the network that was named, to the padding.
    architecture = PUBLISHED_AS.get(name, name) if path is None else name
    known = timm.is_model(architecture)
    if known and "." in architecture:
        known = architecture in timm.list_pretrained(architecture)
    if not known:
        base, _, tag = name.partition(".")
        tagged = timm.list_pretrained(f"{base}.*") if tag and timm.is_model(base) else []
        raise unknown_model(name, tagged or [*timm.list_models(), DEFAULT_MODEL])
    return architecture


def _no_weights_note(name: str) -> str:
    base = name.partition(".")[0].removeprefix("tf_")
    published = [*timm.list_pretrained(f"tf_{base}.*"), *timm.list_pretrained(f"{base}.*")]
    near = published or difflib.get_close_matches(name, timm.list_models(pretrained=True), n=4)
    others = f"; it has {', '.join(near[:4])}" if near else ""
    return f"it has no weights under this name{others}"


def _pooled(backbone: Any, size: int) -> tuple[str, nn.Module]:
    """GeM for feature maps in channels-first order, the pre-logits for everything else."""
    with torch.inference_mode():
        features = backbone.eval().forward_features(torch.zeros((1, 3, size, size)))
    is_map = (
        isinstance(features, Tensor)
        and features.ndim == 4
        and getattr(backbone, "num_prefix_tokens", 0) == 0
        and str(getattr(backbone, "output_fmt", "NCHW")) == "NCHW"
        and features.shape[1] == backbone.num_features
    )
    return ("gem3", PooledMap(backbone)) if is_map else ("prelogits", PreLogits(backbone))


def _licence(config: Mapping[str, object], path: Path | None) -> str:
    if path is not None:
        return "unknown (weights from a path)"
    return str(config.get("license") or "unknown (see the model's page on the hub)")
