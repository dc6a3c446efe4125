"""The pass: every new or changed image is read once, described, embedded and committed.

    lister ─► readers ─► decoders (processes) ─► embedding and commit (this thread)

Bounded queues and a budget of bytes join the stages, so memory depends on the settings and not on
the number of images. A run that is killed has lost what was not committed, and nothing else: the
next run reads just that.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from indexer.committing import Committer, DescribedBlob
from indexer.decode import DecodeLimits
from indexer.embedders.base import Embedder
from indexer.extract import DESCRIPTOR_VERSION, ExtractOptions, extract
from indexer.finding import WorkFinder, outermost
from indexer.in_flight import InFlight
from indexer.listing import Lister
from indexer.nominated import Nominated
from indexer.outcomes import DescribeJob, Listed, ReadJob
from indexer.pipes import ByteBudget, Pipe, Stop, Stopped
from indexer.planner import Planner
from indexer.reading import Reader
from indexer.run_report import (
    IndexListener,
    IndexProgress,
    IndexReport,
    RunCounts,
    StageClock,
    own_peak_memory,
)
from indexer.selection import Selection
from indexer.turns import Turns
from indexer.worker_pool import Decoder, Extract, memory_share
from storage.catalog import Catalog
from storage.errors import EmptySource, UsageError
from storage.index_directory import IndexDirectory
from storage.parameters import SCHEMA_VERSION, IndexParameters, ModelParameters
from storage.source import Source

_IDLE_SECONDS = 2.0
_PROGRESS_SECONDS = 0.25
# How long a run that ends early waits for reads and listings under way, in all. A source on the
# network may stall for minutes; its threads are left behind and do nothing more.
_LEAVE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How a pass runs.

    Attributes:
        workers: decoding processes; 0 is one for each core.
        readers: reads under way at once.
        batch_size: images embedded at once.
        commit_every: blobs per transaction.
        commit_seconds: longest time between transactions.
        preview_size: longer side of the previews, pixels.
        limits: what one image may cost.
        image_timeout: seconds that decoding one image may take.
        bytes_in_flight: image data held in memory between reading and decoding.
        extract: what describes an image; it must be importable by name.
        selection: what is looked at in the sources.
        trusts_md5: a blob that has the size and MD5 of one that was read is not read itself.
    """

    workers: int = 0
    readers: int = 8
    batch_size: int = 32
    commit_every: int = 256
    commit_seconds: float = 5.0
    preview_size: int = 640
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    image_timeout: float = 60.0
    bytes_in_flight: int = 256 * 2**20
    extract: Extract = extract
    selection: Selection = field(default_factory=Selection)
    trusts_md5: bool = False

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}; it is 0 or more")
        for name in ("readers", "batch_size", "commit_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is 1 or more")


def index(
    sources: Sequence[Source],
    directory: IndexDirectory,
    embedders: Sequence[Embedder],
    options: IndexOptions,
    listener: IndexListener,
    names: Sequence[str] | None = None,
) -> IndexReport:
    """Brings an index up to date with its sources.

    Args:
        sources: listed one after the other; one that lies in another is listed as part of it.
        directory: the index; one pass at a time writes to it.
        embedders: one embedding of each image by each; the same ones in every run of an index.
        options: how.
        listener: is told how far it is.
        names: URIs that may be new, changed or gone; nothing is listed then, and only these are
            looked at. Those below none of the sources are passed over.

    Raises:
        EmptySource: a source names no image; nothing is removed then.
        IndexMismatch: the index was made with other models or settings.
        IndexLocked, IndexStorageError, SourceNotFound, CredentialsError, SourceUnavailable
    """
    if not sources:
        raise UsageError("No source was given.", "Name a folder or a container.")
    with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
        wanted = _parameters(embedders, options)
        existing = catalog.parameters()
        if existing is None:
            catalog.set_parameters(wanted)
        else:
            existing.require_same(wanted)
        listed, covered = outermost(sources)
        return _Run(listed, covered, catalog, embedders, options, listener, names).run()


