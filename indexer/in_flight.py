"""What is being read and decoded in this run, and the blobs that wait for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from indexer.outcomes import Alias, ReadJob
from storage.blob import Blob
from storage.catalog import Catalog
from storage.source import Source

SizeAndMd5 = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A blob with a content that is being decoded for another one.

    Attributes:
        is_unread: its size and MD5 say that it has this content.
    """

    source: Source
    blob: Blob
    is_unread: bool


class InFlight:
    """Contents being read or decoded, the blobs that wait for them, and aliases on their way.

    An alias rests on an image of the catalog, which a commit removes when the blob that held it
    has other content now. Files renamed in a row, each to the name of the next, do that. So
    nothing is claimed during a commit, and a commit includes all that was claimed before it.

    Of blobs with one size and MD5, where that is trusted, one is read and the others wait for it.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._waiting: dict[bytes, list[Waiting]] = {}
        self._aliases: dict[int, Alias] = {}
        # By size and MD5: who waits for the one that is being read; and what those turned out to
        # be that the catalog does not have yet.
        self._reading: dict[SizeAndMd5, list[ReadJob]] = {}
        self._read: dict[SizeAndMd5, bytes] = {}

    def claim(self, source: Source, blob: Blob, digest: bytes) -> Alias | bool:
        """What to do with a content that was read.

        Returns:
            True when the caller has to get it decoded, False when the blob now waits for another
            one's decoding, an Alias when the catalog has it.
        """
        with self._lock:
            claim = self._attach(source, blob, digest, is_unread=False)
            if claim is None:
                self._waiting[digest] = []
            key = _size_and_md5(blob)
            if key is not None and key in self._reading:
                self._read[key] = digest
                for job in self._reading.pop(key):
                    # Aliases among them are taken by the next commit.
                    self._attach(job.source, job.blob, digest, is_unread=True)
            return True if claim is None else claim

    def claim_unread(self, job: ReadJob) -> Alias | bool:
        """What to do with a blob whose size and MD5 are trusted.

        Returns:
            True when the caller has to read it, and to `release` it if that brings no content;
            False when the blob now waits for another one, an Alias when the catalog has it.
        """
        key = _size_and_md5(job.blob)
        if key is None:
            return True
        with self._lock:
            digest = self._read.get(key) or self._catalog.digest_of_md5(*key)
            if digest is not None:
                claim = self._attach(job.source, job.blob, digest, is_unread=True)
                if claim is not None:
                    return claim
            if key in self._reading:
                self._reading[key].append(job)
                return False
            self._reading[key] = []
            return True

    def release(self, blob: Blob) -> list[ReadJob]:
        """The blobs that still wait for this one, which has been read or cannot be: to be claimed
        again."""
        key = _size_and_md5(blob)
        with self._lock:
            return [] if key is None else self._reading.pop(key, [])

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is claimed meanwhile."""
        with self._lock:
            yield
            # The catalog has the others by now, or they were no images.
            self._read = {key: d for key, d in self._read.items() if d in self._waiting}

    def settle(self, digest: bytes) -> list[Waiting]:
        """The blobs that wait for a content that is being committed. Call while `held`."""
        return self._waiting.pop(digest, [])

    def abandon(self, digest: bytes) -> list[Waiting]:
        """The blobs that wait for a content that was claimed and is lost: to be read themselves."""
        with self._lock:
            return self._waiting.pop(digest, [])

    def take_aliases(self) -> list[Alias]:
        """Those that have not been taken yet. Call while `held`."""
        aliases, self._aliases = self._aliases, {}
        return list(aliases.values())

    def take_alias(self, alias: Alias) -> bool:
        """Whether this one had not been taken yet."""
        with self._lock:
            return self._aliases.pop(id(alias), None) is not None

    def _attach(
        self, source: Source, blob: Blob, digest: bytes, *, is_unread: bool
    ) -> Alias | Literal[False] | None:
        """The alias; False when the blob waits for its content now; None for an unknown content."""
        if digest in self._waiting:
            self._waiting[digest].append(Waiting(source, blob, is_unread))
            return False
        if self._catalog.image_id(digest) is None:
            return None
        alias = Alias(source, blob, digest, is_unread=is_unread)
        self._aliases[id(alias)] = alias
        return alias


def _size_and_md5(blob: Blob) -> SizeAndMd5 | None:
    return None if blob.content_md5 is None else (blob.size, blob.content_md5)
