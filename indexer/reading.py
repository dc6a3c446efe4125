"""The reading side of the pass: read, digest; an image known already ends here."""

from __future__ import annotations

import hashlib
from collections import deque

from indexer.in_flight import InFlight
from indexer.outcomes import Alias, DescribeJob, ReadJob, Unreadable, Vanished, not_read
from indexer.pipes import ByteBudget, Pipe, Stop, Stopped
from indexer.run_report import StageClock
from storage.blob import Blob
from storage.errors import (
    BlobChanged,
    BlobUnreadable,
    BlobVanished,
    SourceUnavailable,
)
from storage.records import Limit, LimitKind
from storage.source import Source

# Begins the reason of a blob that could not be had this time.
UNAVAILABLE = "unavailable: "

_READ_ATTEMPTS = 3


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
            waiting = deque([job])
            while waiting:
                waiting += self._take(waiting.popleft(), contents, results)
                if self._stop.is_set:
                    return

    def _take(
        self, job: ReadJob, contents: Pipe[DescribeJob], results: Pipe[object]
    ) -> list[ReadJob]:
        """Those that waited for this one in vain."""
        claim = self._in_flight.claim_unread(job) if job.may_be_known_by_md5 else True
        outcome = self._read(job.source, job.blob) if claim is True else claim
        if isinstance(outcome, DescribeJob):
            contents.put(outcome)
        elif outcome:
            results.put(outcome)
        # It may have given no content, or by now have other content than they.
        is_waited_for = claim is True and job.may_be_known_by_md5
        return self._in_flight.release(job.blob) if is_waited_for else []

    def _read(
        self, source: Source, blob: Blob
    ) -> DescribeJob | Alias | Unreadable | Vanished | None:
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
