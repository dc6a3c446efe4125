"""A later resolve works out what is new, and comes to the lists that resolving everything gives."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from benchmarks.scale.filling import digest_of, fill
from benchmarks.scale.verdicts import PlantedVerdicts
from benchmarks.scale.world import Kind, World
from resolve.decisions import Decisions
from resolve.earlier import NAME, key_of, read_earlier, write_earlier
from resolve.lists import COPIED, LIST_FILES, SUMMARY, _Copied, write_lists
from resolve.resolution import Resolution, ResolveOptions
from resolve.resolve import resolve
from search.index_set import IndexSet
from search.options import SearchOptions
from search.self_join import CandidateStatistics, candidate_pairs
from storage.blob import Blob
from storage.blob_columns import BlobColumns
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.index_directory import IndexDirectory

FIRST, ALL = 1400, 1500
# Every pair within reach, so that none depends on how many others there are.
SEARCH = SearchOptions(weak_cap=1000, behind_nearest=2.0, neighbours_cap=2000, nearest=0)


@pytest.fixture(scope="module")
def world() -> World:
    return World.planned(ALL, 64)


class Resolved:
    """One resolve of an index, with what the last one has left, as the command does it."""

    def __init__(self, world: World, index: Path, out: Path, options: ResolveOptions) -> None:
        directory = IndexDirectory.open(index)
        statistics = CandidateStatistics()
        verdicts = PlantedVerdicts(world)
        with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
            indexes = IndexSet.open(directory, catalog, SEARCH)
            key = key_of(catalog, options, SEARCH)
            self.earlier = read_earlier(directory, key, indexes.image_ids)
            searched = None if self.earlier is None else self.earlier.searched
            pairs = candidate_pairs(catalog, indexes, SEARCH, statistics, earlier=searched)
            self.resolution: Resolution = resolve(
                catalog, pairs, verdicts, options, earlier=self.earlier
            )
            written: dict[str, str] = {}
            copied: list[int] = []
            copy = _Copied.write

            def counted(self: _Copied, part: BlobColumns, first: int, *rest: Any) -> int:
                stop = copy(self, part, first, *rest)
                copied.append(stop - first)
                return stop

            with patch.object(_Copied, "write", counted):
                write_lists(self.resolution, catalog, out, written=written)
            assert statistics.searched is not None
            later = self.resolution.for_later(statistics.searched, written)
            assert write_earlier(directory, key, later) == ""
        self.searched_for, self.pairs, self.asked = (
            statistics.images,
            statistics.pairs,
            verdicts.asked,
        )
        self.lists = {name: (out / name).read_bytes() for name in LIST_FILES if name != SUMMARY}
        self.summary = json.loads((out / SUMMARY).read_text())
        self.blobs_looked_at = self.summary["blobs"] - sum(copied)


@pytest.fixture(scope="module")
def first(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    fill(world, folder / "index", stop=FIRST)
    Resolved(world, folder / "index", folder / "lists", ResolveOptions())
    return folder / "index"


@pytest.fixture
def lists(first: Path, tmp_path: Path) -> Path:
    """The lists of the first resolve, beside the index."""
    return Path(shutil.copytree(first.parent / "lists", tmp_path / "lists"))


@pytest.fixture
def index(first: Path, tmp_path: Path, lists: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "index"))


def change(index: Path, batch: CatalogBatch) -> None:
    directory = IndexDirectory.open(index)
    with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
        catalog.commit(batch)


def blob_of(index: Path, number: int) -> IndexedBlob:
    directory = IndexDirectory.open(index)
    with Catalog.open_reader(directory.catalog_path) as catalog:
        image_id = catalog.image_id(digest_of(number))
        assert image_id is not None
        entry = catalog.blobs_of(image_id)[0]
    blob = Blob(entry.uri, entry.size, entry.etag, entry.last_modified)
    return IndexedBlob(blob, entry.source, digest_of(number))


def anew(world: World, index: Path, tmp_path: Path, options: ResolveOptions) -> Resolved:
    (index / NAME).unlink()
    return Resolved(world, index, tmp_path / "anew", options)


def test_with_nothing_new_nothing_is_searched_for_and_the_lists_are_the_same(
    world: World, index: Path, tmp_path: Path
):
    again = Resolved(world, index, tmp_path / "lists", ResolveOptions())
    assert (again.searched_for, again.pairs, again.asked) == (0, 0, 0)
    assert again.resolution.resolved_before == FIRST
    full = anew(world, index, tmp_path, ResolveOptions())
    assert full.searched_for == FIRST
    assert again.lists == full.lists
    assert again.resolution.relations == full.resolution.relations


def test_of_added_images_the_pairs_are_searched_for_and_the_lists_are_those_of_all(
    world: World, index: Path, tmp_path: Path
):
    fill(world, index, start=FIRST)
    later = Resolved(world, index, tmp_path / "lists", ResolveOptions())
    assert later.searched_for == ALL - FIRST
    full = anew(world, index, tmp_path, ResolveOptions())
    assert later.pairs < full.pairs / 4
    assert later.asked < full.asked / 2
    assert later.lists == full.lists


def test_what_is_gone_is_in_no_group_any_more(world: World, index: Path, tmp_path: Path):
    originals = [n for n in range(FIRST) if world.kind[n] == Kind.ORIGINAL][:20]
    change(index, CatalogBatch(removed=[blob_of(index, n).blob.uri for n in originals]))
    later = Resolved(world, index, tmp_path / "lists", ResolveOptions())
    assert later.lists == anew(world, index, tmp_path, ResolveOptions()).lists


def test_copies_that_lost_what_they_were_compared_with_are_compared_with_each_other(
    world: World, index: Path, tmp_path: Path
):
    families = Counter(int(family) for family in world.family[:FIRST] if family >= 0)
    originals = [
        number
        for number in range(FIRST)
        if world.kind[number] == Kind.ORIGINAL and families[int(world.family[number])] >= 3
    ]
    assert len(originals) >= 5
    change(index, CatalogBatch(removed=[blob_of(index, n).blob.uri for n in originals]))
    later = Resolved(world, index, tmp_path / "lists", ResolveOptions())
    assert 2 * len(originals) <= later.searched_for < FIRST / 2
    full = anew(world, index, tmp_path, ResolveOptions())
    assert later.lists == full.lists


def test_nothing_is_searched_for_when_copies_were_deleted_for_their_keeper(
    world: World, index: Path, tmp_path: Path
):
    before = Resolved(world, index, tmp_path / "before", ResolveOptions())
    gone = np.flatnonzero(before.resolution.keeper_of).tolist()
    assert len(gone) > 50
    directory = IndexDirectory.open(index)
    with Catalog.open_reader(directory.catalog_path) as catalog:
        uris = [entry.uri for image_id in gone for entry in catalog.blobs_of(image_id)]
    change(index, CatalogBatch(removed=uris))
    later = Resolved(world, index, tmp_path / "lists", ResolveOptions())
    assert later.searched_for < FIRST / 20
    assert later.lists == anew(world, index, tmp_path, ResolveOptions()).lists


def test_a_file_with_another_name_or_date_is_judged_anew(world: World, index: Path, tmp_path: Path):
    copies = [n for n in range(FIRST) if world.kind[n] == Kind.EDITED][:20]
    moved = [blob_of(index, n) for n in copies]
    batch = CatalogBatch(removed=[blob.blob.uri for blob in moved])
    batch.indexed = [
        replace(blob, blob=replace(blob.blob, uri=blob.blob.uri.replace("IMG", "A")))
        for blob in moved
    ]
    change(index, batch)
    later = Resolved(world, index, tmp_path / "lists", ResolveOptions())
    assert later.searched_for == 0
    assert later.lists == anew(world, index, tmp_path, ResolveOptions()).lists


def test_other_wishes_or_decisions_work_everything_out_anew(
    world: World, index: Path, tmp_path: Path
):
    for options in (
        ResolveOptions(prefer=("oldest",)),
        ResolveOptions(decisions=Decisions(keep=frozenset([digest_of(3)]))),
        ResolveOptions(verifier="another"),
    ):
        assert Resolved(world, index, tmp_path / "other", options).searched_for == FIRST


def test_another_catalog_in_its_place_is_not_taken_for_the_same(
    world: World, index: Path, tmp_path: Path
):
    shutil.rmtree(index / "catalog.lmdb")
    fill(world, index, stop=FIRST)
    assert Resolved(world, index, tmp_path / "other", ResolveOptions()).earlier is None


@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.99])
def test_what_is_damaged_is_worked_out_anew(
    world: World, index: Path, tmp_path: Path, place: float
):
    content = bytearray((index / NAME).read_bytes())
    content[int(place * len(content))] ^= 8
    (index / NAME).write_bytes(content)
    assert Resolved(world, index, tmp_path / "lists", ResolveOptions()).earlier is None


def test_what_is_cut_is_worked_out_anew(world: World, index: Path, tmp_path: Path):
    content = (index / NAME).read_bytes()
    (index / NAME).write_bytes(content[: len(content) // 2])
    assert Resolved(world, index, tmp_path / "lists", ResolveOptions()).earlier is None


def test_with_many_new_images_all_are_searched_for(world: World, tmp_path: Path):
    fill(world, tmp_path / "index", stop=ALL // 2)
    Resolved(world, tmp_path / "index", tmp_path / "lists", ResolveOptions())
    fill(world, tmp_path / "index", start=ALL // 2)
    assert (
        Resolved(world, tmp_path / "index", tmp_path / "lists", ResolveOptions()).searched_for
        == ALL
    )


def test_only_the_rows_of_what_has_changed_are_made_anew(world: World, index: Path, lists: Path):
    again = Resolved(world, index, lists, ResolveOptions())
    assert again.blobs_looked_at < FIRST / 50
    fill(world, index, start=FIRST)
    later = Resolved(world, index, lists, ResolveOptions())
    assert ALL - FIRST <= later.blobs_looked_at < ALL / 3
    full = anew(world, index, lists.parent, ResolveOptions())
    assert full.blobs_looked_at == ALL
    assert later.lists == full.lists
    for name in ("blobs", "keep", "delete", "groups", "bytes", "bytes_to_free", "kept", "deleted"):
        assert later.summary[name] == full.summary[name]


def test_rows_of_files_with_unusual_names_are_taken_over(world: World, index: Path, lists: Path):
    numbers = [*[n for n in range(FIRST) if world.kind[n] != Kind.SINGLE][:60], *range(60)]
    moved = [blob_of(index, n) for n in dict.fromkeys(numbers)]
    batch = CatalogBatch(removed=[blob.blob.uri for blob in moved])
    names = ("a, b", '"', 'c"d",', "e\nf", "g\r", "=1+1", "\udcff", " h", "\u00e9")
    batch.indexed = [
        replace(blob, blob=replace(blob.blob, uri=f"/{names[n % len(names)]}/{n}"))
        for n, blob in enumerate(moved)
    ]
    change(index, batch)
    Resolved(world, index, lists, ResolveOptions())
    fill(world, index, start=FIRST)
    later = Resolved(world, index, lists, ResolveOptions())
    assert later.blobs_looked_at < ALL / 2
    assert later.lists == anew(world, index, lists.parent, ResolveOptions()).lists


@pytest.mark.parametrize("name", COPIED)
def test_lists_that_somebody_has_changed_are_written_anew(
    world: World, index: Path, lists: Path, name: str
):
    content = (lists / name).read_bytes()
    (lists / name).write_bytes(content.replace(b"az://", b"az:/x", 1))
    again = Resolved(world, index, lists, ResolveOptions())
    assert again.blobs_looked_at == FIRST
    assert again.lists[name] == content
