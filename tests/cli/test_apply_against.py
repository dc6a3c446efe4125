"""`dedup apply` on lists whose keepers are images of a reference index."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.helpers import Dedup, Outcome, fill_gallery, photograph, read_csv
from tests.resolve.apply.worlds import snapshot


@dataclass(frozen=True)
class TwoIndexes:
    """An archive, new pictures of which three are in it already, and the lists of the new ones."""

    archive: Path
    new: Path
    base: Path

    @property
    def delete_list(self) -> Path:
        return self.base / "lists" / "delete.csv"


@pytest.fixture
def two(tmp_path: Path, dedup: Dedup) -> TwoIndexes:
    found = TwoIndexes(tmp_path / "archive", tmp_path / "new", tmp_path)
    fill_gallery(found.archive)
    found.new.mkdir()
    for name in ("chelsea-jpeg.jpg", "coffee-half.jpg", "rocket-again.jpg"):
        shutil.move(found.archive / name, found.new / name)
    shutil.copyfile(photograph("camera.png"), found.new / "camera.png")
    for name in ("archive", "new"):
        dedup("index", tmp_path / name, "--index", tmp_path / f"{name}-index").must_succeed()
    dedup(
        "resolve", "--index", tmp_path / "new-index", "--against", tmp_path / "archive-index",
        "--out", tmp_path / "lists",
    ).must_succeed()  # fmt: skip
    return found


def apply_to(dedup: Dedup, two: TwoIndexes, *more: str | Path) -> Outcome:
    return dedup(
        "apply", two.delete_list, "--index", two.base / "new-index", "--action", "quarantine",
        "--quarantine", two.base / "q", *more,
    )  # fmt: skip


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_keepers_are_looked_up_in_the_reference_index(dedup, two):
    keepers = {Path(row["keep"]).parent for row in read_csv(two.delete_list)}
    assert keepers == {two.archive}
    archive, new = snapshot(two.archive), snapshot(two.new)
    outcome = apply_to(dedup, two, "--yes").must_succeed()
    assert "3 moved to the quarantine, 0 skipped" in outcome.out
    assert names(two.new) == {"camera.png"}
    assert snapshot(two.archive) == archive
    (journal,) = two.delete_list.parent.glob("apply-*.jsonl")
    dedup("undo", journal).must_succeed()
    assert snapshot(two.new) == new


def test_a_keeper_that_changed_in_the_archive_protects_its_copy(dedup, two):
    os.utime(two.archive / "chelsea.png")
    (two.archive / "coffee.png").unlink()
    outcome = apply_to(dedup, two, "--yes", "--json").must_succeed()
    said = json.loads(outcome.out)
    assert said["acted"] == 1
    assert said["skipped"] == {
        "its keeper is gone": 1,
        "its keeper has changed since it was indexed": 1,
    }
    assert names(two.base / "q") == {"rocket-again.jpg"}


def test_a_reference_index_that_was_moved_is_an_error_until_it_is_named(dedup, two):
    moved = two.base / "elsewhere"
    (two.base / "archive-index").rename(moved)
    before = snapshot(two.new)
    apply_to(dedup, two, "--yes").must_fail(5, str(two.base / "archive-index"), "--against")
    assert snapshot(two.new) == before
    apply_to(dedup, two, "--yes", "--against", moved).must_succeed()
    assert names(two.new) == {"camera.png"}


def test_without_the_summary_no_keeper_of_the_archive_is_trusted(dedup, two):
    (two.delete_list.parent / "summary.json").unlink()
    outcome = apply_to(dedup, two, "--yes").must_succeed()
    assert "its keeper is in neither the index nor the reference index: 3" in outcome.out
    assert len(names(two.new)) == 4


def test_what_the_archive_has_come_to_list_is_left_alone(dedup, two):
    dedup("index", two.new, "--index", two.base / "archive-index").must_succeed()
    outcome = apply_to(dedup, two, "--yes").must_succeed()
    assert "the reference index has this file too: 3" in outcome.out
    assert len(names(two.new)) == 4
