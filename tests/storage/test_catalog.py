import os
from pathlib import Path

import numpy as np
import pytest

from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob, UnreadableBlob
from storage.errors import IndexMismatch, IndexStorageError, NotAnIndex
from storage.parameters import IndexParameters, ModelParameters
from storage.records import BlobStatus


def test_a_new_catalog_is_empty(catalog):
    assert catalog.image_count == 0
    assert list(catalog.blobs()) == []
    assert catalog.blob_counts == {BlobStatus.INDEXED: 0, BlobStatus.UNREADABLE: 0}
    assert catalog.parameters() is None
    assert catalog.image_ids().dtype == np.int64
    assert list(catalog.embeddings("net")) == []


def test_what_was_committed_is_read_back(catalog, make_batch, make_image):
    ids = catalog.commit(make_batch({"/photos/a.jpg": 1, "/photos/b.jpg": 2}))
    image = make_image(2)
    image_id = catalog.image_id(image.record.digest)
    assert ids == {make_image(1).record.digest: 1, image.record.digest: 2}
    assert image_id == 2
    assert catalog.record(2).hash256 == image.record.hash256
    assert catalog.record(2).quality == image.record.quality
    assert catalog.preview(2) == image.preview
    assert np.array_equal(catalog.embedding("net", 2), image.embeddings["net"])
    entry = catalog.blob("/photos/b.jpg")
    assert (entry.source, entry.etag, entry.image_id) == ("/photos", "etag-2", 2)
    assert catalog.blob("/photos/c.jpg") is None
    assert catalog.models == ("net", "other/net")


def test_blobs_with_the_same_bytes_share_one_image(catalog, make_batch):
    catalog.commit(make_batch({"/photos/a.jpg": 1}))
    ids = catalog.commit(make_batch({"/photos/copy.jpg": 1}))
    assert list(ids.values()) == [1]
    assert catalog.image_count == 1
    assert [entry.uri for entry in catalog.blobs_of(1)] == ["/photos/a.jpg", "/photos/copy.jpg"]


def test_an_image_leaves_with_its_last_blob_and_its_number_is_not_given_again(
    catalog, make_batch, make_image
):
    catalog.commit(make_batch({"/photos/a.jpg": 1, "/photos/b.jpg": 1, "/photos/c.jpg": 2}))
    catalog.commit(CatalogBatch(removed=["/photos/a.jpg"]))
    assert catalog.image_count == 2
    catalog.commit(CatalogBatch(removed=["/photos/b.jpg", "/photos/never.jpg"]))
    assert catalog.image_ids().tolist() == [2]
    assert catalog.removals == 1
    assert catalog.image_id(make_image(1).record.digest) is None
    with pytest.raises(KeyError):
        catalog.record(1)
    with pytest.raises(KeyError):
        catalog.preview(1)
    with pytest.raises(KeyError):
        catalog.embedding("net", 1)
    assert [ids.tolist() for ids, _ in catalog.embeddings("other/net")] == [[2]]
    catalog.commit(make_batch({"/photos/a.jpg": 1}))
    assert catalog.image_ids().tolist() == [2, 3]
    assert catalog.last_image_id == 3


def test_a_blob_whose_content_changed_belongs_to_the_new_image(catalog, make_batch):
    catalog.commit(make_batch({"/photos/a.jpg": 1}))
    catalog.commit(make_batch({"/photos/a.jpg": 2}))
    assert catalog.blob("/photos/a.jpg").image_id == 2
    assert catalog.image_ids().tolist() == [2]
    assert catalog.blob_counts[BlobStatus.INDEXED] == 1


def test_an_image_that_moves_to_another_name_in_one_batch_keeps_its_number(catalog, make_batch):
    catalog.commit(make_batch({"/photos/a.jpg": 1}))
    batch = make_batch({"/photos/renamed.jpg": 1})
    batch.removed.append("/photos/a.jpg")
    catalog.commit(batch)
    assert catalog.image_ids().tolist() == [1]
    assert catalog.removals == 0


def test_a_blob_that_became_unreadable_has_its_reason_and_no_image(catalog, make_batch):
    catalog.commit(make_batch({"/photos/a.jpg": 1}))
    broken = UnreadableBlob(Blob("/photos/a.jpg", 3, "new", 2.0), "/photos", "not an image")
    catalog.commit(CatalogBatch(unreadable=[broken]))
    entry = catalog.blob("/photos/a.jpg")
    assert (entry.status, entry.reason, entry.image_id) == ("unreadable", "not an image", 0)
    assert catalog.image_count == 0
    assert catalog.blob_counts == {BlobStatus.INDEXED: 0, BlobStatus.UNREADABLE: 1}


