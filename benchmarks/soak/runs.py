"""Processes that index, and what became of it."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from storage.catalog import Catalog
from storage.index_directory import IndexDirectory

_ROOT = Path(__file__).resolve().parents[2]
# As fast as it goes, for runs whose requests nobody counts.
UNLIMITED = 100_000.0


def start(index: Path, url: str, rate: float, silence: float) -> subprocess.Popen[str]:
    """A run of `benchmarks.soak.child`."""
    arguments = [str(index), url, str(rate), str(silence)]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.soak.child", *arguments],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def report_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a run says at its end.

    Raises:
        RuntimeError: it failed.
    """
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the run ended with {process.returncode}")
    report: dict[str, Any] = json.loads(said)
    return report


def index_once(index: Path, url: str) -> dict[str, Any]:
    """The report of a run at full speed."""
    return report_of(start(index, url, UNLIMITED, silence=20))


def wrongly_indexed(index: Path, contents: dict[str, bytes], root: str) -> int:
    """Blobs of a container that the index has not, or not with what they hold; and those that it
    has and the container has not."""
    wanted = {f"{root}/{name}": sha256(content).digest() for name, content in contents.items()}
    wrong = 0
    with Catalog.open_reader(IndexDirectory.open(index).catalog_path) as catalog:
        for entry in catalog.blobs():
            digest = catalog.record(entry.image_id).digest if entry.image_id else b""
            wrong += wanted.pop(entry.uri, None) != digest
    return wrong + len(wanted)
