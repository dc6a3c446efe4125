"""Who may ask: API keys, what each may do, and how often."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from storage.errors import UsageError

_LEAST_LENGTH = 20
# A client may save up this many seconds' worth of requests.
_BURST_SECONDS = 2.0


class Scope(StrEnum):
    """What a key is good for; who may write may read."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, of which only the digest is kept.

    Attributes:
        name: of whoever has it, for the metrics.
        digest: SHA-256 of the key.
    """

    name: str
    scope: Scope
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, scope: Scope, key: str) -> ApiKey:
        return cls(name, scope, hashlib.sha256(key.encode()).digest())


class ApiKeys:
    """The keys that are known."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = tuple(keys)

    @classmethod
    def made_up(cls) -> tuple[ApiKeys, str]:
        """One new key that may do everything, and the key itself."""
        key = secrets.token_urlsafe(24)
        return cls([ApiKey.of("printed", Scope.WRITE, key)]), key

    @classmethod
    def read(cls, path: Path) -> ApiKeys:
        """From a file with `NAME read|write KEY` on each line; # begins a comment.

        Raises:
            UsageError: it cannot be read, a line is none, or a key is short or given twice.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"The API keys in {path} cannot be read ({getattr(error, 'strerror', error)}).",
                "Check the path.",
            ) from error
        keys: dict[bytes, ApiKey] = {}
        for number, line in enumerate(lines, start=1):
            parts = line.partition("#")[0].split()
            if not parts:
                continue
            # What stands there may be a key: it is not repeated.
            if len(parts) != 3 or parts[1] not in set(Scope):
                raise UsageError(f"{path}, line {number}, is no key.", "Write NAME read|write KEY.")
            if len(parts[2]) < _LEAST_LENGTH:
                raise UsageError(
                    f"The key in {path}, line {number}, is too short to be a secret.",
                    f"Use {_LEAST_LENGTH} characters or more, as from: openssl rand -hex 24",
                )
            key = ApiKey.of(parts[0], Scope(parts[1]), parts[2])
            if key.digest in keys:
                raise UsageError(
                    f"The key in {path}, line {number}, is there twice.", "Remove one."
                )
            keys[key.digest] = key
        if not keys:
            raise UsageError(f"There is no key in {path}.", "Write NAME read|write KEY.")
        return cls(keys.values())

    def find(self, presented: str) -> ApiKey | None:
        """The key that this is. Takes as long whichever it is, or none."""
        digest = hashlib.sha256(presented.encode(errors="surrogateescape")).digest()
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


class RateLimits:
    """How often each key may ask: a bucket of tokens for each.

    Args:
        per_second: requests of one key.
        clock: seconds; for tests.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * _BURST_SECONDS)
        self._clock = clock
        self._guard = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, name: str) -> float:
        """Takes a token: 0, or seconds until there is one."""
        now = self._clock()
        with self._guard:
            tokens, since = self._buckets.get(name, (self._most, now))
            tokens = min(self._most, tokens + (now - since) * self._per_second)
            if tokens < 1:
                self._buckets[name] = (tokens, now)
                return (1 - tokens) / self._per_second
            self._buckets[name] = (tokens - 1, now)
            return 0.0
