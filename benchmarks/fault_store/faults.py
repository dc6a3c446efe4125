"""Which request fails, and how: decided by a seed, whatever the order in which requests come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from threading import Lock


class Fault(StrEnum):
    """What goes wrong with a request."""

    UNAVAILABLE = "503"
    """Refused with 503 and Retry-After."""
    TOO_MANY = "429"
    """Refused with 429, and no word on how long to wait."""
    RESET = "reset"
    """The connection is reset, before the answer or in its body."""
    STALL = "stall"
    """Nothing comes any more, before the answer or in its body."""
    TRUNCATED = "truncated"
    """The connection is closed in the body."""
    CHANGED = "changed"
    """The blob is replaced while its body is sent, and the connection closed."""


@dataclass(frozen=True, slots=True)
class FaultRates:
    """The share of requests that meets each fault; of all requests, but `changed`, which is the
    share of first reads."""

    unavailable: float = 0.0
    too_many: float = 0.0
    reset: float = 0.0
    stall: float = 0.0
    truncated: float = 0.0
    changed: float = 0.0

    def pick(self, number: float) -> Fault | None:
        """The fault of a request with this number, evenly distributed in 0..1."""
        shares = (
            (Fault.UNAVAILABLE, self.unavailable),
            (Fault.TOO_MANY, self.too_many),
            (Fault.RESET, self.reset),
            (Fault.STALL, self.stall),
            (Fault.TRUNCATED, self.truncated),
            (Fault.CHANGED, self.changed),
        )
        for fault, share in shares:
            if number < share:
                return fault
            number -= share
        return None


NO_FAULTS = FaultRates()


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a request meets.

    Attributes:
        fault: None when all goes well.
        at: 0..1, where in the answer it strikes.
    """

    fault: Fault | None
    at: float


class FaultPlan:
    """Hands out faults. Safe to use from several threads.

    What the n-th request for one thing meets depends on the seed, the thing and n: two runs that
    ask for the same things meet the same faults, however their threads take turns.

    Attributes:
        met: how often each fault was handed out.
    """

    def __init__(self, rates: FaultRates, seed: int) -> None:
        self._rates = rates
        self._seed = seed
        self._asked: Counter[str] = Counter()
        self._guard = Lock()
        self.met: Counter[Fault] = Counter()

    def next(self, thing: str, *, has_content: bool) -> Meeting:
        """What this request for a thing meets.

        Args:
            has_content: it is a read of a blob, which can be replaced meanwhile.
        """
        with self._guard:
            attempt = self._asked[thing]
            self._asked[thing] += 1
            number, at = _numbers(f"{self._seed} {attempt} {thing}")
            fault = self._rates.pick(number)
            if fault is Fault.CHANGED and (attempt or not has_content):
                fault = None
            if fault is not None:
                self.met[fault] += 1
        return Meeting(fault, at)


def _numbers(text: str) -> tuple[float, float]:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first, second = digest[:8], digest[8:]
    return int.from_bytes(first) / 2**64, int.from_bytes(second) / 2**64
