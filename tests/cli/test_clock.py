"""A clock that runs backwards, within a run and from one to the next, changes no result."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.cli.helpers import Dedup, IndexedGallery
from tests.indexer.passes import fingerprint

LISTS = ("keep.csv", "delete.csv", "unreadable.csv", "groups.jsonl")


class BackwardClock:
    """Each look at it is an hour before the last one."""

    def __init__(self) -> None:
        self.looks = 0
        self._start = time.time()

    def __call__(self) -> float:
        self.looks += 1
        return self._start - 3600.0 * self.looks


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def all_of_it(dedup: Dedup, folder: Path, index: Path, out: Path, quarantine: Path) -> list[object]:
    """Index, resolve, quarantine, undo; what each has made."""
    results: list[object] = []
    for _ in range(2):
        dedup("index", folder, "--index", index).must_succeed()
        results.append(fingerprint(index))
    dedup("resolve", "--index", index, "--out", out).must_succeed()
    results += [(out / name).read_bytes() for name in LISTS]
    act = ["apply", out / "delete.csv", "--action", "quarantine", "--quarantine", quarantine]
    for _ in range(2):
        dedup(*act, "--index", index, "--yes").must_succeed()
        moved = contents(quarantine)
        results.append({name.partition("/")[2]: it for name, it in moved.items()})
        results.append(contents(folder))
    (journal,) = out.glob("apply-*.jsonl")
    dedup("undo", journal).must_succeed()
    results.append(contents(folder))
    shutil.rmtree(quarantine, ignore_errors=True)
    shutil.rmtree(out)
    shutil.rmtree(index)
    return results


def test_index_resolve_apply_and_undo_do_the_same_while_the_clock_runs_backwards(
    dedup: Dedup, indexed: IndexedGallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(indexed.folder, tmp_path / "gallery"))
    places = folder, tmp_path / "index", tmp_path / "lists", tmp_path / "quarantine"
    calm = all_of_it(dedup, *places)
    clock = BackwardClock()
    monkeypatch.setattr(time, "time", clock)
    assert all_of_it(dedup, *places) == calm
    assert clock.looks > 10
