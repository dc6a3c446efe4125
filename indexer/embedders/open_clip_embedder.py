"""Image towers of open_clip: `clip:ARCHITECTURE/WEIGHTS`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import Tensor, nn

from indexer.embedders.hub import HubWeights
from indexer.embedders.known_models import CLIP_PREFIX, known_licence, unknown_model
from indexer.embedders.network import LOAD_ERRORS, Network, assemble, unusable
from indexer.embedders.weights import WeightsSought, find_weights
from storage.errors import ModelError

_DEFAULT_FILE = "open_clip_pytorch_model.bin"
_DEFAULT_SAFE_FILE = "open_clip_model.safetensors"


class ImageTower(nn.Module):
    """The image half of a CLIP model, with the projection into the joint space."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pictures: Tensor) -> Tensor:
        output = self.visual(pictures)
        # Some towers return the tokens beside the vector.
        vectors: Tensor = output[0] if isinstance(output, tuple) else output
        return vectors


def load_network(name: str, path: Path | None = None) -> Network:
    """Loads an image tower.

    Args:
        name: "clip:ViT-B-32/laion2b_s34b_b79k"; the part after the slash may be left out when a
            path is given, and then chooses nothing but the mean and deviation of its weights.
        path: a checkpoint of the whole CLIP model; None to look in the hub.

    Raises:
        ModelError: an unknown name, or weights that are absent, damaged or another network's.
    """
    architecture, tag = split_name(name)
    found = find_weights(sought_weights(name, path))
    published = open_clip.get_pretrained_cfg(architecture, tag) if tag else {}
    try:
        model = open_clip.create_model(
            architecture,
            pretrained=str(found),
            device="cpu",
            weights_only=True,
            # OpenAI's weights were trained with another activation than the architecture states.
            force_quick_gelu=bool(published.get("quick_gelu", False)),
        )
    except LOAD_ERRORS as error:
        raise unusable(name, found, error) from error
    mean, std = _normalisation(architecture, published)
    size = model.visual.image_size
    side = int(size[0] if isinstance(size, tuple | list) else size)
    return assemble(
        features=ImageTower(model.visual),
        mean=mean,
        std=std,
        name=name,
        architecture=architecture,
        pooling="projection",
        input_size=side,
        licence=known_licence(name) if path is None else "unknown (weights from a path)",
    )


def sought_weights(name: str, path: Path | None = None) -> WeightsSought:
    """Where the weights of that name may be.

    Raises:
        ModelError: open_clip has no such architecture or no such weights for it.
    """
    architecture, tag = split_name(name)
    if path is not None:
        return WeightsSought(name, path)
    if not tag:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise ModelError(
            f"{name!r} does not say which weights.",
            f"Add one of {', '.join(tags)} after a slash, or give the path of a checkpoint as "
            f"{CLIP_PREFIX}{architecture}=PATH."
            if tags
            else f"None are published: give the path of a checkpoint as {name}=PATH.",
        )
    published = open_clip.get_pretrained_cfg(architecture, tag)
    repository, _, filename = str(published.get("hf_hub", "")).rpartition("/")
    if not repository:
        return WeightsSought(name, hub_note="it has no such weights")
    if not filename:
        return WeightsSought(name, hub=HubWeights(repository, (_DEFAULT_SAFE_FILE, _DEFAULT_FILE)))
    safe = str(Path(filename).with_suffix(".safetensors"))
    return WeightsSought(name, hub=HubWeights(repository, tuple(dict.fromkeys((safe, filename)))))


def split_name(name: str) -> tuple[str, str]:
    """Architecture and tag of the weights ("" when not given), both known to open_clip.

    Raises:
        ModelError
    """
    rest = name.removeprefix(CLIP_PREFIX)
    architectures = open_clip.list_models()
    if rest.replace("/", "-") in architectures:
        return rest.replace("/", "-"), ""
    stem, _, tag = rest.rpartition("/")
    architecture = stem.replace("/", "-")
    if architecture not in architectures:
        names = [f"{CLIP_PREFIX}{known}" for known in architectures]
        names += [f"{CLIP_PREFIX}{known}/{kind}" for known, kind in open_clip.list_pretrained()]
        raise unknown_model(name, names)
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if not open_clip.get_pretrained_cfg(architecture, tag):
        raise unknown_model(name, [f"{CLIP_PREFIX}{architecture}/{known}" for known in tags])
    return architecture, tag


def _normalisation(
    architecture: str, published: dict[str, Any]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of those weights; of the architecture's published ones if all agree."""
    if not published:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        configurations = [open_clip.get_pretrained_cfg(architecture, tag) for tag in tags]
        if len({(tuple(each["mean"]), tuple(each["std"])) for each in configurations}) == 1:
            published = configurations[0]
    mean = published.get("mean", OPENAI_DATASET_MEAN)
    std = published.get("std", OPENAI_DATASET_STD)
    return tuple(mean), tuple(std)
