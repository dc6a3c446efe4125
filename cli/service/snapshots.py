"""One state of the index for every request, and the next one once there is something new."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from cli.answering import Answering
from search.index_set import IndexSet
from search.options import SearchOptions
from storage.catalog import Catalog
from storage.errors import DedupError
from storage.index_directory import IndexDirectory

# Reading the index anew may take this share of the time at most.
_MOST_SHARE = 0.1
_POLL_SECONDS = 0.2


@dataclass(eq=False)
class Snapshot:
    """The index as it was at one moment; usable between `enter` and `leave`.

    Attributes:
        number: counts from 1 since the service was started.
        taken_at: seconds since the epoch. taken: the same moment on the monotonic clock.
        catalog: as it was then.
        images: in the catalog and in the indexes.
        seconds: that it took.
    """

    number: int
    taken_at: float
    taken: float
    catalog: Catalog
    answering: Answering
    images: int
    seconds: float
    _stack: ExitStack
    _users: int = 1
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> None:
        """One more needs it."""
        with self._guard:
            self._users += 1

    def leave(self) -> None:
        """One less needs it; the last one closes it."""
        with self._guard:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self._stack.close()


class Snapshots:
    """The current snapshot, taken anew in the background.

    Args:
        directory: the index; others may write to it.
        least_seconds: between two snapshots.

    Attributes:
        last_failure: why the last look failed; "" when it did not.
    """

    def __init__(self, directory: IndexDirectory, least_seconds: float) -> None:
        self._directory = directory
        self._least_seconds = least_seconds
        self._renewed = threading.Condition()
        self._wanted = threading.Event()
        self._is_over = False
        self._current = self._taken(1)
        self.last_failure = ""
        self._thread = threading.Thread(target=self._keep_taking, name="snapshots", daemon=True)
        self._thread.start()

    @contextmanager
    def current(self) -> Iterator[Snapshot]:
        """The newest one; it stays as it is until the end of the block."""
        with self._renewed:
            snapshot = self._current
            snapshot.enter()
        try:
            yield snapshot
        finally:
            snapshot.leave()

    def close(self) -> None:
        """Stop taking any, and let go of the current one."""
        self._is_over = True
        self._wanted.set()
        self._thread.join()
        self._current.leave()

    def renew(self, seconds: float) -> None:
        """Have one taken that has what is committed now, and wait for it, not longer than this."""
        with self._renewed:
            number = self._current.number
            self._wanted.set()
            self._renewed.wait_for(lambda: self._current.number > number, seconds)

    def _keep_taking(self) -> None:
        while not self._is_over:
            taken = time.monotonic()
            # Whoever wants one soon gets one, as long as taking them does not become all there is.
            pause = self._current.seconds / _MOST_SHARE
            self._wanted.wait(max(self._least_seconds, pause))
            while not self._is_over and time.monotonic() < taken + pause:
                time.sleep(min(_POLL_SECONDS, pause))
            self._wanted.clear()
            if self._is_over or not self._current.catalog.is_outdated:
                continue
            try:
                snapshot = self._taken(self._current.number + 1)
                self.last_failure = ""
            except DedupError as error:
                # Another process may be replacing the index: the old state still answers.
                if self.last_failure != error.message:
                    print(f"dedup: the index cannot be read anew: {error}", file=sys.stderr)
                self.last_failure = error.message
                continue
            with self._renewed:
                before, self._current = self._current, snapshot
                self._renewed.notify_all()
            before.leave()

    def _taken(self, number: int) -> Snapshot:
        started = time.monotonic()
        with ExitStack() as stack:
            catalog = stack.enter_context(Catalog.open_snapshot(self._directory.catalog_path))
            options = SearchOptions()
            indexes = IndexSet.open(self._directory, catalog, options)
            indexes.hashes.expect_many()
            return Snapshot(
                number=number,
                taken_at=time.time(),
                taken=started,
                catalog=catalog,
                answering=Answering(catalog, indexes, options),
                images=len(indexes.image_ids),
                seconds=time.monotonic() - started,
                _stack=stack.pop_all(),
            )
