"""Who decodes at the same time: many at once, or one alone.

An image that broke its decoder is tried once more while nothing else is decoded: then it has the
time and the memory of the whole machine, and what fails alone fails for what it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from indexer.pipes import Stop, Stopped

_POLL_SECONDS = 0.2


class Turns:
    """Shared by the decoders of one run.

    Args:
        stop: ends every wait.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._condition = threading.Condition()
        self._decoding = 0
        self._alone = False
        self._waiting = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Beside others that decode. Raises Stopped when the run ends before."""
        # Who waits to be alone goes first, or the others would never let it.
        with self._condition:
            self._wait(lambda: not self._alone and not self._waiting)
            self._decoding += 1
        try:
            yield
        finally:
            with self._condition:
                self._decoding -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While nobody else decodes. Raises Stopped when the run ends before."""
        with self._condition:
            self._waiting += 1
            try:
                self._wait(lambda: not self._alone and not self._decoding)
            finally:
                self._waiting -= 1
                self._condition.notify_all()
            self._alone = True
        try:
            yield
        finally:
            with self._condition:
                self._alone = False
                self._condition.notify_all()

    def _wait(self, is_free: Callable[[], bool]) -> None:
        while not is_free():
            if self._stop.is_set:
                raise Stopped
            self._condition.wait(_POLL_SECONDS)
