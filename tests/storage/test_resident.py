"""What a process holds of a mapped catalog stays within the bound it is given."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from storage.catalog import Catalog
from storage.resident import bounded_memory, give_up_mapped_pages
from tests.storage.test_check import make_many

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


def mapped_bytes(folder: Path) -> int:
    """Of the catalog in a folder, in the resident set of this process."""
    found, is_catalog = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(maxsplit=1)[0]:
            is_catalog = line.endswith(f"{folder}/catalog.lmdb/data.mdb")
        elif is_catalog and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


def read_all(catalog: Catalog) -> list[bytes]:
    return [catalog.preview(n) for n in catalog.image_ids().tolist()]


def test_pages_that_are_given_up_are_read_again(tmp_path: Path):
    make_many(tmp_path / "catalog.lmdb")
    with Catalog.open_reader(tmp_path / "catalog.lmdb") as catalog:
        before = read_all(catalog)
        assert mapped_bytes(tmp_path) > 500_000
        give_up_mapped_pages()
        assert mapped_bytes(tmp_path) < 100_000
        assert read_all(catalog) == before


def test_above_the_bound_they_are_given_up_and_below_they_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("storage.resident._LEAST", 0)
    make_many(tmp_path / "catalog.lmdb")
    with Catalog.open_reader(tmp_path / "catalog.lmdb") as catalog:
        with bounded_memory(1 << 50):
            read_all(catalog)
            time.sleep(0.3)
            assert mapped_bytes(tmp_path) > 500_000
        with bounded_memory(0):
            deadline = time.monotonic() + 20
            while mapped_bytes(tmp_path) > 100_000 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert mapped_bytes(tmp_path) < 100_000


def test_what_is_written_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("storage.resident._LEAST", 0)
    with bounded_memory(0):
        make_many(tmp_path / "catalog.lmdb")
    make_many(tmp_path / "other" / "catalog.lmdb")
    with (
        Catalog.open_reader(tmp_path / "catalog.lmdb") as catalog,
        Catalog.open_reader(tmp_path / "other" / "catalog.lmdb") as other,
    ):
        assert catalog.content_fingerprint() == other.content_fingerprint()
        vectors, _ = catalog.stored_embeddings("net", np.arange(1, 5))
        assert vectors.shape == (4, 16)


def test_vectors_are_read_within_the_bound_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("storage.resident._LEAST", 0)
    monkeypatch.setattr("storage.resident._SECONDS", 1000.0)
    monkeypatch.setattr("storage.vector_blocks._BLOCKS_BETWEEN_LOOKS", 1)
    make_many(tmp_path / "catalog.lmdb")
    with Catalog.open_reader(tmp_path / "catalog.lmdb") as catalog:
        ids = catalog.image_ids()
        before, _ = catalog.stored_embeddings("net", ids)
        read_all(catalog)
        assert mapped_bytes(tmp_path) > 500_000
        with bounded_memory(0):
            after, found = catalog.stored_embeddings("net", ids)
        assert mapped_bytes(tmp_path) < 200_000
        assert found.any() and (after == before).all()
