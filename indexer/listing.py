"""Listing the sources of a run, so that what is listed is not listed again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from secrets import token_hex
from typing import TypeVar

import numpy as np

from indexer.finding import Dispatcher
from indexer.outcomes import Listed, ReadJob
from indexer.pipes import Pipe, Stop, Stopped
from indexer.planner import Plan, Planner
from indexer.run_report import RunCounts, StageClock
from indexer.selection import Choice, Selection
from storage.blob import Blob
from storage.catalog import Catalog
from storage.errors import EmptySource, ListingExpired
from storage.listings import (
    NAME_BYTES,
    ListedPage,
    Listing,
    PageCounts,
    name_hash,
    name_number,
)
from storage.source import BlobPage, PagedSource, Source

# As many as Azure gives at a time, of a source that gives one name at a time.
_NAMES_PER_PAGE = 5000
_POLL_SECONDS = 0.2
# Nobody knows how long a marker is good; and what a listing said is worth less by the day.
_LONGEST_CARRY_SECONDS = 7 * 86400.0

T = TypeVar("T")


class Lister:
    """Lists the sources one after the other. Each page is kept in the catalog before the next is
    asked for, so that a killed run does not list it again; see `storage.listings`.

    Args:
        sources: none within another.
        planner: decides what is to be done with a blob.
        selection: what the run looks at in them.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        catalog: Catalog,
        planner: Planner,
        selection: Selection,
        counts: RunCounts,
        clock: StageClock,
        stop: Stop,
    ) -> None:
        self._sources = sources
        self._catalog = catalog
        self._planner = planner
        self._selection = selection
        self._counts = counts
        self._clock = clock
        self._stop = stop
        self._carried_on = self._begin()
        self.carried_names = 0
        self.is_finished = False

    @property
    def carried_from(self) -> float:
        """See `WorkFinder.carried_from`."""
        if not self.carried_names:
            return 0.0
        return min(listing.begun_at for listing in self._carried_on.values())

    def run(self, jobs: Pipe[ReadJob], results: Pipe[object]) -> None:
        """See `WorkFinder.run`."""
        dispatcher = Dispatcher(self._catalog, self._planner, self._counts, jobs, results)
        for source in self._sources:
            before = self._counts.listed
            if isinstance(source, PagedSource):
                self._list_pages(source, dispatcher, results)
            else:
                self._list_names(source, dispatcher, results)
            if self._counts.listed == before and not source.traffic.unlisted:
                raise EmptySource(
                    f"There is no image in {source.uri}.",
                    "Check the path; an unmounted disk looks like this too. Nothing was removed.",
                )
        if self._counts.excluded == self._counts.listed > 0:
            raise EmptySource(
                f"None of the {self._counts.listed:,} images passes --include and --exclude.",
                "Check the patterns; they are matched below the source. Nothing was removed.",
            )
        self.is_finished = True
        dispatcher.hand_out_the_rest()

    def removed(self) -> Iterator[str]:
        """What the catalog has below the sources and no page names."""
        names = self._catalog.listed_names([source.uri for source in self._sources])
        roots = tuple(source.uri.rstrip("/") + "/" for source in self._sources)
        closed = tuple(
            uri.rstrip("/") + "/" for source in self._sources for uri in source.traffic.unlisted
        )
        for entry in self._catalog.blobs():
            if not entry.uri.startswith(roots) or (closed and entry.uri.startswith(closed)):
                continue
            name = name_number(entry.uri)
            at = int(np.searchsorted(names, name))
            if at == len(names) or names[at] != name:
                yield entry.uri

    def forget(self) -> None:
        """See `WorkFinder.forget`."""
        for source in self._sources:
            self._catalog.drop_listing(source.uri)

    def _begin(self) -> dict[str, Listing]:
        """What an earlier run did not finish and this one carries on, by source."""
        now = time.time()
        # What a run has planned that trusts MD5s, one that does not cannot carry on.
        scope = self._selection.scope + (" md5" if self._planner.trusts_md5 else "")
        # A scope of its own: what has no pages is listed from the beginning each time.
        scopes = [scope if isinstance(s, PagedSource) else token_hex(8) for s in self._sources]
        wanted = [
            Listing(source.uri, scope, now)
            for source, scope in zip(self._sources, scopes, strict=True)
        ]
        return self._catalog.begin_listings(wanted, now - _LONGEST_CARRY_SECONDS)

    def _list_pages(
        self, source: PagedSource, dispatcher: Dispatcher, results: Pipe[object]
    ) -> None:
        last: ListedPage | None = None
        if source.uri in self._carried_on:
            for last in self._catalog.listed_pages(source.uri):
                self.carried_names += last.listed
                self._take(source, last, dispatcher)
            if last is not None and last.is_last:
                return
        number = last.number if last else 0
        try:
            for page in self._timed(source.pages(last.marker if last else "")):
                number += 1
                self._take_new(source, number, page, dispatcher, results)
        except ListingExpired:
            # The service has forgotten the marker. What was listed is passed over this time.
            taken = self._catalog.listed_names([source.uri])
            for page in self._timed(source.pages()):
                number += 1
                names = [name_number(blob.uri) for blob in page.blobs]
                is_taken = np.isin(np.array(names, np.uint64), taken)
                blobs = [b for b, is_old in zip(page.blobs, is_taken, strict=True) if not is_old]
                fresh = BlobPage(blobs, page.marker, page.is_last)
                self._take_new(source, number, fresh, dispatcher, results)

    def _take_new(
        self,
        source: Source,
        number: int,
        page: BlobPage,
        dispatcher: Dispatcher,
        results: Pipe[object],
    ) -> None:
        todo: list[Blob] = []
        counted = Counter(self._sort(source, page.blobs, todo))
        listed = ListedPage(
            source=source.uri,
            number=number,
            marker=page.marker,
            is_last=page.is_last,
            names=b"".join(name_hash(blob.uri) for blob in page.blobs),
            counts=PageCounts(**counted),
            todo=tuple(todo),
        )
        outcome = Listed(listed)
        results.put(outcome)
        self._take(source, listed, dispatcher)
        while not outcome.is_kept.wait(_POLL_SECONDS):
            if self._stop.is_set:
                raise Stopped

    def _list_names(self, source: Source, dispatcher: Dispatcher, results: Pipe[object]) -> None:
        """Of a source that begins again each time: the names are kept to tell what is gone."""
        names = bytearray()
        number = 1
        for blob in self._timed(source.list()):
            todo: list[Blob] = []
            counted = Counter(self._sort(source, [blob], todo))
            names += name_hash(blob.uri)
            self._count(1, PageCounts(**counted))
            for one in todo:
                dispatcher.hand_out(source, one)
            if len(names) >= _NAMES_PER_PAGE * NAME_BYTES:
                results.put(Listed(ListedPage(source.uri, number, "", False, bytes(names))))
                names.clear()
                number += 1
        results.put(Listed(ListedPage(source.uri, number, "", False, bytes(names))))

    def _sort(self, source: Source, blobs: Sequence[Blob], todo: list[Blob]) -> Iterator[str]:
        """Names of the `PageCounts` of the blobs that need no work; the others go to `todo`."""
        for blob in blobs:
            choice = self._selection.choose(blob, source.uri)
            decision, entry = self._planner.plan(blob)
            if choice is Choice.LOOK and decision is not Plan.KEEP:
                todo.append(blob)
            elif choice is Choice.LOOK:
                yield "unchanged"
            else:
                yield "excluded" if choice is Choice.EXCLUDED else "older"
                if entry is not None:
                    yield "left_known"
                    if decision is Plan.READ and entry.etag:
                        yield "left_changed"

    def _take(self, source: Source, page: ListedPage, dispatcher: Dispatcher) -> None:
        self._count(page.listed, page.counts)
        for blob in page.todo:
            if self._stop.is_set:
                raise Stopped
            dispatcher.hand_out(source, blob)

    def _count(self, listed: int, counts: PageCounts) -> None:
        totals = self._counts
        totals.listed += listed
        totals.unchanged += counts.unchanged
        totals.excluded += counts.excluded
        totals.older += counts.older
        totals.left_known += counts.left_known
        totals.left_changed += counts.left_changed

    def _timed(self, listing: Iterator[T]) -> Iterator[T]:
        while True:
            with self._clock.timed("list"):
                item = next(listing, None)
            if self._stop.is_set:
                # A run does not wait for a listing that stalls: the catalog may be closed.
                raise Stopped
            if item is None:
                return
            yield item
