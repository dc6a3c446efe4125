"""The reading side of the pass: read, digest; an image known already ends here."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from indexer.in_flight import InFlight
from indexer.outcomes import Alias, DescribeJob, NotRead, ReadJob, Vanished
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

Outcome = TypeVar("Outcome")


def read_blob(
    source: Source, blob: Blob, max_bytes: int, read: Callable[[Blob], Outcome]
) -> Outcome | NotRead | Vanished:
    """What comes of reading a blob, as it is now if it has changed since it was listed.

    Args:
        read: reads it; raises what `Source.read` raises.
    """
    try:
        for _ in range(_READ_ATTEMPTS):
            if blob.refusal:
                return NotRead.this_time(blob, blob.refusal)
            if blob.size == 0:
                return NotRead(blob, "the file is empty")
            if blob.size > max_bytes:
                reason = f"{blob.size} bytes are more than the limit of {max_bytes}"
                return NotRead(blob, reason, Limit(LimitKind.BYTES, max_bytes))
            try:
                return read(blob)
            except BlobChanged:
                current = source.stat(blob.uri)
            if current is None:
                return Vanished(blob)
            blob = current
    except BlobVanished:
        return Vanished(blob)
    except BlobUnreadable as error:
        return NotRead.this_time(blob, error.message)
    except SourceUnavailable as error:
        return NotRead.this_time(blob, UNAVAILABLE + error.message)
    return NotRead.this_time(blob, UNAVAILABLE + "it changed each time it was read")


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
        outcome: DescribeJob | Alias | NotRead | Vanished | bool | None = claim
        if claim is True:
            outcome = read_blob(
                job.source, job.blob, self._max_bytes, partial(self._read_once, job.source)
            )
        if isinstance(outcome, DescribeJob):
            contents.put(outcome)
        elif isinstance(outcome, NotRead):
            results.put(outcome.of(job.source))
        elif outcome:
            results.put(outcome)
        # It may have given no content, or by now have other content than they.
        is_waited_for = claim is True and job.may_be_known_by_md5
        return self._in_flight.release(job.blob) if is_waited_for else []

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
