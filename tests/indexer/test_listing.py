"""Listings that are carried on, runs that look at a part, and what is gone in either case."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer import listing
from indexer.selection import Selection
from storage.blob import Blob
from storage.catalog import Catalog
from storage.errors import EmptySource, ListingExpired, SourceUnavailable
from storage.folder import FolderSource
from storage.source import BlobPage, SourceTraffic
from tests.indexer.passes import (
    ColourEmbedder,
    add_pictures,
    entries,
    fingerprint,
    rewrite,
    run_pass,
)

Photos = dict[str, NDArray[np.uint8]]


class PagedFolder:
    """A folder that lists three names at a time, and forgets or breaks off where a test says so.

    Args:
        breaks_before: the page whose listing fails, from 1 on; 0 for none.
        is_forgetful: whether it knows its own markers.
    """

    def __init__(self, root: Path, *, breaks_before: int = 0, is_forgetful: bool = False) -> None:
        self._folder = FolderSource(root)
        self._breaks_before = breaks_before
        self._is_forgetful = is_forgetful
        self.asked: list[str] = []

    @property
    def uri(self) -> str:
        return self._folder.uri

    @property
    def traffic(self) -> SourceTraffic:
        return self._folder.traffic

    def check(self) -> None:
        """It is there."""

    def list(self) -> Iterator[Blob]:
        for page in self.pages():
            yield from page.blobs

    def pages(self, marker: str = "") -> Iterator[BlobPage]:
        if marker and self._is_forgetful:
            raise ListingExpired("Never heard of it.")
        names = (blob for blob in self._folder.list() if blob.uri > marker)
        page = list(islice(names, 3))
        while True:
            if self._breaks_before and len(self.asked) + 1 == self._breaks_before:
                raise SourceUnavailable("The connection was lost.")
            self.asked.append(Path(marker).name)
            following = list(islice(names, 3))
            marker = page[-1].uri if following else ""
            yield BlobPage(page, marker, is_last=not following)
            if not following:
                return
            page = following

    def read(self, blob: Blob) -> bytes:
        return self._folder.read(blob)

    def stat(self, uri: str) -> Blob | None:
        return self._folder.stat(uri)

    def close(self) -> None:
        self._folder.close()


def break_off(folder: Path, index_path: Path, page: int, **options) -> None:
    with pytest.raises(SourceUnavailable):
        run_pass(PagedFolder(folder, breaks_before=page), index_path, **options)


def names_in(index_path: Path) -> set[str]:
    return set(entries(index_path))


def names_of(numbers: Sequence[int]) -> set[str]:
    return {f"{number:03}.jpg" for number in numbers}


def test_a_run_carries_on_where_the_listing_broke_off(gallery: Path, index_path: Path):
    break_off(gallery, index_path, 3)
    source = PagedFolder(gallery)
    report = run_pass(source, index_path)
    assert source.asked == ["005.jpg", "008.jpg"]
    assert (report.listed, report.carried_names, report.removed) == (12, 6, 0)
    assert report.carried_from > 0
    assert names_in(index_path) == names_of(range(12))


def test_the_end_is_that_of_an_undisturbed_run(gallery: Path, index_path: Path, tmp_path: Path):
    for page in (2, 2, 2):
        break_off(gallery, index_path, page, embedders=[ColourEmbedder()])
    run_pass(PagedFolder(gallery), index_path, [ColourEmbedder()])
    run_pass(gallery, tmp_path / "fresh", [ColourEmbedder()])
    assert fingerprint(index_path) == fingerprint(tmp_path / "fresh")


def test_what_was_listed_and_not_read_is_read_by_the_next_run(gallery: Path, index_path: Path):
    # The window holds all of it back when the listing breaks off.
    break_off(gallery, index_path, 4)
    assert names_in(index_path) == set()
    report = run_pass(PagedFolder(gallery), index_path)
    assert (report.new_images, report.carried_names) == (12, 9)


def test_what_was_listed_to_the_end_is_not_listed_at_all(
    gallery: Path, index_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def leave_before_the_end(self: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(listing.Lister, "forget", leave_before_the_end)
        with pytest.raises(KeyboardInterrupt):
            run_pass(PagedFolder(gallery), index_path)
    source = PagedFolder(gallery)
    report = run_pass(source, index_path)
    assert source.asked == []
    assert (report.listed, report.unchanged, report.carried_names) == (12, 12, 12)


def test_a_finished_run_leaves_nothing_to_carry_on(gallery: Path, index_path: Path):
    run_pass(PagedFolder(gallery), index_path)
    source = PagedFolder(gallery)
    report = run_pass(source, index_path)
    assert len(source.asked) == 4
    assert (report.carried_names, report.carried_from) == (0, 0.0)


def test_what_was_listed_before_the_break_is_not_gone(gallery: Path, index_path: Path):
    run_pass(gallery, index_path)
    break_off(gallery, index_path, 3)
    report = run_pass(PagedFolder(gallery), index_path)
    assert report.removed == 0
    assert names_in(index_path) == names_of(range(12))


def test_what_is_gone_is_noticed_on_both_sides_of_the_break(gallery: Path, index_path: Path):
    run_pass(gallery, index_path)
    (gallery / "001.jpg").unlink()
    (gallery / "010.jpg").unlink()
    break_off(gallery, index_path, 3)
    report = run_pass(PagedFolder(gallery), index_path)
    assert report.removed == 2
    assert names_in(index_path) == names_of([0, *range(2, 10), 11])


def test_what_goes_after_it_was_listed_stays_until_it_is_listed_again(
    gallery: Path, index_path: Path
):
    run_pass(gallery, index_path)
    break_off(gallery, index_path, 3)
    (gallery / "001.jpg").unlink()
    assert run_pass(PagedFolder(gallery), index_path).removed == 0
    assert run_pass(PagedFolder(gallery), index_path).removed == 1


def test_what_another_run_added_where_it_had_been_listed_is_not_gone(
    gallery: Path, index_path: Path, photos: Photos
):
    add_pictures(gallery / "inner", photos, 3, first=50)
    break_off(gallery, index_path, 5)
    add_pictures(gallery / "inner", photos, 2, first=60)
    run_pass(gallery / "inner", index_path)
    source = PagedFolder(gallery)
    report = run_pass(source, index_path)
    # The listing was begun again: it would have passed them over.
    assert len(source.asked) == 6
    assert (report.carried_names, report.removed, report.listed) == (0, 0, 17)


def test_another_selection_lists_from_the_beginning(gallery: Path, index_path: Path):
    break_off(gallery, index_path, 3)
    source = PagedFolder(gallery)
    run_pass(source, index_path, selection=Selection(exclude=("003.jpg",)))
    assert len(source.asked) == 4
    assert names_in(index_path) == names_of([0, 1, 2, *range(4, 12)])


def test_a_listing_that_is_too_old_is_not_carried_on(
    gallery: Path, index_path: Path, monkeypatch: pytest.MonkeyPatch
):
    break_off(gallery, index_path, 3)
    monkeypatch.setattr(listing, "_LONGEST_CARRY_SECONDS", -1.0)
    source = PagedFolder(gallery)
    assert run_pass(source, index_path).carried_names == 0
    assert len(source.asked) == 4


def test_a_marker_that_the_service_has_forgotten_begins_again_and_counts_once(
    gallery: Path, index_path: Path
):
    run_pass(gallery, index_path)
    (gallery / "001.jpg").unlink()
    (gallery / "010.jpg").unlink()
    break_off(gallery, index_path, 3)
    source = PagedFolder(gallery, is_forgetful=True)
    report = run_pass(source, index_path)
    assert (report.listed, report.unchanged, report.removed) == (10, 10, 2)
    assert report.read_requests == 0


def test_each_of_several_sources_is_carried_on_by_itself(
    gallery: Path, index_path: Path, tmp_path: Path, photos: Photos
):
    add_pictures(tmp_path / "other", photos, 7, first=50)
    with pytest.raises(SourceUnavailable):
        run_pass(
            [PagedFolder(gallery), PagedFolder(tmp_path / "other", breaks_before=2)], index_path
        )
    sources = [PagedFolder(gallery), PagedFolder(tmp_path / "other")]
    report = run_pass(sources, index_path)
    assert [source.asked for source in sources] == [[], ["052.jpg", "055.jpg"]]
    assert (report.listed, report.carried_names, report.removed) == (19, 15, 0)


def test_an_empty_source_is_looked_at_again(tmp_path: Path, index_path: Path, photos: Photos):
    folder = tmp_path / "gallery"
    folder.mkdir()
    for _ in range(2):
        with pytest.raises(EmptySource):
            run_pass(PagedFolder(folder), index_path)
    add_pictures(folder, photos, 2)
    assert run_pass(PagedFolder(folder), index_path).new_images == 2


def test_excluded_blobs_are_not_read_and_not_gone(gallery: Path, index_path: Path):
    run_pass(gallery, index_path, selection=Selection(exclude=("00[6-9].jpg",)))
    assert names_in(index_path) == names_of([*range(6), 10, 11])
    rewrite(gallery / "000.jpg", (gallery / "011.jpg").read_bytes())
    report = run_pass(gallery, index_path, selection=Selection(include=("01?.jpg", "00[6-9].jpg")))
    assert (report.listed, report.excluded, report.new_images) == (12, 6, 4)
    assert (report.left_known, report.left_changed, report.removed) == (6, 1, 0)
    assert names_in(index_path) == names_of(range(12))


def test_what_is_gone_is_noticed_though_the_run_does_not_look_at_it(
    gallery: Path, index_path: Path
):
    run_pass(gallery, index_path)
    (gallery / "003.jpg").unlink()
    report = run_pass(gallery, index_path, selection=Selection(include=("01?.jpg",)))
    assert (report.removed, report.excluded, report.left_known) == (1, 9, 9)
    assert names_in(index_path) == names_of([0, 1, 2, *range(4, 12)])


def test_patterns_that_nothing_passes_are_an_error_that_removes_nothing(
    gallery: Path, index_path: Path
):
    run_pass(gallery, index_path)
    (gallery / "003.jpg").unlink()
    with pytest.raises(EmptySource, match="--include"):
        run_pass(gallery, index_path, selection=Selection(include=("*.jpeg",)))
    assert len(names_in(index_path)) == 12


def test_only_what_was_modified_since_is_read_and_nothing_else_is_gone(
    gallery: Path, index_path: Path
):
    for number in range(12):
        os.utime(gallery / f"{number:03}.jpg", (1000.0 * number, 1000.0 * number))
    report = run_pass(gallery, index_path, selection=Selection(since=8000.0))
    assert (report.listed, report.older, report.new_images) == (12, 8, 4)
    assert names_in(index_path) == names_of(range(8, 12))
    run_pass(gallery, index_path)
    again = run_pass(gallery, index_path, selection=Selection(since=11_000.0))
    assert (again.older, again.left_known, again.unchanged, again.removed) == (11, 11, 1, 0)
    assert len(names_in(index_path)) == 12


def test_a_date_after_everything_is_no_error(gallery: Path, index_path: Path):
    report = run_pass(gallery, index_path, selection=Selection(since=4e9))
    assert (report.older, report.images) == (12, 0)


def test_a_folder_is_listed_anew_by_each_run(gallery: Path, index_path: Path):
    run_pass(gallery, index_path)
    with Catalog.open_writer(index_path / "catalog.lmdb") as catalog:
        assert list(catalog.listed_pages(str(gallery))) == []
