"""An open catalog.lmdb: its environment, its databases, and single reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import lmdb

from storage.codec import encode_number
from storage.databases import Databases, Transaction, open_databases, read_number, scan
from storage.environment import open_environment, release_environment
from storage.errors import DedupError
from storage.faults import storage_faults
from storage.held_read import Environment, HeldRead
from storage.held_vectors import HeldVectors

_ROWS = 1024


class CatalogFile:
    """What every method of `storage.catalog.Catalog` stands on."""

    def __init__(self, path: Path, *, is_writable: bool, is_whole_required: bool = True) -> None:
        self._path = path
        self._is_writable = is_writable
        environment = open_environment(
            path, is_writable=is_writable, is_whole_required=is_whole_required
        )
        self._environment: Environment = environment
        self._is_open = True
        self._held: HeldRead | None = None
        self._held_vectors: HeldVectors | None = None
        try:
            self._db: Databases = open_databases(environment, path, is_writable=is_writable)
        except DedupError:
            self.close()
            raise

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        if self._is_open:
            self._is_open = False
            for held in (self._held, self._held_vectors):
                if held is not None:
                    held.end()
            release_environment(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def hold_vectors(self) -> None:
        """From now on look each block of vectors up once, for as long as nothing is committed: for
        a process that searches for many images. Only one thread may read them.
        """
        assert not isinstance(self._environment, HeldRead)
        assert self._held_vectors is None
        self.forget_dead_readers()
        with storage_faults(self._path):
            self._held_vectors = HeldVectors(self._environment, self._db.vectors)

    def forget_dead_readers(self) -> None:
        """Let the writer have the pages that processes read which were killed."""
        if isinstance(self._environment, lmdb.Environment):
            with storage_faults(self._path):
                self._environment.reader_check()

    @property
    def is_outdated(self) -> bool:
        """Whether something has been committed since this snapshot; only a snapshot ever is."""
        with storage_faults(self._path):
            return self._held is not None and self._held.is_outdated

    def _hold(self) -> None:
        """From now on everything is read as it is now."""
        assert not isinstance(self._environment, HeldRead)
        with storage_faults(self._path):
            self._environment = self._held = HeldRead(self._environment)

    def raw(self, database: str) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of one database of `storage.databases`, as they are stored."""
        handle = getattr(self._db, database)
        if handle is not None:
            for rows in scan(self._environment, self._path, handle, rows=_ROWS):
                yield from rows

    def get_raw(self, database: str, key: bytes) -> bytes | None:
        """A value of one database as it is stored; None without one."""
        handle = getattr(self._db, database)
        return None if handle is None else self._get(handle, key)

    @contextmanager
    def _read(self) -> Iterator[Transaction]:
        with storage_faults(self._path), self._environment.begin() as txn:
            yield txn

    @contextmanager
    def _write(self) -> Iterator[Transaction]:
        if not self._is_writable:
            raise RuntimeError("this catalog was opened to be read")
        with storage_faults(self._path), self._environment.begin(write=True) as txn:
            yield txn

    def _get(self, database: Any, key: bytes) -> bytes | None:
        with self._read() as txn:
            return txn.get(key, db=database)

    def _require(self, database: Any, key: bytes, number: int) -> bytes:
        value = self._get(database, key)
        if value is None:
            raise KeyError(number)
        return value

    def _put_all(self, database: Any, rows: Iterable[tuple[bytes, bytes]]) -> None:
        with self._write() as txn:
            for key, value in rows:
                txn.put(key, value, db=database)

    def _number(self, name: bytes) -> int:
        with self._read() as txn:
            return read_number(txn, self._db, name)

    def _scan_ids(
        self, database: Any, start_id: int, rows: int
    ) -> Iterator[list[tuple[bytes, bytes]]]:
        start = encode_number(start_id)
        return scan(self._environment, self._path, database, start=start, rows=rows)
