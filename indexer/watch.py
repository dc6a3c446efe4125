"""Keeping an index up to date: look at an interval, at what has changed or at everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from indexer.run_report import IndexReport
from storage.changes import ChangeSource
from storage.errors import (
    CredentialsError,
    DedupError,
    EmptySource,
    IndexLocked,
    SourceError,
    SourceNotFound,
)

# What may be better the next time. A full disk or other models are not.
_PASSING = (SourceError, SourceNotFound, CredentialsError, EmptySource, IndexLocked)


class WatchListener(Protocol):
    """Is told what each look brought."""

    def on_report(self, report: IndexReport, reason: str) -> None:
        """A pass has ended; `reason` says what it was for."""

    def on_error(self, error: DedupError) -> None:
        """A look failed; it is tried again after the interval."""

    def on_ignored(self, what: str, messages: int) -> None:
        """Messages that are no events of blobs were left where they are."""


class Watch:
    """Looks for changes until it is interrupted.

    With change sources, only what they name is looked at, and everything is listed now and then:
    a hint that was lost loses no image. Without, everything is listed each time.

    Args:
        list_all: a pass over everything.
        look_at: a pass over these names.
        changes: asked at each interval.
        interval: seconds from the beginning of one look to that of the next.
        relist_interval: the same for full listings when there are change sources.
        listener: is told what came of it.
        clock, sleep: time in seconds.
    """

    def __init__(
        self,
        list_all: Callable[[], IndexReport],
        look_at: Callable[[Sequence[str]], IndexReport],
        changes: Sequence[ChangeSource],
        interval: float,
        relist_interval: float,
        listener: WatchListener,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._list_all = list_all
        self._look_at = look_at
        self._changes = changes
        self._interval = interval
        self._relist_interval = relist_interval if changes else interval
        self._listener = listener
        self._clock = clock
        self._sleep = sleep
        self._list_at = 0.0

    def run(self) -> None:
        """Until it is interrupted.

        Raises:
            DedupError: the first look fails, or one fails in a way that waiting does not mend.
        """
        began = self._clock()
        is_listed = self._first_look()
        self._list_at = began + (self._relist_interval if is_listed else self._interval)
        while True:
            self._sleep(max(0.0, began + self._interval - self._clock()))
            began = self._clock()
            try:
                if began >= self._list_at:
                    self._listener.on_report(self._list_all(), "everything was listed")
                    self._list_at = began + self._relist_interval
                else:
                    for source in self._changes:
                        self._look_at_changes(source)
            except _PASSING as error:
                self._listener.on_error(error)

    def _first_look(self) -> bool:
        try:
            self._listener.on_report(self._list_all(), "everything was listed")
        except EmptySource as error:
            # What it waits for may be the first image.
            self._listener.on_error(error)
            return False
        return True

    def _look_at_changes(self, source: ChangeSource) -> None:
        while True:
            changes = source.poll()
            if changes.not_understood:
                self._listener.on_ignored(source.what, changes.not_understood)
            if not changes.events:
                return
            if changes.names:
                report = self._look_at(changes.names)
                self._listener.on_report(report, f"{changes.events} events of {source.what}")
            # Not before: what is told and not done is told again.
            source.confirm(changes)
