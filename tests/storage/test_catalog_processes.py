"""What other processes see: kills, concurrent readers, full and read-only disks."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.errors import IndexStorageError

ROOT = Path(__file__).resolve().parents[2]

COMMIT_FOR_EVER = """
import sys
import tempfile
from pathlib import Path
import numpy as np
from hashlib import sha256
from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.records import ImageFeatures, ImageRecord

def image(n):
    digest = sha256(b"%d" % n).digest()
    record = ImageRecord(digest, n, "JPEG", 1, 1, 1, digest[:8], digest, 0.5,
                         np.zeros(64, np.uint8), np.zeros((4, 4, 3), np.uint8))
    return ImageFeatures(record, digest * 200, {"net": np.full(32, n % 100, np.float16)})

with Catalog.open_writer(Path(sys.argv[1])) as catalog:
    start = catalog.last_image_id
    for first in range(start, 10**9, 10):
        images = [image(n) for n in range(first, first + 10)]
        blobs = [IndexedBlob(Blob(f"/p/{n:09}.jpg", n, "e", 0.0), "/p", i.record.digest)
                 for n, i in enumerate(images, first)]
        catalog.commit(CatalogBatch(images=images, indexed=blobs))
        print(first + 10, flush=True)
"""

LIMITED = """
import resource, sys
from pathlib import Path
{limit}
from storage.catalog import Catalog
from storage.errors import IndexStorageError
try:
    with Catalog.open_writer(Path(sys.argv[1])) as catalog:
        for n in range(100):
            catalog.put_verdicts("v", [(b"a" * 31 + bytes([n]), b"b" * 32, bytes(1 << 20))])
    print("all written")
except IndexStorageError as error:
    print(error)
"""


def _run(code: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_process_killed_while_it_commits_leaves_whole_batches(tmp_path):
    path = tmp_path / "c"
    for pause in (0.0, 0.013, 0.037):
        process = _run(COMMIT_FOR_EVER, path)
        seen = int(process.stdout.readline())
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        seen = max([seen, *map(int, process.stdout.read().split())])
        process.wait()
        with Catalog.open_reader(path) as catalog:
            count = catalog.image_count
            assert count >= seen
            assert count % 10 == 0
            assert catalog.image_ids().tolist() == list(range(1, count + 1))
            assert [e.image_id for e in catalog.blobs()] == list(range(1, count + 1))
            assert catalog.last_image_id == sum(catalog.blob_counts.values()) == count
            assert len(catalog.preview(count)) == 6400
            assert sum(len(ids) for ids, _ in catalog.embeddings("net")) == count


def test_a_reader_in_another_process_follows_the_writer(tmp_path):
    path = tmp_path / "c"
    process = _run(COMMIT_FOR_EVER, path)
    try:
        process.stdout.readline()
        with Catalog.open_reader(path) as reader:
            before = reader.image_count
            while int(process.stdout.readline()) <= before:
                pass
            assert reader.image_count > before
            assert reader.image_count % 10 == 0
    finally:
        process.kill()
        process.communicate()


def test_a_limit_on_address_space_makes_the_map_smaller(tmp_path):
    limit = "resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))"
    output, _ = _run(LIMITED.format(limit=limit), tmp_path / "c").communicate()
    assert output == "all written\n"


def test_a_file_that_may_not_grow_is_one_clear_line_and_keeps_what_was_committed(tmp_path):
    path = tmp_path / "c"
    limit = (
        "import signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))"
    )
    output, _ = _run(LIMITED.format(limit=limit), path).communicate()
    assert str(path) in output
    assert "full" in output
    with Catalog.open_reader(path) as catalog:
        assert catalog.verdict(b"a" * 31 + b"\x05", b"b" * 32, "v") == bytes(1 << 20)


def test_a_disk_too_full_for_the_lock_file_is_one_clear_line_and_no_signal(tmp_path, monkeypatch):
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(IndexStorageError, match="is full"):
        Catalog.open_writer(tmp_path / "c")


def test_the_lock_file_lies_on_the_disk_whole(tmp_path):
    with Catalog.open_writer(tmp_path / "c"):
        found = (tmp_path / "c" / "lock.mdb").stat()
        assert found.st_blocks * 512 >= found.st_size > 32_000


def test_a_full_map_names_the_directory_and_the_remedy(tmp_path, monkeypatch, make_batch):
    monkeypatch.setattr("storage.environment.MAP_SIZES", (1 << 20,) * 2)
    with Catalog.open_writer(tmp_path / "c") as catalog:
        with pytest.raises(IndexStorageError, match="ulimit") as raised:
            catalog.commit(make_batch({f"/photos/{n}.jpg": n for n in range(300)}))
        assert str(tmp_path / "c") in str(raised.value)
        catalog.commit(make_batch({"/photos/a.jpg": 1}))
        assert catalog.image_count == 1


def test_a_catalog_that_may_not_be_written_to_is_read_and_not_written(make_batch):
    folder = Path(tempfile.mkdtemp())
    path = folder / "c"
    was = os.geteuid()
    try:
        with Catalog.open_writer(path) as catalog:
            catalog.commit(make_batch({"/photos/a.jpg": 1}))
        folder.chmod(0o755)
        for file in path.iterdir():
            file.chmod(0o444)
        path.chmod(0o555)
        if was == 0:
            os.seteuid(65534)
        try:
            with Catalog.open_reader(path) as catalog:
                assert [entry.uri for entry in catalog.blobs()] == ["/photos/a.jpg"]
            with pytest.raises(IndexStorageError, match=r"cannot be written.*--index"):
                Catalog.open_writer(path)
        finally:
            os.seteuid(was)
    finally:
        path.chmod(0o755)
        shutil.rmtree(folder)
