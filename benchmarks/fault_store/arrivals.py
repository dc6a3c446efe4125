"""When requests arrived at a service."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Arrivals:
    """Counts requests by time, on the service's clock. Safe to use from several threads.

    Attributes:
        times: seconds, ascending.
        lists, reads, heads: how many of each kind.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self.times: list[float] = []
        self.lists = 0
        self.reads = 0
        self.heads = 0

    def note(self, *, is_list: bool, is_head: bool) -> None:
        """A request has come."""
        with self._guard:
            self.times.append(self._clock())
            if is_list:
                self.lists += 1
            elif is_head:
                self.heads += 1
            else:
                self.reads += 1

    def busiest(self, seconds: float = 1.0) -> int:
        """The most requests in any stretch of that length, wherever it begins."""
        most = start = 0
        for end, at in enumerate(self.times):
            while self.times[start] <= at - seconds:
                start += 1
            most = max(most, end - start + 1)
        return most
