"""Repeating requests that failed for a passing reason."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from storage.errors import SourceUnavailable
from storage.rate_limit import RateLimiter, Slot
from storage.source import SourceTraffic

T = TypeVar("T")


class PassingFault(Exception):
    """One attempt failed in a way that another may not.

    Args:
        reason: in a few words, without secrets.
        retry_after: seconds the service asked to wait; 0 when it did not say.
        is_throttled: the service has too many requests; it is not only this one that failed.
    """

    def __init__(
        self, reason: str, retry_after: float = 0.0, *, is_throttled: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.is_throttled = is_throttled or retry_after > 0


class Turn:
    """One attempt at a request.

    Attributes:
        deadline: the time, on the clock of the `Retrier`, at which it should give up.
    """

    def __init__(self, deadline: float, slot: Slot) -> None:
        self.deadline = deadline
        self._slot = slot

    def answered(self) -> None:
        """The answer has begun to come. Its body may take its time: the next request need not wait
        for it. Told at the end of the attempt at the latest."""
        self._slot.answered()


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long to wait before attempt n + 1: a random time up to `first` × 2ⁿ, at most `longest`.

    Full jitter ("Exponential Backoff And Jitter", AWS 2015) keeps many readers that failed
    together from coming back together.
    """

    first: float = 0.5
    longest: float = 30.0


class Retrier:
    """Runs requests: each waits for the rate limit, and is repeated until its deadline.

    Args:
        limiter: shared by all requests to one service.
        traffic: where retries are counted.
        guard: protects `traffic`.
        clock, sleep, uniform: time in seconds, and a random number in 0..1.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        traffic: SourceTraffic,
        guard: threading.Lock,
        pauses: Pauses | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._limiter = limiter
        self._traffic = traffic
        self._guard = guard
        self._pauses = pauses or Pauses()
        self._clock = clock
        self._sleep = sleep
        self._uniform = uniform

    def run(self, what: str, seconds: float, attempt: Callable[[Turn], T]) -> T:
        """The result of the first attempt that succeeds.

        Args:
            what: named in the error.
            seconds: for all attempts and pauses together. Waiting for the rate limit is not
                counted: it says nothing of the service.
            attempt: makes one request.

        Raises:
            SourceUnavailable: the time is spent.
        """
        deadline = self._clock() + seconds
        tries = 0
        while True:
            slot = self._limiter.acquire()
            deadline += slot.waited
            try:
                result = attempt(Turn(deadline, slot))
            except PassingFault as fault:
                if fault.is_throttled:
                    self._limiter.throttled(fault.retry_after)
                pause = self._pause(tries, fault.retry_after)
                tries += 1
                if self._clock() + pause >= deadline:
                    raise SourceUnavailable(
                        f"{what} did not answer after {tries} "
                        f"{'try' if tries == 1 else 'tries'}: {fault.reason}.",
                        "Run the same command again later: what was done is kept.",
                    ) from fault
            else:
                self._limiter.accepted()
                return result
            finally:
                slot.answered()
            with self._guard:
                self._traffic.retries += 1
            self._sleep(pause)

    def now(self) -> float:
        """The time on the clock of the deadlines."""
        return self._clock()

    def _pause(self, tries: int, retry_after: float) -> float:
        ceiling = min(self._pauses.longest, self._pauses.first * 2.0 ** min(tries, 16))
        return max(retry_after, self._uniform() * ceiling)
