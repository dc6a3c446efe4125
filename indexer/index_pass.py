"""The pass: every new or changed image is read once, described, embedded and committed.

    lister ─► reading and describing (`indexer.engine`) ─► embedding and commit (this thread)

Bounded queues join the stages, so memory depends on the settings and not on the number of images. A
run that is killed has lost what was not committed, and nothing else: the next run reads just that.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from indexer.committing import Committer
from indexer.decode import DecodeLimits
from indexer.embedders.base import Embedder, ModelSpec
from indexer.engine import Describing, Engine, Flow, Remote
from indexer.extract import DESCRIPTOR_VERSION, ExtractOptions, extract
from indexer.finding import WorkFinder, outermost
from indexer.in_flight import InFlight
from indexer.listing import Lister
from indexer.local_engine import LocalEngine, LocalOptions
from indexer.nominated import Nominated
from indexer.outcomes import Listed, ReadJob
from indexer.pipes import Pipe, Stop, Stopped, stage_thread
from indexer.planner import Planner
from indexer.raw import NEEDS_RAWPY, can_read_raw
from indexer.run_report import (
    IndexListener,
    IndexProgress,
    IndexReport,
    RunCounts,
    StageClock,
    own_peak_memory,
)
from indexer.selection import Selection
from indexer.worker_pool import Extract
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
# Blobs that wait to be read elsewhere: names only.
_REMOTE_JOBS = 1024


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
        share: bytes that one image may take while others are decoded; None for a share of half the
            memory of the machine.
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
    share: int | None = None
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
    remote: Remote | None = None,
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
        remote: where images are read, described and embedded; None for here. `embedders` is not
            used then.

    Raises:
        EmptySource: a source names no image; nothing is removed then.
        IndexMismatch: the index was made with other models or settings.
        IndexLocked, IndexStorageError, SourceNotFound, CredentialsError, SourceUnavailable
    """
    if not sources:
        raise UsageError("No source was given.", "Name a folder or a container.")
    with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
        specs = [embedder.spec for embedder in embedders] if remote is None else remote.specs
        wanted = _parameters(specs, options)
        existing = catalog.parameters()
        if existing is None:
            catalog.set_parameters(wanted)
        else:
            existing.require_same(wanted)
        listed, covered = outermost(sources)
        run = _Run(listed, covered, catalog, embedders, specs, options, listener, names, remote)
        return run.run()


def _parameters(specs: Sequence[ModelSpec], options: IndexOptions) -> IndexParameters:
    return IndexParameters(
        schema_version=SCHEMA_VERSION,
        descriptor_version=DESCRIPTOR_VERSION,
        preview_size=options.preview_size,
        models=tuple(
            ModelParameters(
                name=spec.name,
                dimension=spec.dimension,
                fingerprint=spec.fingerprint,
                runtime=spec.runtime,
                input_size=spec.input_size,
            )
            for spec in specs
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
        specs: Sequence[ModelSpec],
        options: IndexOptions,
        listener: IndexListener,
        names: Sequence[str] | None,
        remote: Remote | None,
    ) -> None:
        self._sources = sources
        self._covered = covered
        # A watch makes many passes over the same sources.
        self._before = [replace(source.traffic) for source in sources]
        self._catalog = catalog
        self._listener = listener
        self._stop = Stop()
        self._clock = StageClock()
        self._counts = RunCounts()
        # Elsewhere they are taken by the batch.
        room = 4 * options.readers if remote is None else _REMOTE_JOBS
        self._jobs: Pipe[ReadJob] = Pipe(room, 1, self._stop)
        # The lister is one producer.
        self._results: Pipe[object] = Pipe(4 * options.batch_size, 1, self._stop)
        in_flight = InFlight(catalog)
        limits = options.limits.by_kind(options.image_timeout)
        mended = (NEEDS_RAWPY,) if can_read_raw() else ()
        planner = Planner(catalog, limits, mended=mended, trusts_md5=options.trusts_md5)
        shared = (catalog, planner, options.selection, self._counts, self._clock, self._stop)
        self._finder: WorkFinder
        if names is None:
            self._finder = Lister(sources, *shared)
        else:
            self._finder = Nominated(sources, names, *shared)
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
        sides = tuple(sorted({spec.input_size for spec in specs}))
        describing = Describing(
            options.extract,
            ExtractOptions(options.limits, options.preview_size, sides),
            options.image_timeout,
        )
        flow = Flow(self._jobs, self._results, in_flight, self._clock, self._stop)
        self._engine: Engine
        if remote is None:
            local = LocalOptions(
                options.workers, options.readers, options.bytes_in_flight, options.share
            )
            self._engine = LocalEngine(local, describing, flow)
        else:
            self._engine = remote.engine(describing, flow)
        self._started = time.monotonic()
        self._last_progress = 0.0

    def run(self) -> IndexReport:
        run_id = self._catalog.start_run([source.uri for source in self._sources], time.time())
        lister = stage_thread("lister", self._list, self._stop)
        lister.start()
        self._engine.start()
        try:
            with suppress(Stopped):
                self._commit_results()
        except BaseException as error:
            self._stop.set(error)
            raise
        finally:
            leave_at = time.monotonic() + _LEAVE_SECONDS
            # A run that is complete has listed everything.
            lister.join(_LEAVE_SECONDS if self._stop.is_set else None)
            self._engine.leave(leave_at)
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
            worker_restarts=self._engine.restarts,
            peak_memory_bytes=own_peak_memory() + self._engine.peak_memory,
        )
