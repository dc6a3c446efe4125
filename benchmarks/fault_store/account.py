"""What a storage account holds: one container of blobs, in memory."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5
from itertools import count


@dataclass(frozen=True, slots=True)
class Stored:
    """One blob as it is kept.

    Attributes:
        etag: without quotation marks.
        modified: seconds since the epoch, whole.
        content_md5: what a listing says of it, which a client may have set; None for nothing.
    """

    content: bytes
    etag: str
    modified: int
    content_md5: bytes | None


class Account:
    """The container `photos` of the account `faulty`. Safe to use from several threads."""

    name = "faulty"
    container = "photos"

    def __init__(self) -> None:
        self._blobs: dict[str, Stored] = {}
        self._names: list[str] = []
        self._guard = threading.Lock()
        self._numbers = count(1)

    def put(self, name: str, content: bytes, content_md5: bytes | None = b"") -> Stored:
        """Make or replace a blob.

        Args:
            content_md5: what the client says it is; b"" lets the service compute it, and None
                leaves it out, as for blobs that were uploaded in blocks.
        """
        digest = md5(content, usedforsecurity=False).digest() if content_md5 == b"" else content_md5
        with self._guard:
            number = next(self._numbers)
            stored = Stored(content, f"0x{number:014X}", 1_709_294_400 + number, digest)
            if name not in self._blobs:
                insort(self._names, name)
            self._blobs[name] = stored
        return stored

    def remove(self, name: str) -> None:
        """Raises KeyError when there is none."""
        with self._guard:
            del self._blobs[name]
            del self._names[bisect_left(self._names, name)]

    def get(self, name: str) -> Stored | None:
        """The blob as it is now."""
        return self._blobs.get(name)

    def replace(self, name: str, was: Stored, content: bytes) -> None:
        """Give a blob other content, if it is still what it was."""
        if self._blobs.get(name) is was:
            self.put(name, content)

    def page(self, prefix: str, first: str, size: int) -> tuple[Sequence[tuple[str, Stored]], str]:
        """Blobs from a name on, and the name that the next page begins with; "" after the last."""
        with self._guard:
            start = bisect_left(self._names, max(prefix, first))
            names = self._names[start : start + size + 1]
            found = [(name, self._blobs[name]) for name in names if name.startswith(prefix)]
        following = found[size][0] if len(found) > size else ""
        return found[:size], following

    def contents(self) -> dict[str, bytes]:
        """Name to content, as they are now."""
        with self._guard:
            return {name: stored.content for name, stored in self._blobs.items()}
