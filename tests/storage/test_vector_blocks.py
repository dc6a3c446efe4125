"""Embeddings are stored in blocks of 64 ids, and read back one by one or in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.catalog import Catalog, CatalogBatch
from storage.codec import LayoutError
from storage.vector_blocks import decode_block, decode_one
from tests.search.gallery import MODEL, Gallery, clustered

DIMENSION = 8


def _filled(path: Path, sizes: list[int]) -> tuple[Gallery, np.ndarray]:
    """Images committed in batches of these sizes, and their vectors."""
    gallery = Gallery(path)
    gallery.set_models(**{MODEL: DIMENSION})
    vectors = clustered(max(sum(sizes), 1), DIMENSION, seed=1)
    start = 0
    for size in sizes:
        gallery.add({MODEL: vectors[start : start + size]}, count=size)
        start += size
    return gallery, vectors[:start].astype(np.float16)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.lists(st.integers(1, 150), min_size=1, max_size=4),
    start=st.integers(0, 300),
    removed=st.sets(st.integers(1, 200), max_size=80),
)
def test_what_is_left_is_read_back_whatever_was_committed_together(
    sizes: list[int], start: int, removed: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    gallery, vectors = _filled(tmp_path_factory.mktemp("blocks") / "index", sizes)
    with gallery.catalog as catalog:
        left = [i for i in range(1, len(vectors) + 1) if i not in removed]
        gallery.remove([i for i in removed if i <= len(vectors)])
        blocks = list(catalog.embeddings(MODEL, start, batch=70))
        found = [i for ids, _ in blocks for i in ids.tolist()]
        assert found == [i for i in left if i >= start]
        assert all(len(ids) <= 70 for ids, _ in blocks)
        for ids, rows in blocks:
            assert np.array_equal(rows, vectors[ids - 1])
        backwards = left[::-1]
        if left:
            assert np.array_equal(
                catalog.embeddings_of(MODEL, backwards), vectors[np.array(backwards) - 1]
            )
            assert np.array_equal(catalog.embedding(MODEL, left[0]), vectors[left[0] - 1])
        _, is_there = catalog.stored_embeddings(MODEL, np.arange(1, len(vectors) + 1))
        assert (np.flatnonzero(is_there) + 1).tolist() == left
        for gone in removed:
            with pytest.raises(KeyError):
                catalog.embedding(MODEL, gone)


def test_removing_all_images_of_a_block_leaves_nothing_of_it(tmp_path: Path) -> None:
    gallery, _ = _filled(tmp_path / "index", [130])
    with gallery.catalog as catalog:
        gallery.remove(list(range(64, 128)))
        assert [ids.tolist() for ids, _ in catalog.embeddings(MODEL, 60, batch=64)] == [
            [60, 61, 62, 63],
            [128, 129, 130],
        ]


def test_vectors_of_1280_take_little_more_than_their_bytes(tmp_path: Path) -> None:
    count, dimension = 2048, 1280
    gallery = Gallery(tmp_path / "index")
    gallery.set_models(**{MODEL: dimension})
    with gallery.catalog:
        before = _disk_use(tmp_path)
        gallery.add({MODEL: clustered(count, dimension, seed=2)})
        assert _disk_use(tmp_path) - before < count * (2 * dimension + 1000)


@pytest.mark.parametrize("value", [b"", bytes(8), b"\x03" + bytes(7) + b"abc", b"\x01" + bytes(8)])
def test_what_is_no_block_is_refused(value: bytes) -> None:
    with pytest.raises(LayoutError):
        decode_block(bytes(10), value)
    with pytest.raises(LayoutError):
        decode_one(value, 0)


def test_an_empty_batch_changes_nothing(tmp_path: Path) -> None:
    with Catalog.open_writer(tmp_path) as catalog:
        catalog.commit(CatalogBatch())
        assert list(catalog.embeddings(MODEL)) == []


def _disk_use(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def test_a_reader_that_holds_vectors_reads_what_is_there_now(tmp_path: Path) -> None:
    gallery, vectors = _filled(tmp_path / "index", [100, 70])
    path = gallery.directory.catalog_path
    asked = np.array([170, 5, 64, 1, 127, 128, 171, 1])
    with gallery.catalog as catalog, Catalog.open_reader(path) as reader:
        reader.hold_vectors()
        for change in (
            lambda: None,
            lambda: gallery.remove(list(range(64, 128))),
            lambda: gallery.remove([5]),
            lambda: gallery.add({MODEL: vectors[:30]}, count=30),
        ):
            change()
            for _ in range(2):
                found, is_there = reader.stored_embeddings(MODEL, asked)
                wanted, wanted_there = catalog.stored_embeddings(MODEL, asked)
                assert np.array_equal(is_there, wanted_there)
                assert np.array_equal(found, wanted)
        assert is_there.tolist() == [True, False, False, True, False, True, True, True]
