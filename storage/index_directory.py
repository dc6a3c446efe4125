"""The index directory: what lives where in it, who may write, and how files in it are replaced.

DIR/dedup-index.json   marks the directory as an index, with its schema version
DIR/catalog.lmdb/      the truth
DIR/faiss/             derived from it; may be removed at any time
DIR/resolved           derived likewise: what a resolve leaves for the next (`resolve.earlier`)
DIR/lock               held by the process that writes
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.durable import make_folders, sync_path
from storage.errors import IndexLocked, IndexMismatch, NotAnIndex
from storage.faults import damaged, storage_faults
from storage.parameters import OLDEST_SCHEMA, SCHEMA_VERSION

MARKER = "dedup-index.json"
_TEMPORARY = ".tmp"
# Nothing takes this long to write, so a temporary file this old was left by a kill.
_ABANDONED_AFTER = 3600.0


class IndexDirectory:
    """A path that is, or becomes, an index. Use `create` or `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.catalog_path = path / "catalog.lmdb"
        self.faiss_path = path / "faiss"
        self.lock_path = path / "lock"

    @classmethod
    def create(cls, path: Path) -> IndexDirectory:
        """Make the directory with its parents, or open the index that is there.

        Raises:
            NotAnIndex: the path is a file, or a directory with other things in it.
            IndexMismatch: of another schema.
            IndexStorageError: it cannot be written to, or the disk is full.
        """
        directory = cls(path)
        with storage_faults(path):
            if (path / MARKER).exists():
                return cls.open(path)
            if path.exists() and not path.is_dir():
                raise NotAnIndex(f"{path} is a file.", "Name a directory with --index DIR.")
            make_folders(path)
            others = [
                entry.name for entry in path.iterdir() if not entry.name.startswith(f".{MARKER}.")
            ]
            if others:
                raise NotAnIndex(
                    f"{path} is not empty and holds no index (it has {sorted(others)[0]!r}).",
                    "Name a new or an empty directory with --index DIR.",
                )
            with directory.replacing(path / MARKER) as temporary:
                temporary.write_text(
                    json.dumps({"format": "dedup index", "schema": SCHEMA_VERSION}) + "\n"
                )
        return directory

    @classmethod
    def open(cls, path: Path) -> IndexDirectory:
        """The index at `path`.

        Raises:
            NotAnIndex: there is none.
            IndexMismatch: of another schema.
            IndexStorageError: it cannot be read.
        """
        with storage_faults(path):
            try:
                marker = (path / MARKER).read_bytes()
            except (FileNotFoundError, NotADirectoryError) as error:
                what = "holds no index" if path.exists() else "does not exist"
                raise NotAnIndex(
                    f"{path} {what}.", "Make one with `dedup index SOURCE --index DIR`."
                ) from error
        try:
            schema = int(json.loads(marker)["schema"])
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(path, f"{MARKER} is not what was written there") from error
        if schema > SCHEMA_VERSION:
            raise IndexMismatch(
                f"The index {path} has schema {schema}, this version knows {SCHEMA_VERSION}.",
                "Use the version of dedup that made it, or index into a new directory.",
            )
        if schema < OLDEST_SCHEMA:
            raise IndexMismatch(
                f"The index {path} was made by an earlier version (schema {schema}, not "
                f"{SCHEMA_VERSION}).",
                "Index into a new directory with --index DIR.",
            )
        return cls(path)

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Be the only writer. The operating system frees the lock when the process dies.

        Raises:
            IndexLocked: another process is writing.
            IndexStorageError: the directory cannot be written to.
        """
        with storage_faults(self.path):
            descriptor = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with storage_faults(self.path):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    holder = os.read(descriptor, 32).decode(errors="replace").strip()
                    raise IndexLocked(
                        f"Another process ({holder}) is writing to the index {self.path}."
                        if holder
                        else f"Another process is using the index {self.path}.",
                        "Wait until it has finished, or use another directory with --index DIR.",
                    ) from error
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"pid {os.getpid()}\n".encode(), 0)
            try:
                yield
            finally:
                # Who finds the index in use by readers must not be told of a writer that is gone.
                with suppress(OSError):
                    os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    @contextmanager
    def read_lock(self) -> Iterator[None]:
        """Keep writers away, without writing anything; others may read too.

        Raises:
            IndexLocked: another process is writing.
            IndexStorageError: the directory cannot be read.
        """
        with storage_faults(self.path):
            try:
                descriptor = os.open(self.lock_path, os.O_RDONLY)
            except FileNotFoundError:
                # Nobody has ever written here: a copy, perhaps on a read-only disk.
                descriptor = -1
        try:
            if descriptor >= 0:
                with storage_faults(self.path):
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    except BlockingIOError as error:
                        raise IndexLocked(
                            f"Another process is writing to the index {self.path}.",
                            "Wait until it has finished.",
                        ) from error
            yield
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    @contextmanager
    def replacing(self, target: Path) -> Iterator[Path]:
        """A temporary path beside `target`, which it replaces at the end, all or nothing.

        The file is synced before it takes the name and the directory after, so that a crash leaves
        the old file or the new one. An error inside the block removes the temporary file.

        Raises:
            IndexStorageError: full, read-only or faulty.
        """
        with storage_faults(self.path):
            make_folders(target.parent)
            _remove_abandoned(target)
            temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_TEMPORARY}")
            try:
                yield temporary
                sync_path(temporary)
                temporary.replace(target)
                sync_path(target.parent)
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()


def _remove_abandoned(target: Path) -> None:
    for leftover in target.parent.iterdir():
        if leftover.name.startswith(f".{target.name}.") and leftover.name.endswith(_TEMPORARY):
            with suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime > _ABANDONED_AFTER:
                    leftover.unlink()
