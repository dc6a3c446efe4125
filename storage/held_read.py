"""One read transaction in place of many: everything is seen as it was when it began."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import lmdb


class HeldRead:
    """An environment that answers every read from one transaction.

    Safe in several threads, one read at a time: a transaction of LMDB belongs to one thread at any
    moment. While it lasts, the writer cannot reuse the pages it sees, so the file grows: begin
    another one now and then.
    """

    def __init__(self, environment: lmdb.Environment) -> None:
        self._environment = environment
        # Not in a `with`: it lasts until `end`.
        self._transaction: Any = environment.begin()
        self._guard = threading.RLock()

    @contextmanager
    def begin(self, *, write: bool = False, buffers: bool = False) -> Iterator[Any]:
        """The held transaction. Values are copies whatever `buffers` says."""
        if write:
            raise RuntimeError("a snapshot is only read")
        with self._guard:
            yield self._transaction

    @property
    def is_outdated(self) -> bool:
        """Whether any process has committed since."""
        with self._guard:
            return bool(self._environment.info()["last_txnid"] != self._transaction.id())

    def end(self) -> None:
        """Let the writer have the pages."""
        with self._guard:
            self._transaction.abort()


Environment: TypeAlias = lmdb.Environment | HeldRead
