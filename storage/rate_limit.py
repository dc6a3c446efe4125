"""No more than so many requests in any one second, over all threads, counted where they arrive."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from storage.errors import UsageError

_SECOND = 1.0
# How long to wait for an answer that would free a place, before looking again.
_POLL_SECONDS = 0.01
# Additive increase, multiplicative decrease, as TCP does it: a service that throttles is asked less
# often, and a little more often with each request that it takes. From one cut back to the full rate
# it takes some 20 requests; a storm of refusals within a second is one cut.
_CUT = 0.7
_RECOVERY = 1 / 64
_LEAST_SHARE = 1 / 16


class Slot:
    """The permission for one request.

    Attributes:
        waited: seconds until it was given.
    """

    def __init__(self, waited: float, on_answer: Callable[[], None]) -> None:
        self.waited = waited
        self._on_answer: Callable[[], None] | None = on_answer

    def answered(self) -> None:
        """The request has arrived, for its answer has begun to come; or it never will. Must be
        told once; what is told again is passed over."""
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            on_answer()


class RateLimiter:
    """Lets requests go at even distances, and none that could be one too many in its second.

    A request arrives at some time between being let go and being answered. The next one is let go
    only if those that were answered less than a second ago, and those that were not yet, are fewer
    than the rate. So no second on the service's clock holds more of them than the rate, however
    late threads wake and however long requests are on their way. It costs a share of the rate as
    large as the time to an answer in seconds.

    A service that throttles gets a pause, and then fewer requests for a while.

    Args:
        rate: requests per second, more than 0. Of 35.5 a second holds 35.
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
        self._rate = rate
        self._share = 1.0
        self._at_most = max(1, int(rate))
        self._clock = clock
        self._sleep = sleep
        # Held by the one that waits for the next slot; the others wait for it.
        self._turnstile = threading.Lock()
        self._guard = threading.Lock()
        self._next_slot = clock()
        self._held_until = self._next_slot
        self._last_cut = float("-inf")
        self._unanswered = 0
        self._answers: deque[float] = deque()

    @property
    def rate(self) -> float:
        """Requests per second at the moment: less than asked for while the service throttles."""
        with self._guard:
            return self._rate * self._share

    def acquire(self) -> Slot:
        """Wait for a slot."""
        started = self._clock()
        with self._turnstile:
            while wait := self._take():
                self._sleep(wait)
        return Slot(max(0.0, self._clock() - started), self._answered)

    def throttled(self, pause: float) -> None:
        """The service refuses requests, and asked for a pause of so many seconds (0: it did not
        say). The pause is for everybody."""
        with self._guard:
            now = self._clock()
            self._held_until = max(self._held_until, now + pause)
            if now - self._last_cut >= _SECOND:
                self._last_cut = now
                self._share = max(_LEAST_SHARE, self._share * _CUT)

    def accepted(self) -> None:
        """The service took a request."""
        with self._guard:
            self._share = min(1.0, self._share + _RECOVERY)

    def _take(self) -> float:
        """0 when a slot was taken, else the seconds until it is worth while to try again."""
        with self._guard:
            now = self._clock()
            wait = max(self._next_slot, self._held_until) - now
            if wait > 0:
                return wait
            while self._answers and self._answers[0] <= now - _SECOND:
                self._answers.popleft()
            if self._unanswered + len(self._answers) >= self._at_most:
                if not self._answers:
                    return _POLL_SECONDS
                return max(self._answers[0] + _SECOND - now, 1e-6)
            spacing = 1 / (self._rate * self._share)
            # Who wakes late does not make the next one late too.
            self._next_slot = max(self._next_slot, now - spacing) + spacing
            self._unanswered += 1
            return 0.0

    def _answered(self) -> None:
        with self._guard:
            self._unanswered -= 1
            self._answers.append(self._clock())
