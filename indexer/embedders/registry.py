"""From a name as the user gives it to a loaded embedder.

Imports torch, timm, open_clip and OpenVINO only when a model is loaded: they take seconds.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.embedders import hub
from indexer.embedders.base import Embedder, ModelInfo
from indexer.embedders.known_models import (
    CLIP_PREFIX,
    DEFAULT_MODEL,
    KNOWN_MODELS,
    KnownModel,
)
from indexer.embedders.weights import WeightsSought, find_weights, place
from storage.errors import ModelError, UsageError
from storage.paths import home_expanded

if TYPE_CHECKING:
    from indexer.embedders.network import Network

__all__ = ["DEFAULT_MODEL", "RUNTIMES", "fetch_model", "list_models", "load_embedder", "split_path"]

RUNTIMES = (
    "auto",
    "openvino",
    "openvino-f32",
    "openvino-bf16",
    "torch",
    "torch-cpu-f32",
    "torch-cuda-f16",
)


def load_embedder(
    name: str,
    *,
    weights: Path | None = None,
    runtime: str = "auto",
    device: str = "auto",
    threads: int | None = None,
) -> Embedder:
    """Loads a model by its name.

    Args:
        name: `efficientnet_lite0`, any name of timm, `clip:ARCHITECTURE/WEIGHTS` of open_clip;
            each may be followed by `=PATH` of a checkpoint. The spec's name is without the path.
        weights: the same path as an argument.
        runtime: one of `RUNTIMES`. "auto" is torch on CUDA, on a CPU OpenVINO where installed
            and torch otherwise. What a spec says of its runtime is accepted too, so that a query
            can be computed exactly as the index was.
        device: "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1" …
        threads: of the CPU; None for all cores, or what the process has set for torch.

    Raises:
        ModelError: an unknown name, a package that is not installed, weights that are absent,
            damaged or of another network, no such device.
        UsageError: an unknown runtime, or one that contradicts the device or the name.
    """
    name, path = _resolve(name, weights)
    use, precision, target_device = _choose(runtime, device)
    if use == "openvino":
        from indexer.embedders.openvino_runtime import OpenVinoEmbedder, torch_on_one_thread

        with torch_on_one_thread():
            return OpenVinoEmbedder(_load_network(name, path), precision=precision, threads=threads)
    network = _load_network(name, path)
    from indexer.embedders.torch_runtime import TorchEmbedder

    return TorchEmbedder(network, device=target_device, precision=precision, threads=threads)


def list_models() -> list[ModelInfo]:
    """The default and a selection of others. Checks what is on this machine; asks no network."""
    return [_describe(model) for model in KNOWN_MODELS]


def fetch_model(name: str, target: Path | None = None) -> Path:
    """Brings the weights of a model to this machine.

    Args:
        name: as for `load_embedder`, without a path.
        target: a file to copy them to, or a folder to copy them into, for use as `NAME=PATH`
            elsewhere; None leaves them in the hub's cache or in the package that carries them.

    Returns:
        The file.

    Raises:
        ModelError: an unknown name, or the hub cannot be reached.
        UsageError: the name has a path.
    """
    name, path = split_path(name)
    if path is not None:
        raise UsageError(
            f"{name}={path} is on this machine already.", "Name the model without the path."
        )
    found = find_weights(_sought(name))
    if target is None:
        return found
    if target.is_dir():
        stem = name.replace(":", "-").replace("/", "-")
        target = target / f"{stem}{found.suffix}"
    return place(found, target)


def split_path(name: str) -> tuple[str, Path | None]:
    """Takes `NAME=PATH` apart; None when there is no path.

    Raises:
        UsageError: nothing on one side of the sign.
    """
    stem, sign, path = name.partition("=")
    if not stem or (sign and not path):
        raise UsageError(f"{name!r} is not a model.", "Give NAME, or NAME=PATH of its weights.")
    return stem, home_expanded(path) if sign else None


def _resolve(name: str, weights: Path | None) -> tuple[str, Path | None]:
    stem, path = split_path(name)
    if path is not None and weights is not None and path != weights:
        raise UsageError(
            f"The weights of {stem!r} are given twice: {path} and {weights}.", "Give one of them."
        )
    return stem, path or weights


def _load_network(name: str, path: Path | None) -> Network:
    try:
        if name.startswith(CLIP_PREFIX):
            from indexer.embedders import open_clip_embedder

            return open_clip_embedder.load_network(name, path)
        from indexer.embedders import timm_embedder

        return timm_embedder.load_network(name, path)
    except ImportError as error:
        raise _not_installed(name, error) from error


def _sought(name: str) -> WeightsSought:
    for model in KNOWN_MODELS:
        if model.name == name:
            return model.sought
    try:
        if name.startswith(CLIP_PREFIX):
            from indexer.embedders import open_clip_embedder

            return open_clip_embedder.sought_weights(name)
        from indexer.embedders import timm_embedder

        return timm_embedder.sought_weights(name)
    except ImportError as error:
        raise _not_installed(name, error) from error


def _not_installed(name: str, error: ImportError) -> ModelError:
    return ModelError(
        f"The model {name!r} needs the package {error.name!r}, which cannot be imported: {error}.",
        "Install dedup with all that it depends on: pip install dedup",
    )


def _choose(runtime: str, device: str) -> tuple[str, str, str]:
    """Which runtime, at which precision, where."""
    if runtime not in RUNTIMES:
        raise UsageError(f"There is no runtime {runtime!r}.", f"Use one of {', '.join(RUNTIMES)}.")
    library, _, rest = runtime.partition("-")
    wants_cuda = device.startswith("cuda") or runtime == "torch-cuda-f16"
    wants_cpu = device == "cpu" or library == "openvino" or runtime == "torch-cpu-f32"
    if wants_cuda and wants_cpu:
        raise UsageError(
            f"The runtime {runtime!r} does not run on the device {device!r}.",
            "Leave one of them at auto.",
        )
    if not (wants_cuda or wants_cpu or device == "auto"):
        raise UsageError(f"There is no device {device!r}.", "Use auto, cpu, cuda or cuda:NUMBER.")
    if wants_cuda or (not wants_cpu and _has_cuda()):
        return "torch", "f16", device if device.startswith("cuda") else "cuda"
    if library == "openvino" or (library == "auto" and _has_openvino()):
        if not _has_openvino():
            raise ModelError(
                "OpenVINO is not installed.", "pip install 'dedup[openvino]', or --runtime torch"
            )
        return "openvino", rest or "auto", "cpu"
    return "torch", "f32", "cpu"


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None


def _describe(model: KnownModel) -> ModelInfo:
    where, is_available, fingerprint_ok = _whereabouts(model)
    return ModelInfo(
        name=model.name,
        kind="embedder",
        licence=model.licence,
        dimension=model.dimension,
        input_size=model.input_size,
        where=where,
        is_available=is_available,
        fingerprint_ok=fingerprint_ok,
    )


def _whereabouts(model: KnownModel) -> tuple[str, bool, bool | None]:
    if model.package is not None:
        if model.package.path() is None:
            return f"pip install {model.package.distribution}", False, None
        return f"package {model.package.distribution}", True, model.package.is_intact()
    if model.hub is None:
        return f"a path: --model {model.name}=PATH", False, None
    if (path := hub.cached(model.hub)) is not None:
        return str(path), True, None
    return f"hub {model.hub.identifier}: dedup models fetch {model.name}", False, None
