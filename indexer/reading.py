"""The reading side of the pass: list, plan, read, digest; an image known already ends here."""

from __future__ import annotations

import hashlib
import random
import threading
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.pipes import ByteBudget, Pipe, Stop, Stopped
from indexer.planner import Plan, plan
from indexer.run_report import RunCounts, StageClock
from storage.blob import Blob
from storage.catalog import Catalog
from storage.errors import (
    BlobChanged,
    BlobUnreadable,
    BlobVanished,
    EmptySource,
    SourceUnavailable,
)
from storage.source import Source

# Begins the reason of a blob that could not be had this time.
UNAVAILABLE = "unavailable: "

_READ_ATTEMPTS = 3
# Listed blobs held back to be read in another order than the listing's: neighbouring names are
# stored together by Azure, and reading them in order makes it throttle.
_SHUFFLE_WINDOW = 4096


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


@dataclass(frozen=True, slots=True)
class Vanished:
    """A blob that was listed and is gone."""

    blob: Blob


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


class Lister:
    """Lists the sources, plans each blob, and remembers which it has seen."""

    def __init__(
        self,
        sources: Sequence[Source],
        catalog: Catalog,
        counts: RunCounts,
        clock: StageClock,
        stop: Stop,
    ) -> None:
        self._sources = sources
        self._catalog = catalog
        self._counts = counts
        self._clock = clock
        self._stop = stop
        # Eight bytes for each URI: 24 MB for three million.
        self._seen = array("Q")
        self.is_finished = False

    def run(self, jobs: Pipe[ReadJob], results: Pipe[object]) -> None:
        """Sends blobs to be read to `jobs`, and what needs no reading to `results`."""
        window: list[ReadJob] = []
        order = random.Random(1)
        for source in self._sources:
            listed = 0
            for blob in self._listing(source):
                listed += 1
                self._counts.listed += 1
                self._seen.append(_name_hash(blob.uri))
                self._plan(source, blob, window, results)
                if len(window) >= _SHUFFLE_WINDOW:
                    at = order.randrange(len(window))
                    window[at], window[-1] = window[-1], window[at]
                    jobs.put(window.pop())
            if not listed and not source.traffic.unlisted:
                raise EmptySource(
                    f"There is no image in {source.uri}.",
                    "Check the path; an unmounted disk looks like this too. Nothing was removed.",
                )
        self.is_finished = True
        order.shuffle(window)
        for job in window:
            jobs.put(job)

    def removed(self) -> Iterator[str]:
        """URIs that the catalog has below the sources and that the listings did not name."""
        seen: NDArray[np.uint64] = np.sort(np.frombuffer(self._seen, dtype=np.uint64))
        roots = tuple(source.uri.rstrip("/") + "/" for source in self._sources)
        closed = tuple(
            uri.rstrip("/") + "/" for source in self._sources for uri in source.traffic.unlisted
        )
        for entry in self._catalog.blobs():
            if not entry.uri.startswith(roots) or (closed and entry.uri.startswith(closed)):
                continue
            name = np.uint64(_name_hash(entry.uri))
            at = int(np.searchsorted(seen, name))
            if at == len(seen) or seen[at] != name:
                yield entry.uri

    def _listing(self, source: Source) -> Iterator[Blob]:
        blobs = iter(source.list())
        while True:
            with self._clock.timed("list"):
                blob = next(blobs, None)
            if self._stop.is_set:
                # A run does not wait for a listing that stalls: the catalog may be closed.
                raise Stopped
            if blob is None:
                return
            yield blob

    def _plan(
        self, source: Source, blob: Blob, window: list[ReadJob], results: Pipe[object]
    ) -> None:
        entry = self._catalog.blob(blob.uri)
        decision = plan(blob, entry)
        if decision is Plan.KEEP:
            self._counts.unchanged += 1
        elif decision is Plan.REFUSE:
            results.put(_not_read(source, blob, blob.refusal))
        elif decision is Plan.REFRESH and entry is not None:
            digest = self._catalog.record(entry.image_id).digest
            self._counts.unchanged += 1
            results.put(Alias(source, blob, digest, is_unchanged=True))
        else:
            window.append(ReadJob(source, blob))


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
                    return _not_read(source, blob, blob.refusal)
                if blob.size == 0:
                    return Unreadable(source, blob, "the file is empty")
                if blob.size > self._max_bytes:
                    reason = f"{blob.size} bytes are more than the limit of {self._max_bytes}"
                    return Unreadable(source, blob, reason)
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
            return _not_read(source, blob, error.message)
        except SourceUnavailable as error:
            return _not_read(source, blob, UNAVAILABLE + error.message)
        return _not_read(source, blob, UNAVAILABLE + "it changed each time it was read")

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


def _not_read(source: Source, blob: Blob, reason: str) -> Unreadable:
    """Without the ETag, which stands for content that was seen: permissions and tiers change and
    leave it as it is, so the next run has to try again."""
    return Unreadable(source, replace(blob, etag=""), reason)


def _name_hash(uri: str) -> int:
    name = uri.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")
