"""One run of the pass over a container, to be measured and killed from outside.

    python -m benchmarks.soak.child INDEX URL RATE SILENCE

Prints its report as JSON, with the fingerprint of the catalog.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from indexer.embedders.base import ModelSpec
from indexer.index_pass import IndexOptions, index
from indexer.run_report import IndexProgress
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory
from storage.open_source import SourceOptions, open_source
from storage.records import F32, U8

_GRID = 4


class ColourEmbedder:
    """The mean colours of a grid: starts at once, costs nothing, and is the same in any batch."""

    def __init__(self) -> None:
        self.spec = ModelSpec("colours", "1", 3 * _GRID**2, 32, "Apache-2.0", "numpy", "colours")

    def embed(self, images: U8) -> F32:
        """float32 (n, 48), of length 1."""
        grids = [cv2.resize(one, (_GRID, _GRID), interpolation=cv2.INTER_AREA) for one in images]
        rows = np.stack(grids).reshape(len(grids), -1).astype(np.float32) + 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class _Silent:
    def on_progress(self, progress: IndexProgress) -> None:
        """Says nothing."""


def main(path: Path, url: str, rate: float, silence: float) -> None:
    source = open_source(url, SourceOptions(max_requests_per_second=rate, silence=silence))
    directory = IndexDirectory.create(path)
    options = IndexOptions(commit_seconds=1.0)
    report = index([source], directory, [ColourEmbedder()], options, _Silent())
    source.close()
    with Catalog.open_reader(directory.catalog_path) as catalog:
        fingerprint = catalog.content_fingerprint()
    print(json.dumps({**asdict(report), "fingerprint": fingerprint}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
