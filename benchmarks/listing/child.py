"""One process of the benchmark, to be measured and killed from outside.

python -m benchmarks.listing.child fill INDEX NAMES URI    the catalog as an earlier run left it
python -m benchmarks.listing.child index INDEX URL         a run of the pass; prints its report
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from benchmarks.listing.account import (
    MODIFIED_SECONDS,
    content_of,
    etag_of,
    is_new,
    name_of,
    size_of_content,
)
from indexer.index_pass import IndexOptions, index
from indexer.run_report import IndexProgress
from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.folder import FolderSource
from storage.index_directory import IndexDirectory
from storage.open_source import SourceOptions, open_source

_BATCH = 20_000


class _Silent:
    def on_progress(self, progress: IndexProgress) -> None:
        """Says nothing."""


def fill(path: Path, names: int, uri: str) -> None:
    """A catalog that knows every name but the new ones, all with one content."""
    directory = IndexDirectory.create(path)
    with tempfile.TemporaryDirectory() as folder:
        # The one image comes from a real pass.
        (Path(folder) / "one.jpg").write_bytes(content_of(0))
        index([FolderSource(Path(folder))], directory, (), IndexOptions(workers=1), _Silent())
    with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
        (digest,) = (digest for digest, _ in catalog.digests())
        numbers = (number for number in range(names) if not is_new(number))
        for batch in _batched(numbers, _BATCH):
            blobs = [_indexed(number, uri, digest) for number in batch]
            catalog.commit(CatalogBatch(indexed=blobs))


def run(path: Path, url: str) -> None:
    """One pass over the simulated container."""
    source = open_source(url, SourceOptions(max_requests_per_second=1000))
    options = IndexOptions(workers=1)
    report = index([source], IndexDirectory.open(path), (), options, _Silent())
    source.close()
    print(json.dumps(asdict(report)))


def _indexed(number: int, uri: str, digest: bytes) -> IndexedBlob:
    blob = Blob(f"{uri}/{name_of(number)}", size_of_content(), etag_of(number), MODIFIED_SECONDS)
    return IndexedBlob(blob, uri, digest)


def _batched(numbers: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = iter(numbers)
    while batch := list(islice(rest, size)):
        yield batch


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        run(Path(sys.argv[2]), sys.argv[3])
