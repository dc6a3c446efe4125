"""What every embedding model is to the rest of the project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from storage.records import F32, U8

BATCH = 8
"""Pictures in every run of a network.

Kernels are chosen by shape, and another kernel adds in another order: with one fixed batch the row
of a picture never depends on how many others came with it. Eight fills the vector units of a CPU;
sixteen was not faster.
"""

EMBEDDING_TOLERANCE = 0.9999
"""Least cosine between the float32 embeddings of one picture by two runtimes.

Measured with EfficientNet-Lite0 on 28 photographs: OpenVINO against torch is 0.9999998 at worst.
Lower precisions are further off, against float32 at worst 0.9999 (float16) and 0.992 (bfloat16),
which is why the precision is part of `ModelSpec.runtime` and one index holds one runtime's vectors.
"""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What identifies the vectors of an embedder; an index holds those of one spec only.

    Attributes:
        name: as the user asked for it, without the path of the weights.
        version: how the feature map becomes a vector: method, pooling, preprocessing.
        dimension: of the vector.
        input_size: side of the square RGB picture it takes, in pixels.
        licence: of the weights; "unknown (...)" where nobody states it.
        runtime: what computes it, and its precision: "openvino-f32", "openvino-bf16",
            "torch-cpu-f32", "torch-cuda-f16". `load_embedder` takes it back as `runtime`.
        fingerprint: SHA-256, hex, over the weights, the architecture and the version.
    """

    name: str
    version: str
    dimension: int
    input_size: int
    licence: str
    runtime: str
    fingerprint: str


class Embedder(Protocol):
    """A loaded model. Belongs to one thread at a time: it reuses its buffers."""

    @property
    def spec(self) -> ModelSpec:
        """What its vectors are."""

    def embed(self, images: U8) -> F32:
        """Embeds pictures.

        Args:
            images: uint8, (n, input_size, input_size, 3), RGB; any n, 0 included.

        Returns:
            float32, (n, dimension), rows of length 1. A row is the same to the bit whatever
            other pictures are embedded with it.

        Raises:
            ValueError: another shape or dtype.
        """


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A line of `dedup models`.

    Attributes:
        name: what `--model` takes.
        kind: "embedder".
        licence: of the weights.
        dimension: of its embeddings. input_size: side of the pictures it takes, pixels.
        where: the path, the package, or how to get the weights.
        is_available: whether the weights are on this machine.
        fingerprint_ok: whether the file is the one that is known to be right; None where no
            fingerprint is known or there is no file.
    """

    name: str
    kind: str
    licence: str
    dimension: int
    input_size: int
    where: str
    is_available: bool
    fingerprint_ok: bool | None


def require_images(images: U8, size: int) -> None:
    """Refuses what is no batch of pictures of that size.

    Raises:
        ValueError
    """
    if images.dtype != "uint8" or images.ndim != 4 or images.shape[1:] != (size, size, 3):
        raise ValueError(
            f"expected uint8 pictures of shape (n, {size}, {size}, 3), "
            f"got {images.dtype} {images.shape}"
        )
