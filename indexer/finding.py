"""What finds the work of a run, and how it is planned and handed out."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Protocol

from indexer.outcomes import Alias, NotRead, ReadJob
from indexer.pipes import Pipe
from indexer.planner import Plan, Planner
from indexer.run_report import RunCounts
from storage.blob import Blob
from storage.catalog import Catalog
from storage.source import Source

# Listed blobs held back to be read in another order than the listing's: neighbouring names are
# stored together by Azure, and reading them in order makes it throttle.
_SHUFFLE_WINDOW = 4096


class WorkFinder(Protocol):
    """Finds the blobs that a run has to do with."""

    @property
    def is_finished(self) -> bool:
        """Whether all of them are found."""

    @property
    def carried_names(self) -> int:
        """How many blobs were not listed again because an earlier run had."""

    @property
    def carried_from(self) -> float:
        """When the earliest of such listings was begun, seconds since the epoch; 0 for none."""

    def run(self, jobs: Pipe[ReadJob], results: Pipe[object]) -> None:
        """Sends blobs to be read to `jobs`, and what needs no reading to `results`.

        Raises:
            EmptySource, SourceNotFound, CredentialsError, SourceUnavailable
        """

    def removed(self) -> Iterator[str]:
        """URIs of the catalog that are gone. Asked for when everything else is committed."""

    def forget(self) -> None:
        """The run is finished: nothing of it is to be carried on."""


def outermost(sources: Sequence[Source]) -> tuple[list[Source], list[str]]:
    """Those that lie in no other, and the URIs of the rest: each blob is listed and read once."""
    kept: list[Source] = []
    covered: list[str] = []
    for source in sorted(sources, key=lambda source: len(source.uri)):
        root = source.uri.rstrip("/") + "/"
        if any(root.startswith(outer.uri.rstrip("/") + "/") for outer in kept):
            covered.append(source.uri)
        else:
            kept.append(source)
    return [source for source in sources if source in kept], covered


class Dispatcher:
    """Plans blobs and hands them out, those to be read in another order than they came."""

    def __init__(
        self,
        catalog: Catalog,
        planner: Planner,
        counts: RunCounts,
        jobs: Pipe[ReadJob],
        results: Pipe[object],
    ) -> None:
        self._catalog = catalog
        self._planner = planner
        self._counts = counts
        self._jobs = jobs
        self._results = results
        self._window: list[ReadJob] = []
        self._order = random.Random(1)

    def hand_out(self, source: Source, blob: Blob) -> None:
        """Plan one blob, and send it where it belongs."""
        decision, entry = self._planner.plan(blob)
        if decision is Plan.KEEP:
            self._counts.unchanged += 1
        elif decision is Plan.REFUSE:
            self._results.put(NotRead.this_time(blob, blob.refusal).of(source))
        elif decision is Plan.REFRESH and entry is not None:
            digest = self._catalog.record(entry.image_id).digest
            self._counts.unchanged += 1
            alias = Alias(source, blob, digest, is_unchanged=True, is_unread=entry.is_unread)
            self._results.put(alias)
        else:
            is_md5_enough = self._planner.trusts_md5 and decision is not Plan.CONFIRM
            self._window.append(ReadJob(source, blob, is_md5_enough))
            if len(self._window) >= _SHUFFLE_WINDOW:
                at = self._order.randrange(len(self._window))
                self._window[at], self._window[-1] = self._window[-1], self._window[at]
                self._jobs.put(self._window.pop())

    def hand_out_the_rest(self) -> None:
        """Send what was held back."""
        self._order.shuffle(self._window)
        for job in self._window:
            self._jobs.put(job)
        self._window.clear()
