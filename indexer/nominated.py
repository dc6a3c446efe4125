"""Instead of a listing: names that something has happened to, each asked for as it is now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from indexer.finding import Dispatcher
from indexer.outcomes import Gone, ReadJob
from indexer.pipes import Pipe, Stop, Stopped
from indexer.planner import Planner
from indexer.run_report import RunCounts, StageClock
from indexer.selection import Choice, Selection
from storage.blob import looks_like_image
from storage.catalog import Catalog
from storage.errors import BlobUnreadable
from storage.source import Source


class Nominated:
    """Looks at some names only.

    An event says that there was something; what there is, the source says. So events may come
    late, twice, out of order or for nothing.

    Args:
        names: URIs; those below none of the sources, and those that are no image's, are passed
            over.
    """

    carried_names = 0
    carried_from = 0.0

    def __init__(
        self,
        sources: Sequence[Source],
        names: Sequence[str],
        catalog: Catalog,
        planner: Planner,
        selection: Selection,
        counts: RunCounts,
        clock: StageClock,
        stop: Stop,
    ) -> None:
        self._sources = sources
        self._names = names
        self._catalog = catalog
        self._planner = planner
        self._selection = selection
        self._counts = counts
        self._clock = clock
        self._stop = stop
        self.is_finished = False
        # What is added now, an unfinished listing may have passed already.
        for source in sources:
            catalog.drop_overlapping_listings(source.uri)

    def run(self, jobs: Pipe[ReadJob], results: Pipe[object]) -> None:
        """See `WorkFinder.run`."""
        dispatcher = Dispatcher(self._catalog, self._planner, self._counts, jobs, results)
        for name in dict.fromkeys(self._names):
            source = self._source_of(name)
            if source is not None and looks_like_image(name):
                self._look(source, name, dispatcher, results)
        self.is_finished = True
        dispatcher.hand_out_the_rest()

    def removed(self) -> Iterator[str]:
        """Nothing: what is gone was told when it was looked at."""
        return iter(())

    def forget(self) -> None:
        """There is nothing to forget."""

    def _look(
        self, source: Source, name: str, dispatcher: Dispatcher, results: Pipe[object]
    ) -> None:
        try:
            with self._clock.timed("list"):
                blob = source.stat(name)
        except BlobUnreadable:
            # The next listing will show it with its reason.
            return
        if self._stop.is_set:
            raise Stopped
        if blob is None:
            if self._catalog.blob(name) is not None:
                results.put(Gone(name))
            return
        self._counts.listed += 1
        choice = self._selection.choose(blob, source.uri)
        if choice is Choice.LOOK:
            dispatcher.hand_out(source, blob)
            return
        if choice is Choice.EXCLUDED:
            self._counts.excluded += 1
        else:
            self._counts.older += 1
        self._counts.left_known += self._catalog.blob(name) is not None

    def _source_of(self, name: str) -> Source | None:
        for source in self._sources:
            if name.startswith(source.uri.rstrip("/") + "/"):
                return source
        return None
