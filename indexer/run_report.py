"""What a run tells while it goes on and at its end: counts that add up, time, memory."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

STAGES = ("list", "read", "digest", "describe", "embed", "commit")


@dataclass(slots=True)
class RunCounts:
    """Blobs of one run by what became of them.

    `listed` is the sum of `unchanged`, `excluded`, `older`, `new_images`, `aliased`, `unreadable`
    and `vanished`.

    Attributes:
        listed: blobs the sources named.
        unchanged: known with this ETag: not read.
        excluded: left out because their names do not pass `--include` and `--exclude`.
        older: left out because they were not modified since the date.
        left_known: of those left out, how many the catalog has; they stay in it as they are.
        left_changed: of these, how many are listed with another ETag or size than the catalog has.
        new_images: read, and the first with their content.
        aliased: their content was known already.
        unread: of those, how many are known by size and MD5, and were not read.
        unreadable: refused, damaged, or not to be had.
        vanished: gone between listing and reading.
        removed: in the catalog and no longer in the source.
    """

    listed: int = 0
    unchanged: int = 0
    excluded: int = 0
    older: int = 0
    left_known: int = 0
    left_changed: int = 0
    new_images: int = 0
    aliased: int = 0
    unread: int = 0
    unreadable: int = 0
    vanished: int = 0
    removed: int = 0

    @property
    def done(self) -> int:
        """Blobs that have reached their end."""
        passed = self.unchanged + self.excluded + self.older
        return passed + self.new_images + self.aliased + self.unreadable + self.vanished


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far the run is.

    Attributes:
        counts: so far.
        is_listed: True when `counts.listed` is final.
        bytes_read: of image data.
        seconds: since the start.
    """

    counts: RunCounts
    is_listed: bool
    bytes_read: int
    seconds: float


class IndexListener(Protocol):
    """Is told how far the run is; several times a second, from the thread that runs the pass."""

    def on_progress(self, progress: IndexProgress) -> None:
        """Shows it, or not."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did.

    Attributes:
        listed: blobs the sources named; the sum of unchanged, excluded, older, new_images, aliased,
            unreadable and vanished.
        unchanged: known with this ETag, not read. excluded: left out by --include and --exclude.
        older: left out by --since. left_known: of those left out, how many stay in the index.
        left_changed: of these, how many have changed since they were read.
        new_images: read, and the first with their content. aliased: their content was known.
        unread: of the aliased, how many are known by size and MD5, and were not read.
        unreadable: refused, damaged, or not to be had. vanished: gone between listing and reading.
        removed: in the index before, and no longer in the source.
        carried_names: of those listed, how many an earlier run had listed that did not finish.
        carried_from: when the earliest of such listings was begun, seconds since the epoch, or 0;
            what was added or changed since in that part of a source, the next run sees.
        covered: sources that lie in another one of the run and were listed as part of it.
        unlisted: folders that could not be looked into.
        images: images in the catalog at the end.
        contents_read: blobs that were read to their end.
        list_requests: to the sources, to list. read_requests: to read. retries: of both.
        bytes_read: of image data.
        seconds: stage to thread-seconds; stages run side by side, so they add up to more than the
            wall time.
        wall_seconds: from start to end.
        worker_restarts: decoders that crashed or hung and were replaced.
        peak_memory_bytes: largest resident set of this process plus those of the decoders.
    """

    listed: int
    unchanged: int
    excluded: int
    older: int
    left_known: int
    left_changed: int
    new_images: int
    aliased: int
    unread: int
    unreadable: int
    vanished: int
    removed: int
    carried_names: int
    carried_from: float
    covered: list[str]
    unlisted: list[str]
    images: int
    contents_read: int
    list_requests: int
    read_requests: int
    retries: int
    bytes_read: int
    seconds: dict[str, float]
    wall_seconds: float
    worker_restarts: int
    peak_memory_bytes: int


@dataclass(slots=True)
class StageClock:
    """Adds up the time that threads spend in each stage, and how often they enter it."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    times: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Counts the time of the block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - started)

    def add(self, stage: str, seconds: float) -> None:
        """Counts time that was measured elsewhere."""
        with self._lock:
            self.seconds[stage] += seconds
            self.times[stage] += 1


def own_peak_memory() -> int:
    """The largest resident set this process has had, bytes."""
    # Linux counts in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
