"""LMDB environments as the catalog needs them.

LMDB allows one opening of a file per process (a second one would drop the first one's locks), so
openings of one catalog in one process share an environment.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import lmdb

from storage.durable import make_folders, sync_path
from storage.errors import IndexStorageError, NotAnIndex
from storage.faults import damaged, storage_faults
from storage.whole import can_be_read

# The file grows as it fills; the map is only address space. Smaller ones are for processes with a
# limit on that.
MAP_SIZES = (1 << 40, 1 << 38, 1 << 36, 1 << 34, 1 << 32, 1 << 30)
# To make an empty file; the next opening has a map of its own size.
_LEAST_MAP = 1 << 20
MAX_DATABASES = 32
MAX_READERS = 512
# 64 bytes a reader, and a head.
LOCK_BYTES = 64 * MAX_READERS + 128


@dataclass(slots=True)
class _Shared:
    environment: lmdb.Environment
    is_writable: bool
    openings: int


_open: dict[Path, _Shared] = {}
_guard = threading.Lock()


def open_environment(
    path: Path, *, is_writable: bool, is_whole_required: bool = True
) -> lmdb.Environment:
    """The LMDB environment in the directory `path`; every call is paired with a release.

    Args:
        is_whole_required: False for who reads what is left of a damaged file, and may die of it.

    Raises:
        NotAnIndex: to be read, and not there.
        IndexStorageError: damaged, not permitted, or the disk is full.
    """
    key = path.resolve()
    with _guard:
        shared = _open.get(key)
        if shared is None:
            environment = _open_new(key, is_writable, is_whole_required)
            shared = _Shared(environment, is_writable, 0)
            _open[key] = shared
        elif is_writable and not shared.is_writable:
            raise IndexStorageError(
                f"The catalog in {path} is open for reading in this process.",
                "Close it before it is opened for writing.",
            )
        shared.openings += 1
        return shared.environment


def release_environment(path: Path) -> None:
    """Give one opening back; the last one closes the environment."""
    key = path.resolve()
    with _guard:
        shared = _open[key]
        shared.openings -= 1
        if shared.openings == 0:
            del _open[key]
            expected = _expected_size(shared.environment)
            shared.environment.close()
            if shared.is_writable:
                _lengthen(key / "data.mdb", expected)


def _expected_size(environment: lmdb.Environment) -> int:
    return int((environment.info()["last_pgno"] + 1) * environment.stat()["psize"])


def _lengthen(data: Path, size: int) -> None:
    """Up to its last page: then a file that is shorter than that has been cut, or its process was
    killed, and only then does the next opening have to find out which (`storage.whole`)."""
    with suppress(OSError):
        if data.stat().st_size < size:
            os.truncate(data, size)


def _open_new(path: Path, is_writable: bool, is_whole_required: bool) -> lmdb.Environment:
    data = path / "data.mdb"
    with storage_faults(path):
        if is_writable:
            make_folders(path)
            if not data.exists():
                _make_data_file(data)
        elif not data.is_file():
            raise NotAnIndex(f"There is no catalog in {path}.", "Make one with `dedup index`.")
        environment = _map(path, is_writable)
        expected = _expected_size(environment)
        size = data.stat().st_size
        if is_whole_required and size < expected and not can_be_read(path):
            environment.close()
            raise damaged(path, f"data.mdb has {size} bytes where {expected} belong")
        if is_writable:
            environment.reader_check()
        return environment


def _make_data_file(data: Path) -> None:
    """An empty environment under a name of its own, which takes its name when it is on the disk.

    LMDB makes the file under its own name, syncs neither its head nor its name, and takes a file
    without a head for a damaged one: a loss of power could leave that, or take away a file that
    much had been committed to.
    """
    new = data.with_name(".data.mdb.new")
    new.unlink(missing_ok=True)
    try:
        lmdb.open(str(new), map_size=_LEAST_MAP, subdir=False, lock=False).close()
        sync_path(new)
        new.replace(data)
        sync_path(data.parent)
    finally:
        new.unlink(missing_ok=True)


def _map(path: Path, is_writable: bool) -> lmdb.Environment:
    for map_size in MAP_SIZES[:-1]:
        try:
            return _open_with(path, is_writable, map_size)
        except lmdb.MemoryError:
            continue
    return _open_with(path, is_writable, MAP_SIZES[-1])


def _open_with(path: Path, is_writable: bool, map_size: int) -> lmdb.Environment:
    if is_writable:
        return _lmdb_open(path, map_size, readonly=False, lock=True)
    try:
        return _lmdb_open(path, map_size, readonly=True, lock=True)
    except lmdb.ReadonlyError:
        # The lock file is where readers sign in. On a read-only copy nobody writes.
        return _lmdb_open(path, map_size, readonly=True, lock=False)


def _reserve_lock_file(path: Path) -> None:
    """Take the place that LMDB's lock file needs, or fail now for want of it.

    LMDB makes the file as long as it must be, without any blocks, and writes through a map of it:
    on a full disk that ends the process with SIGBUS. Nobody in this process may have it open, for
    closing it gives up what LMDB has locked in it.
    """
    try:
        descriptor = os.open(path / "lock.mdb", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            # A copy that may only be read.
            return
        raise
    try:
        os.posix_fallocate(descriptor, 0, LOCK_BYTES)
    finally:
        os.close(descriptor)


def _lmdb_open(path: Path, map_size: int, *, readonly: bool, lock: bool) -> lmdb.Environment:
    if lock:
        _reserve_lock_file(path)
    return lmdb.open(
        str(path),
        map_size=map_size,
        readonly=readonly,
        create=not readonly,
        lock=lock,
        # Lookups are scattered; scans run along pages written together, which the disk serves well.
        readahead=False,
        max_dbs=MAX_DATABASES,
        max_readers=MAX_READERS,
    )