def _parameters(embedders: Sequence[Embedder], options: IndexOptions) -> IndexParameters:
    return IndexParameters(
        schema_version=SCHEMA_VERSION,
        descriptor_version=DESCRIPTOR_VERSION,
        preview_size=options.preview_size,
        models=tuple(
            ModelParameters(
                name=embedder.spec.name,
                dimension=embedder.spec.dimension,
                fingerprint=embedder.spec.fingerprint,
                runtime=embedder.spec.runtime,
                input_size=embedder.spec.input_size,
            )
            for embedder in embedders
        ),
    )


class _Run:
    """The threads of one pass and what they share."""

    def __init__(
        self,
        sources: Sequence[Source],
        covered: list[str],
        catalog: Catalog,
        embedders: Sequence[Embedder],
        options: IndexOptions,
        listener: IndexListener,
        names: Sequence[str] | None,
    ) -> None:
        self._sources = sources
        self._covered = covered
        # A watch makes many passes over the same sources.
        self._before = [replace(source.traffic) for source in sources]
        self._catalog = catalog
        self._options = options
        self._listener = listener
        self._workers = options.workers or os.cpu_count() or 1
        self._stop = Stop()
        self._clock = StageClock()
        self._counts = RunCounts()
        self._budget = ByteBudget(options.bytes_in_flight, self._stop)
        self._jobs: Pipe[ReadJob] = Pipe(4 * options.readers, 1, self._stop)
        self._contents: Pipe[DescribeJob] = Pipe(4 * self._workers, options.readers, self._stop)
        producers = 1 + options.readers + self._workers
        self._results: Pipe[object] = Pipe(4 * options.batch_size, producers, self._stop)
        in_flight = InFlight(catalog)
        limits = options.limits.by_kind(options.image_timeout)
        planner = Planner(catalog, limits, trusts_md5=options.trusts_md5)
        shared = (catalog, planner, options.selection, self._counts, self._clock, self._stop)
        self._finder: WorkFinder
        if names is None:
            self._finder = Lister(sources, *shared)
        else:
            self._finder = Nominated(sources, names, *shared)
        self._reader = Reader(
            in_flight, self._budget, self._clock, options.limits.max_bytes, self._stop
        )
        self._committer = Committer(
            catalog,
            embedders,
            in_flight,
            self._counts,
            self._clock,
            options.batch_size,
            options.commit_every,
            options.commit_seconds,
        )
        sides = tuple(sorted({embedder.spec.input_size for embedder in embedders}))
        extract_options = ExtractOptions(options.limits, options.preview_size, sides)
        turns = Turns(self._stop)
        share = memory_share(options.limits.max_memory, self._workers)
        self._decoders = [
            Decoder(
                extract_options, options.image_timeout, options.extract, self._stop, turns, share
            )
            for _ in range(self._workers)
        ]
        self._decoder_memory = [0] * self._workers
        self._started = time.monotonic()
        self._last_progress = 0.0

    def run(self) -> IndexReport:
        run_id = self._catalog.start_run([source.uri for source in self._sources], time.time())
        fetching = [self._thread("lister", self._list)]
        fetching += [self._thread(f"reader-{n}", self._read) for n in range(self._options.readers)]
        describing = [
            self._thread(f"decoder-{n}", lambda n=n: self._describe(n))  # type: ignore[misc]
            for n in range(self._workers)
        ]
        for thread in fetching + describing:
            thread.start()
        try:
            with suppress(Stopped):
                self._commit_results()
        except BaseException as error:
            self._stop.set(error)
            raise
        finally:
            leave_at = time.monotonic() + _LEAVE_SECONDS
            for thread in fetching:
                # A run that is complete has no read under way.
                thread.join(max(0.0, leave_at - time.monotonic()) if self._stop.is_set else None)
            for thread in describing:
                thread.join()
            for decoder in self._decoders:
                decoder.close()
            if not isinstance(self._stop.error, Exception):
                # A finished run, or one that Ctrl-C ended: what is worked out is kept.
                self._finish()
                self._tell()
        if self._stop.error is not None:
            self._finish()
            if isinstance(self._stop.error, EmptySource):
                # The next run looks again whether there is something now.
                self._finder.forget()
            raise self._stop.error
        for uri in self._finder.removed():
            self._committer.remove(uri)
        self._committer.finish()
        self._finder.forget()
        report = self._report()
        self._catalog.finish_run(run_id, time.time(), asdict(self._counts))
        self._tell()
        return report

    def _finish(self) -> None:
        """Commit what is worked out, and what is listed: the next run carries on from there."""
        for outcome in self._results.left_over():
            if isinstance(outcome, Listed):
                self._committer.take(outcome)
        self._committer.finish()

    def _commit_results(self) -> None:
        idle_since = time.monotonic()
        while not self._results.is_finished:
            outcome = self._results.poll()
            now = time.monotonic()
            if outcome is not None:
                idle_since = now
                self._committer.take(outcome)
            elif now - idle_since >= _IDLE_SECONDS:
                # A slow source must not hold back what is described already.
                self._committer.embed()
                self._committer.commit_if_due()
                idle_since = now
            if now - self._last_progress >= _PROGRESS_SECONDS:
                self._last_progress = now
                self._tell()

    def _list(self) -> None:
        self._finder.run(self._jobs, self._results)
        self._jobs.finish()
        self._results.finish()

    def _read(self) -> None:
        self._reader.run(self._jobs, self._contents, self._results)
        self._contents.finish()
        self._results.finish()

    def _describe(self, number: int) -> None:
        decoder = self._decoders[number]
        for job in self._contents:
            try:
                answer = decoder.describe(job.content, job.digest)
            finally:
                self._budget.release(job.blob.size)
            self._clock.add("describe", answer.seconds)
            self._decoder_memory[number] = max(self._decoder_memory[number], answer.peak_memory)
            self._results.put(
                DescribedBlob(
                    job.source, job.blob, job.digest, answer.image, answer.reason, answer.limit
                )
            )
        self._results.finish()

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except Stopped:
                return
            except BaseException as error:  # noqa: BLE001 - a dead thread must end the run
                self._stop.set(error)

        return threading.Thread(target=guarded, name=name, daemon=True)

    def _tell(self) -> None:
        self._listener.on_progress(
            IndexProgress(
                counts=self._counts,
                is_listed=self._finder.is_finished,
                bytes_read=self._traffic("bytes_read"),
                seconds=time.monotonic() - self._started,
            )
        )

    def _traffic(self, what: str) -> int:
        """Of this pass, over all sources."""
        return sum(
            int(getattr(source.traffic, what)) - int(getattr(before, what))
            for source, before in zip(self._sources, self._before, strict=True)
        )

    def _report(self) -> IndexReport:
        counts = self._counts
        return IndexReport(
            listed=counts.listed,
            unchanged=counts.unchanged,
            excluded=counts.excluded,
            older=counts.older,
            left_known=counts.left_known,
            left_changed=counts.left_changed,
            new_images=counts.new_images,
            aliased=counts.aliased,
            unread=counts.unread,
            unreadable=counts.unreadable,
            vanished=counts.vanished,
            removed=counts.removed,
            carried_names=self._finder.carried_names,
            carried_from=self._finder.carried_from,
            covered=self._covered,
            unlisted=[uri for source in self._sources for uri in source.traffic.unlisted],
            images=self._catalog.image_count,
            contents_read=self._clock.times["digest"],
            list_requests=self._traffic("list_requests"),
            read_requests=self._traffic("read_requests"),
            retries=self._traffic("retries"),
            bytes_read=self._traffic("bytes_read"),
            seconds={stage: round(spent, 3) for stage, spent in self._clock.seconds.items()},
            wall_seconds=time.monotonic() - self._started,
            worker_restarts=sum(decoder.restarts for decoder in self._decoders),
            peak_memory_bytes=own_peak_memory() + sum(self._decoder_memory),
        )
