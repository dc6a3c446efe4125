"""Embeddings by torch: on CUDA, and on a CPU without OpenVINO."""

from __future__ import annotations

import numpy as np
import torch

from indexer.embedders.base import BATCH, ModelSpec, require_images
from indexer.embedders.network import Network
from storage.errors import ModelError
from storage.records import F32, U8

CUDA_BATCH = 64
"""Eight pictures leave a GPU idle; the vectors' independence needs the batch only to be fixed."""


class TorchEmbedder:
    """A network run by torch at a fixed batch.

    Args:
        network: what to run. On CUDA and for half precision its module is changed: the embedder
            owns it from here on.
        device: "cpu", "cuda", "cuda:1" …
        precision: "f32" or "f16".
        threads: of a CPU; torch has one number for the process, which this sets. None leaves it.

    Raises:
        ModelError: there is no such device.
    """

    def __init__(
        self, network: Network, *, device: str, precision: str, threads: int | None = None
    ) -> None:
        self._is_cuda = device.startswith("cuda")
        if self._is_cuda and not torch.cuda.is_available():
            raise ModelError(
                f"The model {network.name!r} cannot run on {device!r}: torch sees no CUDA device.",
                "Use --device cpu, or install a driver and a torch build for CUDA.",
            )
        if threads is not None and not self._is_cuda:
            torch.set_num_threads(threads)
        module = network.module.to_half() if precision == "f16" else network.module
        try:
            self._device = torch.device(device)
            # Convolutions are up to twice as quick with the channels last.
            self._module = module.to(self._device).to(memory_format=torch.channels_last)
        except RuntimeError as error:
            raise ModelError(
                f"The model {network.name!r} cannot be put on {device!r}: "
                f"{str(error).splitlines()[0]}",
                "Name a device that is there: cpu, cuda, cuda:0 …",
            ) from error
        self._batch = CUDA_BATCH if self._is_cuda else BATCH
        kind = "cuda" if self._is_cuda else "cpu"
        self._spec = network.spec(f"torch-{kind}-{precision}")

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def embed(self, images: U8) -> F32:
        """As `Embedder.embed`."""
        require_images(images, self._spec.input_size)
        if len(images) == 0:
            return np.empty((0, self._spec.dimension), dtype=np.float32)
        whole = -(-len(images) // self._batch) * self._batch
        # Page-locked, so that the next batch travels to the GPU while this one is computed.
        pictures = torch.zeros(
            (whole, *images.shape[1:]), dtype=torch.uint8, pin_memory=self._is_cuda
        )
        pictures.numpy()[: len(images)] = images
        with torch.inference_mode():
            parts = [
                self._module(batch.to(self._device, non_blocking=True))
                for batch in torch.split(pictures, self._batch)
            ]
            vectors: F32 = torch.cat(parts)[: len(images)].cpu().numpy()
        return vectors