def test_a_batch_with_an_unknown_digest_changes_nothing(catalog, make_batch):
    batch = make_batch({"/photos/a.jpg": 1})
    batch.indexed.append(IndexedBlob(Blob("/photos/x.jpg", 1, "e", 0.0), "/photos", b"?" * 32))
    with pytest.raises(ValueError, match="digest"):
        catalog.commit(batch)
    assert catalog.image_count == 0
    assert catalog.last_image_id == 0
    assert list(catalog.blobs()) == []


def test_blobs_come_in_order_and_by_source(catalog, make_batch):
    catalog.commit(make_batch({"/p/b.jpg": 1, "/p/a.jpg": 2, "/p/é.jpg": 3}, source="/p"))
    catalog.commit(make_batch({"/p2/a.jpg": 4}, source="/p2"))
    catalog.commit(make_batch({"/p/sub/a.jpg": 5}, source="/p/sub"))
    assert [e.uri for e in catalog.blobs("/p")] == ["/p/a.jpg", "/p/b.jpg", "/p/é.jpg"]
    assert [e.uri for e in catalog.blobs("/p/sub")] == ["/p/sub/a.jpg"]
    assert [e.uri for e in catalog.blobs()][-2:] == ["/p/é.jpg", "/p2/a.jpg"]


def test_uris_too_long_for_a_key_and_names_that_are_not_utf8_survive(catalog, make_batch):
    source = "/" + "long/" * 95
    uris = [source + "x" * n + ".jpg" for n in (1, 10, 300, 900)]
    odd = os.fsdecode(b"/photos/caf\xe9.jpg")
    catalog.commit(make_batch({uri: n for n, uri in enumerate(uris)}, source=source))
    catalog.commit(make_batch({odd: 50}))
    assert sorted(e.uri for e in catalog.blobs(source)) == sorted(uris)
    assert [catalog.blob(uri).uri for uri in uris] == uris
    assert os.fsencode(catalog.blob(odd).uri) == b"/photos/caf\xe9.jpg"
    image_id = catalog.blob(uris[3]).image_id
    assert [e.uri for e in catalog.blobs_of(image_id)] == [uris[3]]


def test_scans_in_small_steps_give_every_row_once(catalog, make_batch, make_image):
    catalog.commit(make_batch({f"/photos/{n:03}.jpg": n for n in range(25)}))
    steps = list(catalog.embeddings("net", start_id=4, batch=10))
    assert [len(ids) for ids, _ in steps] == [10, 10, 2]
    assert np.concatenate([ids for ids, _ in steps]).tolist() == list(range(4, 26))
    assert np.array_equal(steps[2][1][1], make_image(24).embeddings["net"])
    hashes = list(catalog.hashes(batch=7))
    assert np.concatenate([ids for ids, *_ in hashes]).tolist() == list(range(1, 26))
    assert hashes[0][1].shape == (7, 8)
    assert hashes[0][2][3].tobytes() == make_image(3).record.hash256
    assert hashes[0][3][3] == np.float32(make_image(3).record.texture)
    assert [image_id for image_id, _ in catalog.records(20)] == [20, 21, 22, 23, 24, 25]


def test_embeddings_come_in_the_order_asked_for(catalog, make_batch, make_image):
    catalog.commit(make_batch({f"/photos/{n}.jpg": n for n in range(5)}))
    rows = catalog.embeddings_of("other/net", [4, 1, 4])
    expected = [make_image(n).embeddings["other/net"] for n in (3, 0, 3)]
    assert np.array_equal(rows, expected)
    with pytest.raises(KeyError, match="99"):
        catalog.embeddings_of("net", [1, 99])
    with pytest.raises(KeyError, match="unknown"):
        catalog.embeddings_of("unknown", [1])


def test_a_writer_may_commit_while_its_own_scan_is_under_way(catalog, make_batch):
    catalog.commit(make_batch({f"/photos/{n:05}.jpg": n % 3 for n in range(3000)}))
    removed = 0
    for entry in catalog.blobs():
        if entry.uri.endswith("7.jpg"):
            catalog.commit(CatalogBatch(removed=[entry.uri]))
            removed += 1
    assert removed == 300
    assert catalog.blob_counts[BlobStatus.INDEXED] == 2700


def test_verdicts_are_kept_by_digests_and_version_of_the_verifier(catalog):
    low, high = b"a" * 32, b"b" * 32
    catalog.put_verdicts("cascade-1", [(low, high, b"same")])
    assert catalog.verdict(low, high, "cascade-1") == b"same"
    assert catalog.verdict(low, high, "cascade-2") is None
    assert catalog.verdict(low, low, "cascade-1") is None
    with pytest.raises(ValueError, match="order"):
        catalog.verdict(high, low, "cascade-1")


