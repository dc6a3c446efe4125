"""A network as every runtime takes it: uint8 pictures in, normalised embeddings out."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from indexer.embedders.base import ModelSpec
from storage.errors import ModelError

PREPROCESSING_VERSION = "squash-2"
"""Changes whenever a picture reaches the networks differently: resized to a square by the decoder,
then (value / 255 - mean) / std. Part of every fingerprint."""

LOAD_ERRORS = (
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    StopIteration,
    pickle.UnpicklingError,
    SafetensorError,
)
"""What a file that is no checkpoint, or one of another network, makes the libraries raise."""


class EmbeddingModule(nn.Module):
    """Preprocessing, network, pooling and normalisation in one graph.

    uint8 (n, S, S, 3) goes in and float32 (n, d) with rows of length 1 comes out, so that a
    runtime gets the decoder's bytes as they are and no float copy of the pictures is made.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, features: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.features = features
        deviation = torch.tensor(list(std), dtype=torch.float32).reshape(1, 3, 1, 1)
        average = torch.tensor(list(mean), dtype=torch.float32).reshape(1, 3, 1, 1)
        self.register_buffer("scale", 1.0 / (255.0 * deviation), persistent=False)
        self.register_buffer("offset", average / deviation, persistent=False)
        self.precision = torch.float32

    def to_half(self) -> EmbeddingModule:
        """Turns the network to float16. Scaling, pooling and lengths stay in float32."""
        self.features.half()
        self.precision = torch.float16
        return self

    def forward(self, images: Tensor) -> Tensor:
        pictures = images.permute(0, 3, 1, 2).to(torch.float32)
        pictures = pictures * self.scale - self.offset
        vectors = self.features(pictures.to(self.precision)).to(torch.float32)
        return nn.functional.normalize(vectors, dim=1)


@dataclass(frozen=True)
class Network:
    """A loaded network and what is to be known of it whatever runs it.

    Attributes:
        module: in evaluation mode, on the CPU, float32.
        architecture: the upstream library's name of it.
        name, version, dimension, input_size, licence, fingerprint: as in `ModelSpec`.
    """

    module: EmbeddingModule
    architecture: str
    name: str
    version: str
    dimension: int
    input_size: int
    licence: str
    fingerprint: str

    def spec(self, runtime: str) -> ModelSpec:
        """What its vectors are when that runtime computes them."""
        return ModelSpec(
            name=self.name,
            version=self.version,
            dimension=self.dimension,
            input_size=self.input_size,
            licence=self.licence,
            runtime=runtime,
            fingerprint=self.fingerprint,
        )


def assemble(
    *,
    features: nn.Module,
    mean: Sequence[float],
    std: Sequence[float],
    name: str,
    architecture: str,
    pooling: str,
    input_size: int,
    licence: str,
) -> Network:
    """Puts the pieces together; finds the dimension by running one black picture through."""
    module = EmbeddingModule(features, mean, std).eval().requires_grad_(False)
    with torch.inference_mode():
        picture = torch.zeros((1, input_size, input_size, 3), dtype=torch.uint8)
        dimension = int(module(picture).shape[1])
    version = f"{pooling}/{PREPROCESSING_VERSION}"
    parameters = f"{architecture} {version} {input_size} {list(mean)} {list(std)}"
    return Network(
        module=module,
        architecture=architecture,
        name=name,
        version=version,
        dimension=dimension,
        input_size=input_size,
        licence=licence,
        fingerprint=fingerprint_of(features, parameters),
    )


def fingerprint_of(module: nn.Module, parameters: str) -> str:
    """SHA-256, hex, over the parameters' text and every tensor in the order of their names.

    Over the tensors and not the file: the same weights as .pth and as .safetensors are one model.
    """
    digest = hashlib.sha256(parameters.encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def unusable(name: str, path: Path, error: Exception) -> ModelError:
    """The error for a file that is no checkpoint, or one of another network."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = " ".join(lines[:2])[:300] or type(error).__name__
    return ModelError(
        f"The weights in {path} do not fit {name!r}: {reason}",
        "Give a checkpoint (.safetensors, or .pth or .pt that holds tensors only) of this network.",
    )
