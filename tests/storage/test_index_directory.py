import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from storage.errors import IndexLocked, IndexMismatch, IndexStorageError, NotAnIndex
from storage.index_directory import MARKER, IndexDirectory

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
from pathlib import Path
from storage.index_directory import IndexDirectory
with IndexDirectory.open(Path(sys.argv[1])).write_lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_directory_is_made_with_its_parents_and_opened_again(tmp_path):
    path = tmp_path / "deep" / "index"
    made = IndexDirectory.create(path)
    assert made.catalog_path == path / "catalog.lmdb"
    assert made.faiss_path == path / "faiss"
    assert IndexDirectory.open(path).path == path
    assert IndexDirectory.create(path).path == path


def test_an_empty_directory_becomes_an_index_and_one_with_other_things_does_not(tmp_path):
    (tmp_path / "empty").mkdir()
    IndexDirectory.create(tmp_path / "empty")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(NotAnIndex, match=r"thesis\.tex"):
        IndexDirectory.create(tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_a_directory_whose_making_was_killed_is_taken_up_again(tmp_path):
    (tmp_path / f".{MARKER}.0a1b.tmp").write_text("{")
    IndexDirectory.create(tmp_path)
    IndexDirectory.open(tmp_path)


def test_a_path_that_is_a_file_or_nothing_is_no_index(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotAnIndex, match="is a file"):
        IndexDirectory.create(tmp_path / "file")
    with pytest.raises(NotAnIndex, match="holds no index"):
        IndexDirectory.open(tmp_path / "file")
    with pytest.raises(NotAnIndex, match="does not exist"):
        IndexDirectory.open(tmp_path / "nothing")
    with pytest.raises(NotAnIndex, match="holds no index"):
        IndexDirectory.open(tmp_path)
    assert not (tmp_path / "nothing").exists()


def test_an_index_of_a_newer_schema_is_refused(tmp_path):
    IndexDirectory.create(tmp_path)
    (tmp_path / MARKER).write_text('{"schema": 99}')
    with pytest.raises(IndexMismatch, match="schema 99"):
        IndexDirectory.open(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "x"}', "\x00\xff"])
def test_a_marker_that_is_damaged_is_said_to_be(tmp_path, content):
    IndexDirectory.create(tmp_path)
    (tmp_path / MARKER).write_text(content)
    with pytest.raises(IndexStorageError, match="damaged"):
        IndexDirectory.open(tmp_path)


def test_a_second_writer_is_told_who_writes_until_the_first_dies(tmp_path):
    directory = IndexDirectory.create(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    with pytest.raises(IndexLocked, match=f"pid {process.pid}"), directory.write_lock():
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with directory.write_lock():
        pass


def test_two_writers_of_one_process_exclude_each_other(tmp_path):
    directory = IndexDirectory.create(tmp_path)
    with directory.write_lock(), pytest.raises(IndexLocked), directory.write_lock():
        pass
    with directory.write_lock():
        pass


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    directory = IndexDirectory.create(tmp_path)
    target = directory.faiss_path / "hashes [1].faiss"
    with directory.replacing(target) as temporary:
        assert temporary.parent == target.parent
        temporary.write_bytes(b"first")
        assert not target.exists()
    with pytest.raises(RuntimeError), directory.replacing(target) as temporary:
        temporary.write_bytes(b"second")
        raise RuntimeError
    assert target.read_bytes() == b"first"
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_temporary_file_left_by_a_kill_is_removed_when_it_is_old(tmp_path):
    directory = IndexDirectory.create(tmp_path)
    target = directory.faiss_path / "a.faiss"
    directory.faiss_path.mkdir()
    old, new = (directory.faiss_path / f".a.faiss.{name}.tmp" for name in ("0000", "1111"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    with directory.replacing(target) as temporary:
        temporary.write_bytes(b"whole")
    assert not old.exists()
    assert new.exists()


def test_a_directory_that_may_not_be_written_to_is_one_line_with_a_remedy():
    folder = Path(tempfile.mkdtemp())
    was = os.geteuid()
    try:
        directory = IndexDirectory.create(folder / "index")
        folder.chmod(0o755)
        directory.path.chmod(0o555)
        closed = folder / "closed"
        closed.mkdir(mode=0)
        if was == 0:
            os.seteuid(65534)
        try:
            IndexDirectory.open(directory.path)
            for attempt in (
                lambda: directory.write_lock().__enter__(),
                lambda: directory.replacing(directory.faiss_path / "a").__enter__(),
                lambda: IndexDirectory.create(folder / "index" / "below"),
                lambda: IndexDirectory.create(closed / "index"),
            ):
                with pytest.raises(IndexStorageError, match=r"cannot be written.*--index"):
                    attempt()
        finally:
            os.seteuid(was)
    finally:
        directory.path.chmod(0o755)
        subprocess.run(["rm", "-r", str(folder)], check=True)
