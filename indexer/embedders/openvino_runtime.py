"""Embeddings by OpenVINO: the quickest on a CPU."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

from indexer.embedders.base import BATCH, ModelSpec, require_images
from indexer.embedders.network import Network
from storage.errors import ModelError
from storage.records import F32, U8
from storage.worker_processes import usable_cores

_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# Each has buffers of its own, some 20 MB; decoders keep more cores than these busy.
_MOST_STREAMS = 16


class OpenVinoEmbedder:
    """A network compiled for the CPU at a fixed batch.

    Args:
        network: what to run. Its torch module is not needed afterwards.
        precision: "auto", "f32" or "bf16". Auto is bf16 where the CPU computes in it, because
            emulated it is slower than f32 and still less exact.
        threads: batches computed at once, each by one thread; None for one a core.

    Raises:
        ModelError: the network cannot be converted, or bf16 was asked of a CPU without it.
    """

    def __init__(
        self, network: Network, *, precision: str = "auto", threads: int | None = None
    ) -> None:
        core = openvino.Core()
        if precision == "auto":
            precision = "bf16" if _computes_in_bf16(core) else "f32"
        elif precision == "bf16" and not _computes_in_bf16(core):
            raise ModelError(
                f"The model {network.name!r} cannot run as openvino-bf16: "
                "this CPU does not compute in bfloat16.",
                "Use --runtime openvino-f32 and an index made with it.",
            )
        streams = min(threads or usable_cores(), _MOST_STREAMS)
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": precision,
            # A batch to a thread. Several threads in one batch wait for each other at every layer,
            # in loops that burn the time of the decoding processes: a fifth of the CPU time.
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            # Pinned threads would fight with the decoding processes for their cores.
            "ENABLE_CPU_PINNING": False,
        }
        compiled = core.compile_model(_convert(network), "CPU", options)
        self._requests = [compiled.create_infer_request() for _ in range(streams)]
        self._padded: U8 = np.zeros(
            (BATCH, network.input_size, network.input_size, 3), dtype=np.uint8
        )
        self._spec = network.spec(f"openvino-{precision}")

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def embed(self, images: U8) -> F32:
        """As `Embedder.embed`."""
        require_images(images, self._spec.input_size)
        vectors = np.empty((len(images), self._spec.dimension), dtype=np.float32)
        under_way: deque[tuple[openvino.InferRequest, U8, int]] = deque()
        for number, start in enumerate(range(0, len(images), BATCH)):
            if len(under_way) == len(self._requests):
                _collect(under_way, vectors)
            batch = np.ascontiguousarray(images[start : start + BATCH])
            if len(batch) < BATCH:
                self._padded[: len(batch)] = batch
                batch = self._padded
            request = self._requests[number % len(self._requests)]
            request.start_async([batch], share_inputs=True)
            # With the pictures, which it reads where they are.
            under_way.append((request, batch, start))
        while under_way:
            _collect(under_way, vectors)
        return vectors


def _collect(under_way: deque[tuple[openvino.InferRequest, U8, int]], vectors: F32) -> None:
    """Waits for the oldest batch and copies its vectors to their place."""
    request, _, start = under_way.popleft()
    request.wait()
    rows = vectors[start : start + BATCH]
    rows[:] = request.get_output_tensor().data[: len(rows)]


@contextmanager
def torch_on_one_thread() -> Iterator[None]:
    """While torch builds and traces what OpenVINO is to run, for a second: its threads would wait
    for each other in loops, which took more CPU time than the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _convert(network: Network) -> openvino.Model:
    """The network as an OpenVINO graph of fixed shape.

    By the converter's front end rather than `openvino.convert_model`, which does the same and
    also reports each conversion to a statistics service.
    """
    picture = (network.input_size, network.input_size, 3)
    # Tracing runs the example: two pictures are quicker than a batch, and unlike one they do not
    # let a network mistake the batch for a dimension of size one. Then the shape is fixed.
    example = torch.zeros((2, *picture), dtype=torch.uint8)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            # Notices to the developers of the networks: tracing, deprecations.
            warnings.simplefilter("ignore")
            decoder = TorchScriptPythonDecoder(
                network.module, example_input=(example,), trace_kwargs={"check_trace": False}
            )
            front_end = FrontEndManager().load_by_framework("pytorch")
            model = front_end.convert(front_end.load(decoder))
        model.reshape([BATCH, *picture])
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO cannot run the network {network.name!r}: {str(error).splitlines()[0][:300]}",
            "Use --runtime torch.",
        ) from error
    return model


def _computes_in_bf16(core: openvino.Core) -> bool:
    # OpenVINO lists BF16 also where it would only emulate it, hence the look at the CPU itself.
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith(("flags", "Feat"))), "")
    return "BF16" in capabilities and not _BF16_FLAGS.isdisjoint(flags.split())
