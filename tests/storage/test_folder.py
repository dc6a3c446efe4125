import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.errors import BlobChanged, BlobUnreadable, BlobVanished, SourceNotFound
from storage.open_source import SourceOptions, open_source

NOBODY = 65534


def _source(path):
    return open_source(str(path), SourceOptions())


def _names(source):
    return [os.path.relpath(blob.uri, source.uri) for blob in source.list()]


@contextmanager
def _ordinary_user() -> Iterator[None]:
    """Permissions do not bind root, so root becomes somebody else for a while."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that other users may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_images_are_known_by_suffix_in_either_case(tmp_path):
    for name in ("a.JPG", "b.jpeg", "c.HeIc", "d.avif", "e.txt", "jpg", "f.jpg.part", ".g.tif"):
        (tmp_path / name).write_bytes(b"x")
    assert _names(_source(tmp_path)) == [".g.tif", "a.JPG", "b.jpeg", "c.HeIc", "d.avif"]


def test_files_come_in_the_order_of_their_names_folder_by_folder(tmp_path):
    for name in ("b/2.jpg", "b/1.jpg", "a.jpg", "c.jpg", "b.jpg/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert _names(_source(tmp_path)) == ["a.jpg", "b/1.jpg", "b/2.jpg", "b.jpg/x.png", "c.jpg"]


def test_the_root_is_resolved_and_names_below_it_are_not(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").write_bytes(b"content")
    (tmp_path / "real" / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "root").symlink_to("real")
    source = _source(tmp_path / "root" / ".." / "root")
    assert source.uri == str(tmp_path / "real")
    a, link = source.list()
    assert link.uri == str(tmp_path / "real" / "link.jpg")
    assert source.read(link) == b"content"
    assert link.object_id == a.object_id


def test_hard_links_are_two_names_of_one_object_and_copies_are_not(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"content")
    os.link(tmp_path / "a.jpg", tmp_path / "hard.jpg")
    shutil.copy(tmp_path / "a.jpg", tmp_path / "copy.jpg")
    a, copy, hard = _source(tmp_path).list()
    assert a.object_id == hard.object_id
    assert a.object_id != copy.object_id


def test_linked_folders_are_not_entered_so_loops_end(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jpg").write_bytes(b"x")
    (tmp_path / "sub" / "up").symlink_to("..")
    (tmp_path / "sub" / "up.jpg").symlink_to("..")
    assert _names(_source(tmp_path)) == ["sub/a.jpg"]


def test_what_only_has_the_name_of_an_image_is_listed_with_a_reason_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        # Paths of sockets are limited to some 100 characters.
        os.chdir(tmp_path)
        try:
            listening.bind("socket.jpg")
        finally:
            os.chdir(here)
        source = _source(tmp_path)
        blobs = {Path(blob.uri).name: blob for blob in source.list()}
    assert sorted(blobs) == ["broken.jpg", "fifo.jpg", "loop.jpg", "socket.jpg"]
    assert "pipe" in blobs["fifo.jpg"].refusal
    assert "link" in blobs["broken.jpg"].refusal
    for blob in blobs.values():
        with pytest.raises(BlobUnreadable, match=blob.refusal):
            source.read(blob)


def test_a_pipe_that_took_the_place_of_a_file_does_not_hang_the_read(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    source = _source(tmp_path)
    (blob,) = source.list()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises((BlobUnreadable, BlobChanged)):
        source.read(blob)


def test_a_file_that_grows_while_it_is_read_has_changed(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(1000))
    source = _source(tmp_path)
    (blob,) = source.list()
    stop = threading.Event()

    def grow():
        with path.open("ab") as file:
            while not stop.is_set():
                file.write(b"x")
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(BlobChanged):
            for _ in range(1000):
                source.read(blob)
    finally:
        stop.set()
        writer.join()


def test_names_that_are_not_utf8_are_read(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(path, "wb") as file:  # noqa: PTH123 (bytes, which Path does not take)
        file.write(b"content")
    source = _source(tmp_path)
    (blob,) = source.list()
    assert os.fsencode(blob.uri) == path
    assert source.read(blob) == b"content"


def test_a_folder_that_may_not_be_entered_is_reported_and_the_rest_is_listed(shared_folder):
    for name in ("closed/a.jpg", "open/b.jpg"):
        (shared_folder / name).parent.mkdir()
        (shared_folder / name).write_bytes(b"x")
    (shared_folder / "closed").chmod(0)
    source = _source(shared_folder)
    with _ordinary_user():
        assert _names(source) == ["open/b.jpg"]
        assert source.traffic.unlisted == [str(shared_folder / "closed")]
        assert _names(source) == ["open/b.jpg"]
    assert source.traffic.unlisted == [str(shared_folder / "closed")]
    (shared_folder / "closed").chmod(0o755)
    assert _names(source) == ["closed/a.jpg", "open/b.jpg"]
    assert source.traffic.unlisted == []


def test_a_file_that_may_not_be_read_is_unreadable_with_the_reason(shared_folder):
    (shared_folder / "a.jpg").write_bytes(b"x")
    (shared_folder / "a.jpg").chmod(0)
    source = _source(shared_folder)
    with _ordinary_user():
        (blob,) = source.list()
        with pytest.raises(BlobUnreadable, match="Permission denied"):
            source.read(blob)


def test_a_whole_folder_that_went_away_is_not_an_empty_one(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    source = _source(tmp_path / "photos")
    (blob,) = source.list()
    shutil.rmtree(tmp_path / "photos")
    with pytest.raises(SourceNotFound, match="photos"):
        list(source.list())
    with pytest.raises(BlobVanished):
        source.read(blob)


def test_a_file_given_as_a_source_is_refused_with_its_folder(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(SourceNotFound, match="not a folder") as raised:
        _source(tmp_path / "a.jpg")
    assert str(tmp_path) in raised.value.remedy


@pytest.mark.parametrize(
    "location", ["", "  ", "no/such/folder", "~nosuchuser/x", "a\0b", "x" * 999]
)
def test_a_folder_that_is_not_there_is_refused(location):
    with pytest.raises(SourceNotFound):
        open_source(location, SourceOptions())


def test_a_folder_behind_a_closed_door_is_refused_with_the_reason(shared_folder):
    (shared_folder / "closed" / "photos").mkdir(parents=True)
    (shared_folder / "closed").chmod(0)
    with _ordinary_user(), pytest.raises(SourceNotFound, match="Permission denied"):
        _source(shared_folder / "closed" / "photos")
