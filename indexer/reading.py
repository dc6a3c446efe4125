"""The reading side of the pass: read, digest; an image known already ends here."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from indexer.pipes import ByteBudget, Pipe, Stop, Stopped
from indexer.run_report import StageClock
from storage.blob import Blob
from storage.catalog import Catalog
from storage.errors import (
    BlobChanged,
    BlobUnreadable,
    BlobVanished,
    SourceUnavailable,
)
from storage.listings import ListedPage
from storage.records import Limit, LimitKind
from storage.source import Source

# Begins the reason of a blob that could not be had this time.
UNAVAILABLE = "unavailable: "

_READ_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A blob to be read."""

    source: Source
    blob: Blob


@dataclass(frozen=True, slots=True, eq=False)
class DescribeJob:
    """Content to be decoded."""

    source: Source
    blob: Blob
    digest: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Alias:
    """A blob whose content is in the catalog."""

    source: Source
    blob: Blob
    digest: bytes
    is_unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A blob that gave no image."""

    source: Source
    blob: Blob
    reason: str
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Vanished:
    """A blob that was listed and is gone."""

    blob: Blob


@dataclass(frozen=True, slots=True)
class Gone:
    """A blob of the catalog that is not there any more."""

    uri: str


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """A page of a listing, and the sign that the catalog has it."""

    page: ListedPage
    is_kept: threading.Event = field(default_factory=threading.Event)


class InFlight:
    """Contents being decoded in this run, the blobs that wait for them, and aliases on their way.

    An alias rests on an image of the catalog, which a commit removes when the blob that held it
    has other content now. Files renamed in a row, each to the name of the next, do that. So
    nothing is claimed during a commit, and a commit includes all that was claimed before it.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._waiting: dict[bytes, list[tuple[Source, Blob]]] = {}
        self._aliases: dict[int, Alias] = {}

    def claim(self, source: Source, blob: Blob, digest: bytes) -> Alias | bool:
        """What to do with this content.

        Returns:
            True when the caller has to get it decoded, False when the blob now waits for another
            one's decoding, an Alias when the catalog has it.
        """
        with self._lock:
            if digest in self._waiting:
                self._waiting[digest].append((source, blob))
                return False
            if self._catalog.image_id(digest) is not None:
                alias = Alias(source, blob, digest)
                self._aliases[id(alias)] = alias
                return alias
            self._waiting[digest] = []
            return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is claimed meanwhile."""
        with self._lock:
            yield

    def settle(self, digest: bytes) -> list[tuple[Source, Blob]]:
        """The blobs that wait for a content that is being committed. Call while `held`."""
        return self._waiting.pop(digest, [])

    def take_aliases(self) -> list[Alias]:
        """Those that have not been taken yet. Call while `held`."""
        aliases, self._aliases = self._aliases, {}
        return list(aliases.values())

    def take_alias(self, alias: Alias) -> bool:
        """Whether this one had not been taken yet."""
        with self._lock:
            return self._aliases.pop(id(alias), None) is not None


class Reader:
    """Reads blobs and names their contents."""

    def __init__(
        self, in_flight: InFlight, budget: ByteBudget, clock: StageClock, max_bytes: int, stop: Stop
    ) -> None:
        self._in_flight = in_flight
        self._budget = budget
        self._clock = clock
        self._max_bytes = max_bytes
        self._stop = stop

    def run(self, jobs: Pipe[ReadJob], contents: Pipe[DescribeJob], results: Pipe[object]) -> None:
        """Until there are no more jobs."""
        for job in jobs:
            outcome = self._read(job)
            if isinstance(outcome, DescribeJob):
                contents.put(outcome)
            elif outcome is not None:
                results.put(outcome)
            if self._stop.is_set:
                return

    def _read(self, job: ReadJob) -> DescribeJob | Alias | Unreadable | Vanished | None:
        source, blob = job.source, job.blob
        try:
            for _ in range(_READ_ATTEMPTS):
                if blob.refusal:
                    return not_read(source, blob, blob.refusal)
                if blob.size == 0:
                    return Unreadable(source, blob, "the file is empty")
                if blob.size > self._max_bytes:
                    reason = f"{blob.size} bytes are more than the limit of {self._max_bytes}"
                    limit = Limit(LimitKind.BYTES, self._max_bytes)
                    return Unreadable(source, blob, reason, limit)
                try:
                    return self._read_once(source, blob)
                except BlobChanged:
                    current = source.stat(blob.uri)
                if current is None:
                    return Vanished(blob)
                blob = current
        except BlobVanished:
            return Vanished(blob)
        except BlobUnreadable as error:
            return not_read(source, blob, error.message)
        except SourceUnavailable as error:
            return not_read(source, blob, UNAVAILABLE + error.message)
        return not_read(source, blob, UNAVAILABLE + "it changed each time it was read")

    def _read_once(self, source: Source, blob: Blob) -> DescribeJob | Alias | None:
        self._budget.acquire(blob.size)
        job = None
        try:
            with self._clock.timed("read"):
                content = source.read(blob)
            with self._clock.timed("digest"):
                digest = hashlib.sha256(content).digest()
            if self._stop.is_set:
                # A run does not wait for a read that stalls: the catalog may be closed.
                raise Stopped
            claim = self._in_flight.claim(source, blob, digest)
            if claim is True:
                job = DescribeJob(source, blob, digest, content)
                return job
            return claim or None
        finally:
            # Content to be described keeps its share until it has been.
            if job is None:
                self._budget.release(blob.size)


def not_read(source: Source, blob: Blob, reason: str) -> Unreadable:
    """Without the ETag, which stands for content that was seen: permissions and tiers change and
    leave it as it is, so the next run has to try again."""
    return Unreadable(source, replace(blob, etag=""), reason)
