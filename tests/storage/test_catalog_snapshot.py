"""A snapshot shows one state of the catalog, whatever is committed meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.catalog import Catalog, CatalogBatch


def _seen(catalog: Catalog) -> tuple[object, ...]:
    return (
        [entry.uri for entry in catalog.blobs()],
        catalog.image_ids().tolist(),
        [(number, record.digest) for number, record in catalog.records()],
        [ids.tolist() for ids, _ in catalog.embeddings("net")],
        {number: catalog.preview(number) for number in catalog.image_ids().tolist()},
        catalog.last_image_id,
        catalog.removals,
    )


def test_what_is_committed_later_is_not_seen(tmp_path, make_batch):
    with Catalog.open_writer(tmp_path / "catalog") as writer:
        writer.commit(make_batch({"/photos/a.jpg": 1, "/photos/b.jpg": 2}))
        with Catalog.open_snapshot(tmp_path / "catalog") as snapshot:
            before = _seen(snapshot)
            assert before == _seen(writer)
            assert not snapshot.is_outdated
            writer.commit(make_batch({"/photos/c.jpg": 3}))
            writer.commit(CatalogBatch(removed=["/photos/a.jpg"]))
            assert _seen(snapshot) == before != _seen(writer)
            assert snapshot.is_outdated
            with Catalog.open_snapshot(tmp_path / "catalog") as later:
                assert _seen(later) == _seen(writer)


def test_several_threads_read_one_snapshot_while_another_writes(tmp_path, make_batch):
    with Catalog.open_writer(tmp_path / "catalog") as writer:
        writer.commit(make_batch({f"/photos/{n}.jpg": n for n in range(40)}))
        with Catalog.open_snapshot(tmp_path / "catalog") as snapshot, ThreadPoolExecutor(8) as pool:
            before = _seen(snapshot)
            reads = [pool.submit(_seen, snapshot) for _ in range(64)]
            for number in range(40, 60):
                writer.commit(make_batch({f"/photos/{number}.jpg": number}))
                writer.commit(CatalogBatch(removed=[f"/photos/{number - 40}.jpg"]))
            assert all(read.result() == before for read in reads)


def test_a_snapshot_is_only_read(tmp_path, make_batch):
    with Catalog.open_writer(tmp_path / "catalog") as writer:
        writer.commit(make_batch({"/photos/a.jpg": 1}))
        with (
            Catalog.open_snapshot(tmp_path / "catalog") as snapshot,
            pytest.raises(RuntimeError, match="opened to be read"),
        ):
            snapshot.commit(make_batch({"/photos/b.jpg": 2}))
