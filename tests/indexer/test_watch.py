"""Looking again and again: when, at what, and what an error or a lost hint does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.run_report import IndexReport
from indexer.selection import Selection
from indexer.watch import Watch
from storage.catalog import Catalog
from storage.changes import Changes
from storage.errors import (
    CredentialsError,
    DedupError,
    EmptySource,
    IndexLocked,
    IndexStorageError,
    SourceUnavailable,
)
from storage.folder import FolderSource
from tests.indexer.passes import ColourEmbedder, add_pictures, entries, fingerprint, run_pass
from tests.indexer.test_listing import PagedFolder, break_off

Photos = dict[str, NDArray[np.uint8]]


class Ended(BaseException):
    """The time of the test is over."""


@dataclass
class World:
    """A folder, an index, a clock that only sleeping moves, and a queue of hints."""

    folder: Path
    index_path: Path
    now: float = 0.0
    waiting: list[tuple[str, ...]] = field(default_factory=list)
    confirmed: list[tuple[str, ...]] = field(default_factory=list)
    happens: dict[float, object] = field(default_factory=dict)
    listings: list[float] = field(default_factory=list)
    looks: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    errors: list[DedupError] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    reports: list[IndexReport] = field(default_factory=list)
    fault: DedupError | None = None
    not_understood: int = 0
    what: str = "the queue"

    def watch(self, until: float, *, has_changes: bool = True, relist: float = 1000.0) -> None:
        watch = Watch(
            self._list_all,
            self._look_at,
            [self] if has_changes else [],
            interval=10.0,
            relist_interval=relist,
            listener=self,
            clock=lambda: self.now,
            sleep=lambda seconds: self._sleep(seconds, until),
        )
        with pytest.raises(Ended):
            watch.run()

    def hint(self, *names: str) -> None:
        self.waiting.append(tuple(str(self.folder / name) for name in names))

    def poll(self) -> Changes:
        if self.fault is not None:
            raise self.fault
        names = self.waiting[0] if self.waiting else ()
        return Changes(names, len(names), self.not_understood)

    def confirm(self, changes: Changes) -> None:
        self.confirmed.append(self.waiting.pop(0))

    def close(self) -> None: ...

    def on_report(self, report: IndexReport, reason: str) -> None:
        self.reports.append(report)

    def on_error(self, error: DedupError) -> None:
        self.errors.append(error)

    def on_ignored(self, what: str, messages: int) -> None:
        self.ignored.append(messages)

    def _sleep(self, seconds: float, until: float) -> None:
        self.now += seconds
        if self.now > until:
            raise Ended
        for at in sorted(at for at in self.happens if at <= self.now):
            self.happens.pop(at)()  # type: ignore[operator]

    def _list_all(self) -> IndexReport:
        if self.fault is not None:
            raise self.fault
        self.listings.append(self.now)
        return run_pass(self.folder, self.index_path)

    def _look_at(self, names: Sequence[str]) -> IndexReport:
        self.looks.append((self.now, tuple(Path(name).name for name in names)))
        return look_at(self.folder, self.index_path, names)


def look_at(folder: Path, index_path: Path, names: Sequence[str | Path], **options) -> IndexReport:
    return run_pass(folder, index_path, names=[str(name) for name in names], **options)


@pytest.fixture
def world(gallery: Path, index_path: Path) -> World:
    return World(gallery, index_path)


def test_without_hints_everything_is_listed_at_each_interval(world: World, photos: Photos):
    world.happens[15.0] = lambda: add_pictures(world.folder, photos, 1, first=50)
    world.watch(until=35.0, has_changes=False)
    assert world.listings == [0.0, 10.0, 20.0, 30.0]
    assert [report.new_images for report in world.reports] == [12, 0, 1, 0]


def test_with_hints_only_what_they_name_is_looked_at(world: World, photos: Photos):
    def upload() -> None:
        add_pictures(world.folder, photos, 2, first=50)
        world.hint("050.jpg", "051.jpg")
        world.hint("050.jpg")

    world.happens[5.0] = upload
    world.watch(until=35.0)
    assert world.listings == [0.0]
    assert world.looks == [(10.0, ("050.jpg", "051.jpg")), (10.0, ("050.jpg",))]
    assert [(one.listed, one.new_images) for one in world.reports] == [(12, 12), (2, 2), (1, 0)]
    assert len(world.confirmed) == 2


def test_a_lost_hint_loses_no_image(world: World, photos: Photos):
    world.happens[5.0] = lambda: add_pictures(world.folder, photos, 1, first=50)
    world.watch(until=55.0, relist=40.0)
    assert world.listings == [0.0, 40.0]
    assert "050.jpg" in entries(world.index_path)


@pytest.mark.parametrize(
    "error", [SourceUnavailable("It is down."), CredentialsError("No."), IndexLocked("In use.")]
)
def test_a_look_that_fails_is_tried_again_and_loses_no_hint(
    world: World, photos: Photos, error: DedupError
):
    def fail() -> None:
        world.fault = error
        add_pictures(world.folder, photos, 1, first=50)
        world.hint("050.jpg")

    def mend() -> None:
        world.fault = None

    world.happens[5.0] = fail
    world.happens[25.0] = mend
    world.watch(until=35.0)
    assert world.errors == [error, error]
    assert world.looks == [(30.0, ("050.jpg",))]


def test_a_listing_that_fails_is_due_at_the_next_interval(world: World):
    def fail() -> None:
        world.fault = SourceUnavailable("It is down.")

    def mend() -> None:
        world.fault = None

    world.happens[15.0] = fail
    world.happens[25.0] = mend
    world.watch(until=45.0, relist=20.0)
    assert world.listings == [0.0, 30.0]


def test_what_waiting_does_not_mend_ends_the_watch(world: World):
    def fail() -> None:
        world.fault = IndexStorageError("The disk is full.")

    world.happens[5.0] = fail
    with pytest.raises(IndexStorageError):
        Watch(
            world._list_all,
            world._look_at,
            [world],
            10.0,
            100.0,
            world,
            lambda: world.now,
            lambda s: world._sleep(s, 99.0),
        ).run()


def test_the_first_look_must_succeed_unless_there_is_nothing_yet(
    world: World, tmp_path: Path, photos: Photos
):
    world.fault = CredentialsError("No.")
    with pytest.raises(CredentialsError):
        Watch(world._list_all, world._look_at, [], 10.0, 10.0, world).run()
    empty = World(tmp_path / "empty", tmp_path / "other-index")
    empty.folder.mkdir()
    empty.happens[15.0] = lambda: add_pictures(empty.folder, photos, 1)
    empty.watch(until=25.0, has_changes=False)
    assert [type(error) for error in empty.errors] == [EmptySource, EmptySource]
    assert [report.new_images for report in empty.reports] == [1]


def test_messages_of_somebody_else_are_reported(world: World):
    world.not_understood = 3
    world.watch(until=15.0)
    assert world.ignored == [3]


def test_a_look_that_takes_longer_than_the_interval_is_followed_at_once(world: World):
    took = iter([25.0, 1.0, 1.0])

    def slowly() -> IndexReport:
        world.listings.append(world.now)
        world.now += next(took)
        return run_pass(world.folder, world.index_path)

    watch = Watch(
        slowly,
        world._look_at,
        [],
        10.0,
        10.0,
        world,
        lambda: world.now,
        lambda s: world._sleep(s, 40.0),
    )
    with pytest.raises(Ended):
        watch.run()
    assert world.listings == [0.0, 25.0, 35.0]


def test_named_blobs_are_new_changed_unchanged_or_gone_and_nothing_else_is(
    gallery: Path, index_path: Path, photos: Photos, tmp_path: Path
):
    run_pass(gallery, index_path, [ColourEmbedder()])
    add_pictures(gallery, photos, 1, first=50)
    (gallery / "000.jpg").write_bytes((gallery / "011.jpg").read_bytes())
    (gallery / "001.jpg").unlink()
    (gallery / "002.jpg").unlink()
    (gallery / "notes.txt").write_text("not an image")
    (gallery / "sub").mkdir()
    named = [
        *("050.jpg", "000.jpg", "001.jpg", "003.jpg", "003.jpg"),
        *("never-was.jpg", "notes.txt", "sub", "../elsewhere.jpg"),
    ]
    report = look_at(
        gallery, index_path, [f"{gallery}/{name}" for name in named], embedders=[ColourEmbedder()]
    )
    assert (report.listed, report.new_images, report.aliased, report.unchanged) == (3, 1, 1, 1)
    # 002.jpg has gone too, but nobody said so.
    assert report.removed == 1
    assert "002.jpg" in entries(index_path)
    run_pass(gallery, index_path, [ColourEmbedder()])
    run_pass(gallery, tmp_path / "fresh", [ColourEmbedder()])
    assert fingerprint(index_path) == fingerprint(tmp_path / "fresh")


def test_named_blobs_that_a_selection_leaves_out_are_left_out(gallery: Path, index_path: Path):
    names = [gallery / "000.jpg", gallery / "001.jpg"]
    report = look_at(gallery, index_path, names, selection=Selection(exclude=("000*",)))
    assert (report.listed, report.excluded, report.new_images) == (2, 1, 1)


def test_names_of_no_source_are_passed_over(gallery: Path, index_path: Path, tmp_path: Path):
    report = look_at(gallery, index_path, [tmp_path / "gallery-2" / "a.jpg", "az://acme/p/a.jpg"])
    assert (report.listed, report.removed) == (0, 0)


def test_what_is_added_by_name_makes_an_unfinished_listing_begin_again(
    gallery: Path, index_path: Path, photos: Photos
):
    break_off(gallery, index_path, 3)
    add_pictures(gallery / "000", photos, 1, first=50)
    look_at(gallery, index_path, [gallery / "000" / "050.jpg"])
    with Catalog.open_writer(index_path / "catalog.lmdb") as catalog:
        assert list(catalog.listed_pages(str(gallery))) == []
    report = run_pass(PagedFolder(gallery), index_path)
    assert (report.removed, report.carried_names, report.listed) == (0, 0, 13)


def test_the_counts_of_a_pass_are_its_own_though_the_source_goes_on(
    gallery: Path, index_path: Path, photos: Photos
):
    source = FolderSource(gallery)
    first = run_pass(source, index_path)
    add_pictures(gallery, photos, 1, first=50)
    second = run_pass(source, index_path)
    assert (first.read_requests, second.read_requests) == (12, 1)
    assert second.bytes_read == (gallery / "050.jpg").stat().st_size
    assert source.traffic.read_requests == 13
