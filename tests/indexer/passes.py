"""Runs of the pass in tests, on real folders and on one that goes wrong where a test says so."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.embedders.base import Embedder, ModelSpec
from indexer.engine import Remote
from indexer.index_pass import IndexOptions, index
from indexer.run_report import IndexProgress, IndexReport
from storage.blob import Blob
from storage.catalog import Catalog
from storage.codec import encode_record
from storage.folder import FolderSource
from storage.index_directory import IndexDirectory
from storage.records import F32, U8, BlobEntry
from storage.source import Source, SourceTraffic

_TOO_LONG = 90.0
_SIDE = 96


class Listener:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, dict[str, int], int]] = []

    def on_progress(self, progress: IndexProgress) -> None:
        self.told.append((progress.is_listed, asdict(progress.counts), progress.bytes_read))


class ColourEmbedder:
    """Mean colours of an 4×4 grid: an embedder that starts at once."""

    def __init__(self, name: str = "colours") -> None:
        self.spec = ModelSpec(name, "1", 48, 32, "Apache-2.0", "numpy", f"of {name}")

    def embed(self, images: U8) -> F32:
        grids = [cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA) for image in images]
        rows = np.stack(grids).reshape(len(grids), -1).astype(np.float32) + 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class FaultyFolder:
    """A folder whose listing and reads go wrong where a test says so.

    Args:
        before_read: is called with each blob before it is read; may raise, or change the file.
        listing: is given the real listing and returns another.
        unlisted: folders that may not be looked into; their blobs are not listed.
    """

    def __init__(
        self,
        root: Path,
        *,
        before_read: Callable[[Blob], None] = lambda blob: None,
        listing: Callable[[Iterator[Blob]], Iterator[Blob]] = lambda blobs: blobs,
        unlisted: Sequence[Path] = (),
    ) -> None:
        self._folder = FolderSource(root)
        self._before_read = before_read
        self._listing = listing
        self._unlisted = [str(path) for path in unlisted]

    @property
    def uri(self) -> str:
        return self._folder.uri

    @property
    def traffic(self) -> SourceTraffic:
        return self._folder.traffic

    def list(self) -> Iterator[Blob]:
        for blob in self._listing(self._folder.list()):
            if not any(blob.uri.startswith(path + "/") for path in self._unlisted):
                yield blob
        self.traffic.unlisted.extend(self._unlisted)

    def read(self, blob: Blob) -> bytes:
        self._before_read(blob)
        return self._folder.read(blob)

    def stat(self, uri: str) -> Blob | None:
        return self._folder.stat(uri)

    def close(self) -> None:
        self._folder.close()


def run_pass(
    source: Path | Source | Sequence[Source],
    index_path: Path,
    embedders: Sequence[Embedder] = (),
    listener: Listener | None = None,
    names: Sequence[str] | None = None,
    remote: Remote | None = None,
    **options: Any,
) -> IndexReport:
    """One pass over a folder or sources, with one decoder unless told otherwise.

    Fails instead of hanging, and when the counts of the run do not add up.
    """
    sources: Sequence[Source]
    if isinstance(source, Path):
        sources = [FolderSource(source)]
    elif isinstance(source, Sequence):
        sources = source
    else:
        sources = [source]
    outcome: list[IndexReport | BaseException] = []

    def work() -> None:
        try:
            directory = IndexDirectory.create(index_path)
            settings = IndexOptions(**{"workers": 1, **options})
            told = listener or Listener()
            outcome.append(index(sources, directory, embedders, settings, told, names, remote))
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_TOO_LONG)
    if not outcome:
        raise AssertionError("the pass hangs")
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    report = outcome[0]
    reached = report.unchanged + report.new_images + report.aliased + report.unreadable
    assert report.listed == reached + report.vanished + report.excluded + report.older
    return report


def add_pictures(
    folder: Path, photos: dict[str, NDArray[np.uint8]], count: int, first: int = 0
) -> list[Path]:
    """Writes files 000.jpg … of different parts of the photographs; the same ones every time."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = [photos[name] for name in ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")]
    paths = []
    for number in range(first, first + count):
        photo = shown[number % len(shown)]
        place = np.random.default_rng(number)
        top = int(place.integers(photo.shape[0] - _SIDE))
        left = int(place.integers(photo.shape[1] - _SIDE))
        path = folder / f"{number:03}.jpg"
        Image.fromarray(photo[top : top + _SIDE, left : left + _SIDE]).save(path, quality=90)
        paths.append(path)
    return paths


def append(path: Path, content: bytes) -> None:
    """Writes behind the end of a file: the picture stays, the bytes are others."""
    with path.open("ab") as file:
        file.write(content)


def rewrite(path: Path, content: bytes) -> None:
    """Replaces a content, with a time of modification that differs however quick the test is."""
    before = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def picture(photo: NDArray[np.uint8], format_name: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, format_name)
    return buffer.getvalue()


def entries(index_path: Path) -> dict[str, BlobEntry]:
    """File name to what the catalog knows."""
    with Catalog.open_reader(IndexDirectory.open(index_path).catalog_path) as catalog:
        return {Path(entry.uri).name: entry for entry in catalog.blobs()}


def reasons(index_path: Path) -> dict[str, str]:
    """File name to reason, of unreadable blobs."""
    return {name: entry.reason for name, entry in entries(index_path).items() if entry.reason}


def fingerprint(index_path: Path) -> str:
    with Catalog.open_reader(IndexDirectory.open(index_path).catalog_path) as catalog:
        return catalog.content_fingerprint()


def assert_same_but_for_rounding(one: Path, other: Path) -> None:
    """Two indexes have the same images; vectors may differ by what the order of adding changes,
    which depends on how many threads a process has."""
    paths = [IndexDirectory.open(path).catalog_path for path in (one, other)]
    with Catalog.open_reader(paths[0]) as first, Catalog.open_reader(paths[1]) as second:
        assert first.models == second.models
        ids = dict(first.digests()), dict(second.digests())
        assert ids[0].keys() == ids[1].keys()
        for digest, image_id in ids[0].items():
            same = ids[1][digest]
            assert encode_record(first.record(image_id)) == encode_record(second.record(same))
            assert first.preview(image_id) == second.preview(same)
            for model in first.models:
                np.testing.assert_allclose(
                    first.embedding(model, image_id), second.embedding(model, same), atol=2e-3
                )
    known = [
        {name: (entry.status, entry.reason, entry.size) for name, entry in entries(path).items()}
        for path in (one, other)
    ]
    assert known[0] == known[1]


def image_count(index_path: Path) -> int:
    with Catalog.open_reader(IndexDirectory.open(index_path).catalog_path) as catalog:
        return catalog.image_count
