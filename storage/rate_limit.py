"""No more than so many requests in any one second, over all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from storage.errors import UsageError

# Threads wake a little early or late; the spacing has this much to spare, so that a second
# measured at the other end does not hold one request too many.
_SPARE = 1.02


class RateLimiter:
    """Gives every caller the next free slot of an even grid: a token bucket that holds one token.

    Args:
        rate: requests per second, more than 0. A fraction is rounded up in some seconds.
        clock: seconds that only go forward.
        sleep: waits that many seconds.

    Raises:
        UsageError: the rate is not more than 0.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not rate > 0:
            raise UsageError(
                f"{rate:g} is not a rate of requests.",
                "Set --max-requests-per-second to more than 0.",
            )
        self._spacing = _SPARE / rate
        self._clock = clock
        self._sleep = sleep
        self._guard = threading.Lock()
        self._next_slot = clock()

    def acquire(self) -> float:
        """Wait for a slot; the seconds waited."""
        with self._guard:
            now = self._clock()
            slot = max(now, self._next_slot)
            self._next_slot = slot + self._spacing
        wait = slot - now
        if wait > 0:
            self._sleep(wait)
        return wait

    def hold(self, seconds: float) -> None:
        """Give no slot for that long: the service asked for a pause, of everybody."""
        with self._guard:
            self._next_slot = max(self._next_slot, self._clock() + seconds)