def test_a_run_that_was_killed_stays_in_the_journal_without_an_end(catalog):
    first = catalog.start_run(["/photos"], started_at=10.0)
    second = catalog.start_run(["/photos", "az://a/b"], started_at=20.0)
    catalog.finish_run(second, 25.0, {"listed": 3})
    assert (first, second) == (1, 2)
    killed, finished = catalog.runs()
    assert (killed.finished_at, killed.counts) == (None, {})
    assert (finished.finished_at, finished.counts) == (25.0, {"listed": 3})
    assert finished.sources == ("/photos", "az://a/b")


def test_parameters_that_differ_are_named_with_what_to_do(catalog):
    model = ModelParameters("net", 16, "aaaa", "openvino bf16", 224)
    catalog.set_parameters(IndexParameters(1, "w1", 640, (model,)))
    stored = catalog.parameters()
    stored.require_same(IndexParameters(1, "w1", 640, (model,)))
    other = ModelParameters("net", 16, "aaaa", "torch float32", 224)
    extra = ModelParameters("clip", 512, "bbbb", "torch float32", 224)
    with pytest.raises(IndexMismatch) as raised:
        stored.require_same(IndexParameters(1, "w1", 800, (other, extra)))
    text = str(raised.value)
    assert "preview size 640 in the index, 800 now" in text
    assert "runtime 'openvino bf16' in the index, 'torch float32' now" in text
    assert "model clip is not in the index" in text
    assert "--index" in text


def test_the_fingerprint_depends_on_contents_and_not_on_their_order(tmp_path, make_batch):
    seeds = {f"/photos/{n}.jpg": n for n in range(6)}
    fingerprints = []
    for name, order in (("one", list(seeds)), ("two", list(reversed(seeds)))):
        with Catalog.open_writer(tmp_path / name) as catalog:
            for uri in order:
                catalog.commit(make_batch({uri: seeds[uri]}))
            fingerprints.append(catalog.content_fingerprint())
    assert fingerprints[0] == fingerprints[1]
    with Catalog.open_writer(tmp_path / "two") as catalog:
        catalog.commit(make_batch({"/photos/0.jpg": 77}))
        assert catalog.content_fingerprint() != fingerprints[0]


def test_a_reader_and_a_writer_of_one_process_see_the_same_catalog(tmp_path, make_batch):
    with (
        Catalog.open_writer(tmp_path / "c") as writer,
        Catalog.open_reader(tmp_path / "c") as reader,
    ):
        writer.commit(make_batch({"/photos/a.jpg": 1}))
        assert reader.image_count == 1
        with pytest.raises(RuntimeError, match="read"):
            reader.commit(CatalogBatch())


def test_a_directory_without_a_catalog_is_not_one(tmp_path: Path):
    with pytest.raises(NotAnIndex, match="dedup index"):
        Catalog.open_reader(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_catalog_of_a_newer_schema_is_refused(tmp_path):
    import lmdb

    path = tmp_path / "c"
    Catalog.open_writer(path).close()
    with lmdb.open(str(path), max_dbs=4) as environment:
        meta = environment.open_db(b"meta", create=False)
        with environment.begin(write=True) as txn:
            txn.put(b"schema", (99).to_bytes(8, "big"), db=meta)
    with pytest.raises(IndexMismatch, match="schema 99"):
        Catalog.open_reader(path)


def test_a_file_that_is_no_catalog_is_reported_as_damaged(tmp_path):
    path = tmp_path / "c"
    path.mkdir()
    (path / "data.mdb").write_bytes(b"not a database" * 1000)
    for opening in (Catalog.open_reader, Catalog.open_writer):
        with pytest.raises(IndexStorageError, match="damaged") as raised:
            opening(path)
        assert str(path) in str(raised.value)


def test_a_catalog_cut_in_half_is_reported_as_damaged(tmp_path, make_batch):
    path = tmp_path / "c"
    with Catalog.open_writer(path) as catalog:
        catalog.commit(make_batch({f"/photos/{n}.jpg": n for n in range(400)}))
    data = path / "data.mdb"
    os.truncate(data, data.stat().st_size // 2)
    with pytest.raises(IndexStorageError, match="damaged"):
        Catalog.open_reader(path)


def test_a_catalog_of_an_earlier_schema_is_refused(tmp_path):
    with Catalog.open_writer(tmp_path) as catalog, catalog._write() as txn:
        txn.put(b"schema", (1).to_bytes(8, "big"), db=catalog._db.meta)
        # It had other databases, too.
        txn.drop(catalog._db.names)
    for opening in (Catalog.open_writer, Catalog.open_reader):
        with pytest.raises(IndexMismatch, match="earlier version"):
            opening(tmp_path)
