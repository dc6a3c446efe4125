"""A run reads what is new or changed and nothing else, and forgets only what is surely gone."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer import finding
from storage.blob import Blob
from storage.catalog import Catalog
from storage.errors import BlobUnreadable, EmptySource, SourceUnavailable
from storage.folder import FolderSource
from tests.indexer import decoders
from tests.indexer.passes import (
    ColourEmbedder,
    FaultyFolder,
    Listener,
    add_pictures,
    entries,
    fingerprint,
    image_count,
    reasons,
    rewrite,
    run_pass,
)

Photos = dict[str, NDArray[np.uint8]]


class Trouble:
    """Fails the reads of one file with an error, as long as it is set."""

    def __init__(self, name: str, error: Exception | None) -> None:
        self.name = name
        self.error = error

    def __call__(self, blob: Blob) -> None:
        if self.error is not None and Path(blob.uri).name == self.name:
            raise self.error


def test_a_second_run_reads_nothing(gallery: Path, index_path: Path):
    run_pass(gallery, index_path, [ColourEmbedder()])
    before = fingerprint(index_path)
    again = run_pass(gallery, index_path, [ColourEmbedder()])
    assert (again.bytes_read, again.read_requests) == (0, 0)
    assert (again.listed, again.unchanged, again.removed) == (12, 12, 0)
    assert fingerprint(index_path) == before


def test_exactly_what_was_added_changed_or_renamed_is_read(
    tmp_path: Path, index_path: Path, photos: Photos
):
    folder = tmp_path / "gallery"
    paths = add_pictures(folder, photos, 30)
    extract = partial(decoders.counting, tmp_path / "log")
    run_pass(folder, index_path, [ColourEmbedder()], extract=extract)
    added = add_pictures(folder, photos, 10, first=100)
    changed = paths[:3]
    for path, other in zip(changed, add_pictures(tmp_path / "else", photos, 3, 200), strict=True):
        rewrite(path, other.read_bytes())
    removed = paths[3:8]
    for path in removed:
        path.unlink()
    renamed = [path.rename(folder / f"new-{path.name}") for path in paths[8:12]]
    (tmp_path / "log").unlink()

    report = run_pass(folder, index_path, [ColourEmbedder()], extract=extract)

    assert report.read_requests == 17
    read = [*added, *changed, *renamed]
    assert report.bytes_read == sum(path.stat().st_size for path in read)
    assert len((tmp_path / "log").read_text().split()) == 13
    assert (report.listed, report.unchanged) == (35, 18)
    assert (report.new_images, report.aliased, report.removed) == (13, 4, 9)
    assert report.images == 35
    assert entries(index_path).keys() == {path.name for path in folder.iterdir()}

    run_pass(folder, tmp_path / "fresh", [ColourEmbedder()])
    assert fingerprint(index_path) == fingerprint(tmp_path / "fresh")


def test_removed_files_leave_with_image_preview_and_embedding(gallery: Path, index_path: Path):
    run_pass(gallery, index_path, [ColourEmbedder()])
    image_id = entries(index_path)["004.jpg"].image_id
    (gallery / "004.jpg").unlink()
    run_pass(gallery, index_path, [ColourEmbedder()])
    with Catalog.open_reader(index_path / "catalog.lmdb") as catalog:
        assert catalog.image_count == 11
        assert catalog.removals == 1
        for lookup in (
            catalog.record,
            catalog.preview,
            partial(catalog.embedding, "colours"),
        ):
            with pytest.raises(KeyError):
                lookup(image_id)


def test_a_copy_of_a_known_image_is_read_and_not_decoded(gallery: Path, index_path: Path):
    run_pass(gallery, index_path)
    shutil.copyfile(gallery / "000.jpg", gallery / "copy.jpg")
    os.utime(gallery / "001.jpg")
    log = gallery.parent / "log"
    report = run_pass(gallery, index_path, extract=partial(decoders.counting, log))
    assert (report.read_requests, report.aliased, report.new_images) == (2, 2, 0)
    assert not log.exists()
    assert image_count(index_path) == 12


def test_a_new_image_among_many_copies_does_not_wait_for_a_full_batch(
    gallery: Path, index_path: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(finding, "_SHUFFLE_WINDOW", 1)
    run_pass(gallery, index_path)
    add_pictures(gallery, photos, 1, first=50)
    for number in range(40):
        shutil.copyfile(gallery / "000.jpg", gallery / f"copy{number}.jpg")
    # The new one is read first, and then a copy every tenth of a second: never idle.
    listener = Listener()

    def in_order(blobs: Iterator[Blob]) -> Iterator[Blob]:
        yield from sorted(blobs, key=lambda blob: "copy" in blob.uri)

    def slowly(blob: Blob) -> None:
        time.sleep(0.1)

    source = FaultyFolder(gallery, before_read=slowly, listing=in_order)
    run_pass(source, index_path, listener=listener, readers=1, commit_seconds=0.5)
    before_the_end = [counts for _, counts, _ in listener.told if counts["aliased"] < 40]
    assert before_the_end[-1]["new_images"] == 1


def test_files_renamed_in_a_row_keep_their_images(tmp_path: Path, index_path: Path, photos: Photos):
    folder = tmp_path / "gallery"
    paths = add_pictures(folder, photos, 60)
    run_pass(folder, index_path, workers=1)
    # Each takes the name of the next: while one is committed under its new name, the image it
    # left would be without a blob.
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, [contents[-1], *contents[:-1]], strict=True):
        rewrite(path, content)
    report = run_pass(folder, index_path, commit_every=1, readers=4)
    assert (report.listed, report.unreadable, report.unchanged) == (60, 0, 0)
    assert report.images == 60
    run_pass(folder, tmp_path / "fresh")
    assert fingerprint(index_path) == fingerprint(tmp_path / "fresh")


def test_the_same_content_in_another_inode_is_noted_without_reading(
    gallery: Path, index_path: Path
):
    run_pass(gallery, index_path)
    path = gallery / "000.jpg"
    shutil.copy2(path, gallery / "copy")
    (gallery / "copy").replace(path)
    report = run_pass(gallery, index_path)
    assert (report.unchanged, report.read_requests) == (12, 0)
    current = FolderSource(gallery).stat(str(path))
    assert current is not None
    assert entries(index_path)["000.jpg"].object_id == current.object_id


def test_an_indexed_file_that_is_damaged_becomes_unreadable_and_comes_back(
    gallery: Path, index_path: Path
):
    run_pass(gallery, index_path)
    path = gallery / "000.jpg"
    whole = path.read_bytes()
    rewrite(path, b"not any more")
    report = run_pass(gallery, index_path)
    assert (report.unreadable, report.images) == (1, 11)
    assert reasons(index_path).keys() == {"000.jpg"}
    rewrite(path, whole)
    assert run_pass(gallery, index_path).new_images == 1
    assert reasons(index_path) == {}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SourceUnavailable("It timed out."), "unavailable: It timed out."),
        (BlobUnreadable("It is not permitted."), "It is not permitted."),
    ],
)
def test_a_file_that_could_not_be_had_is_read_in_the_next_run(
    gallery: Path, index_path: Path, error: Exception, reason: str
):
    trouble = Trouble("004.jpg", error)
    report = run_pass(FaultyFolder(gallery, before_read=trouble), index_path)
    assert (report.new_images, report.unreadable) == (11, 1)
    assert reasons(index_path) == {"004.jpg": reason}
    trouble.error = None
    report = run_pass(FaultyFolder(gallery, before_read=trouble), index_path)
    assert (report.new_images, report.unchanged, report.read_requests) == (1, 11, 1)


def test_a_file_that_is_refused_is_read_when_it_no_longer_is(gallery: Path, index_path: Path):
    def archived(blobs: Iterator[Blob]) -> Iterator[Blob]:
        for blob in blobs:
            is_archived = blob.uri.endswith("/004.jpg")
            yield replace(blob, refusal="archived") if is_archived else blob

    first = run_pass(FaultyFolder(gallery, listing=archived), index_path)
    assert (first.new_images, first.unreadable, first.read_requests) == (11, 1, 11)
    second = run_pass(FaultyFolder(gallery, listing=archived), index_path)
    assert (second.unchanged, second.read_requests) == (12, 0)
    # Azure leaves the ETag as it is when a blob comes back from the archive.
    third = run_pass(gallery, index_path)
    assert (third.new_images, third.read_requests) == (1, 1)
    assert reasons(index_path) == {}


def test_a_file_that_goes_between_listing_and_reading_is_forgotten(gallery: Path, index_path: Path):
    run_pass(gallery, index_path)
    os.utime(gallery / "004.jpg")
    (gallery / "new.jpg").write_bytes((gallery / "000.jpg").read_bytes())

    def vanish(blob: Blob) -> None:
        if Path(blob.uri).name in ("004.jpg", "new.jpg"):
            Path(blob.uri).unlink()

    report = run_pass(FaultyFolder(gallery, before_read=vanish), index_path)
    assert (report.listed, report.vanished, report.unchanged) == (13, 2, 11)
    assert entries(index_path).keys() == {path.name for path in gallery.iterdir()}
    assert image_count(index_path) == 11


def test_a_file_that_changes_between_listing_and_reading_is_indexed_as_it_is_then(
    gallery: Path, index_path: Path
):
    other = (gallery / "000.jpg").read_bytes()
    changed: list[str] = []

    def change(blob: Blob) -> None:
        if blob.uri.endswith("/004.jpg") and not changed:
            changed.append(blob.uri)
            rewrite(Path(blob.uri), other)

    # One byte: shares of another size than what was acquired would block the second image.
    report = run_pass(FaultyFolder(gallery, before_read=change), index_path, bytes_in_flight=1)
    assert (report.new_images, report.aliased) == (11, 1)
    known = entries(index_path)
    assert known["004.jpg"].image_id == known["000.jpg"].image_id
    assert run_pass(gallery, index_path).read_requests == 0


def test_a_file_that_never_holds_still_is_unavailable_and_read_again(
    gallery: Path, index_path: Path
):
    def touch(blob: Blob) -> None:
        if blob.uri.endswith("/004.jpg"):
            rewrite(Path(blob.uri), Path(blob.uri).read_bytes())

    report = run_pass(FaultyFolder(gallery, before_read=touch), index_path)
    assert (report.new_images, report.unreadable) == (11, 1)
    assert reasons(index_path)["004.jpg"].startswith("unavailable: ")
    assert run_pass(gallery, index_path).new_images == 1


def test_a_source_that_cannot_be_asked_about_a_changed_file_makes_it_unavailable(
    gallery: Path, index_path: Path
):
    class Deaf(FaultyFolder):
        def stat(self, uri: str) -> Blob | None:
            raise SourceUnavailable("It timed out.")

    def change(blob: Blob) -> None:
        if blob.uri.endswith("/004.jpg"):
            rewrite(Path(blob.uri), b"other")

    report = run_pass(Deaf(gallery, before_read=change), index_path)
    assert (report.new_images, report.unreadable) == (11, 1)
    assert reasons(index_path) == {"004.jpg": "unavailable: It timed out."}


def test_a_file_that_became_a_pipe_since_it_was_listed_is_refused(gallery: Path, index_path: Path):
    def replace_by_pipe(blob: Blob) -> None:
        if blob.uri.endswith("/004.jpg"):
            Path(blob.uri).unlink()
            os.mkfifo(blob.uri)

    run_pass(FaultyFolder(gallery, before_read=replace_by_pipe), index_path)
    assert "a named pipe, not a file" in reasons(index_path)["004.jpg"]


def test_an_empty_source_leaves_the_index_as_it_is(gallery: Path, index_path: Path):
    run_pass(gallery, index_path)
    before = fingerprint(index_path)
    for path in gallery.iterdir():
        path.unlink()
    with pytest.raises(EmptySource, match="Nothing was removed"):
        run_pass(gallery, index_path)
    assert fingerprint(index_path) == before


def test_one_empty_source_of_two_removes_nothing(gallery: Path, tmp_path: Path, index_path: Path):
    run_pass(gallery, index_path)
    (gallery / "000.jpg").unlink()
    (tmp_path / "unmounted").mkdir()
    with pytest.raises(EmptySource):
        run_pass([FolderSource(gallery), FolderSource(tmp_path / "unmounted")], index_path)
    assert len(entries(index_path)) == 12


def test_a_folder_that_may_not_be_looked_into_keeps_its_images(
    gallery: Path, index_path: Path, photos: Photos
):
    add_pictures(gallery / "inner", photos, 3, first=50)
    run_pass(gallery, index_path)
    (gallery / "000.jpg").unlink()
    report = run_pass(FaultyFolder(gallery, unlisted=[gallery / "inner"]), index_path)
    assert (report.listed, report.removed) == (11, 1)
    assert report.unlisted == [str(gallery / "inner")]
    assert {"050.jpg", "051.jpg", "052.jpg"} < entries(index_path).keys()


def test_a_source_that_is_not_named_this_time_keeps_its_images(
    gallery: Path, tmp_path: Path, index_path: Path, photos: Photos
):
    # A name that begins like the other's.
    add_pictures(tmp_path / "gallery-2", photos, 3, first=50)
    run_pass([FolderSource(gallery), FolderSource(tmp_path / "gallery-2")], index_path)
    (gallery / "000.jpg").unlink()
    assert run_pass(gallery, index_path).removed == 1
    assert len(entries(index_path)) == 14


def test_a_listing_that_breaks_off_removes_nothing_and_the_next_run_carries_on(
    gallery: Path, index_path: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch
):
    # Reading begins before the listing has ended when it is longer than this.
    monkeypatch.setattr(finding, "_SHUFFLE_WINDOW", 4)
    run_pass(gallery, index_path)
    (gallery / "000.jpg").unlink()
    add_pictures(gallery, photos, 30, first=100)

    def broken(blobs: Iterator[Blob]) -> Iterator[Blob]:
        for number, blob in enumerate(blobs):
            if number == 30:
                time.sleep(1.0)
                raise SourceUnavailable("The connection was lost.")
            yield blob

    with pytest.raises(SourceUnavailable, match="The connection was lost"):
        run_pass(FaultyFolder(gallery, listing=broken), index_path)
    known = entries(index_path)
    assert "000.jpg" in known
    assert len(known) > 12
    report = run_pass(gallery, index_path)
    assert report.read_requests == 12 + 30 - len(known)
    assert entries(index_path).keys() == {path.name for path in gallery.iterdir()}


def test_what_an_image_is_described_with_does_not_depend_on_the_run(
    gallery: Path, index_path: Path, tmp_path: Path, photos: Photos
):
    run_pass(gallery, index_path, [ColourEmbedder()], batch_size=4)
    add_pictures(gallery, photos, 5, first=40)
    run_pass(gallery, index_path, [ColourEmbedder()])
    run_pass(gallery, tmp_path / "fresh", [ColourEmbedder()])
    assert fingerprint(index_path) == fingerprint(tmp_path / "fresh")
