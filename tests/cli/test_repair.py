"""A damaged index: told, repaired, indexed again, and as it was."""

from __future__ import annotations

import json
from pathlib import Path

import lmdb

from storage.codec import encode_number
from storage.errors import ExitCode
from storage.index_directory import IndexDirectory
from tests.cli.helpers import Dedup, IndexedGallery, dedup_process
from tests.indexer.passes import fingerprint

LISTS = ("keep.csv", "delete.csv", "unreadable.csv")


def lose_a_preview(index: Path) -> None:
    with lmdb.open(str(index / "catalog.lmdb"), max_dbs=64, map_size=1 << 30) as environment:
        previews = environment.open_db(b"previews", create=False)
        with environment.begin(write=True, db=previews) as txn:
            assert txn.delete(encode_number(3))


def lists_of(index: Path, out: Path) -> dict[str, bytes]:
    dedup_process(["resolve", "--index", index, "--out", out], cwd=out.parent).must_succeed()
    return {name: (out / name).read_bytes() for name in LISTS}


def test_a_sound_index_is_said_to_be_sound_and_there_is_nothing_to_repair(
    dedup: Dedup, own_index: IndexedGallery
) -> None:
    out = dedup("info", "--check", "--index", own_index.index).must_succeed().out
    assert "10 blobs, 8 images" in out
    assert "everything is what was written" in out
    assert "Nothing is damaged" in dedup("repair", "--index", own_index.index).must_succeed().out


def test_a_damaged_index_is_repaired_and_gives_the_same_lists(
    dedup: Dedup, own_index: IndexedGallery, tmp_path: Path
) -> None:
    index = own_index.index
    before, lists = fingerprint(index), lists_of(index, tmp_path / "before")
    lose_a_preview(index)
    outcome = dedup("info", "--check", "--index", index)
    outcome.must_fail(ExitCode.STORAGE, "damaged", "dedup repair")
    assert "a part of an image is missing" in outcome.out
    told = json.loads(dedup("info", "--check", "--json", "--index", index).out)
    assert told["check"]["catalog"]["problems"][0]["count"] == 1
    out = dedup("repair", "--index", index).must_succeed().out
    assert "7 images" in out
    assert f"dedup index {own_index.folder}" in out
    dedup("info", "--check", "--index", index).must_succeed()
    report = dedup("index", own_index.folder, "--index", index, "--json").must_succeed()
    assert json.loads(report.out)["new_images"] == 1
    assert fingerprint(index) == before
    assert lists_of(index, tmp_path / "after") == lists


def test_a_damaged_search_index_is_named_and_dropped(
    dedup: Dedup, own_index: IndexedGallery
) -> None:
    faiss = own_index.index / "faiss"
    faiss.mkdir(exist_ok=True)
    (faiss / "efficientnet_lite0.ivfpq").write_bytes(b"half")
    (faiss / "efficientnet_lite0.ivfpq.json").write_text("{}")
    outcome = dedup("info", "--check", "--index", own_index.index)
    outcome.must_fail(ExitCode.STORAGE, "one thing")
    assert "search index of efficientnet_lite0" in outcome.out
    dedup("repair", "--index", own_index.index).must_succeed()
    assert list(faiss.iterdir()) == []
    dedup("info", "--check", "--index", own_index.index).must_succeed()


def test_nothing_is_checked_or_repaired_while_another_process_writes(
    dedup: Dedup, own_index: IndexedGallery
) -> None:
    with IndexDirectory.open(own_index.index).write_lock():
        for command in (["info", "--check"], ["repair"]):
            dedup(*command, "--index", own_index.index).must_fail(ExitCode.LOCKED, "writing")
