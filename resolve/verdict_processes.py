"""Worker processes on this machine that compute verdicts.

Each opens the catalog to read and has its own verifier: only ids go there, only verdicts come back.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import cv2
import faiss

from resolve.verdict_workers import Answer, Pair, Promise, WorkerLost
from resolve.verdicts import CachedVerdicts, PairVerifier
from storage.catalog_view import CatalogView
from storage.resident import bound_memory
from storage.worker_processes import end_with_parent, worker_context

VerifierFactory = Callable[[], PairVerifier]
CatalogOpener = Callable[[], CatalogView]

_TASKS_AHEAD_PER_WORKER = 4
PREVIEWS_IN_MEMORY = 64


class VerdictProcesses:
    """A `VerdictPool` of processes, started when they are needed.

    Args:
        open_catalog: opens the catalog to be read; it must be picklable.
        make_verifier: makes a worker's verifier; it must be picklable.
        workers: processes; one is no help to this one.
        memory: bytes that each may hold (`storage.resident`); 0 sets no bound.
    """

    def __init__(
        self,
        open_catalog: CatalogOpener,
        make_verifier: VerifierFactory,
        workers: int,
        memory: int = 0,
    ) -> None:
        self._open_catalog = open_catalog
        self._make_verifier = make_verifier
        self._workers = workers
        self._memory = memory
        self._pool: ProcessPoolExecutor | None = None

    @property
    def tasks_ahead(self) -> int:
        return _TASKS_AHEAD_PER_WORKER * self._workers if self._workers > 1 else 0

    def submit(self, pairs: Sequence[Pair]) -> Promise:
        future = self._submitted(pairs)

        def taken() -> Answer:
            try:
                return future.result()
            except BrokenProcessPool as error:
                raise WorkerLost from error

        return taken

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _submitted(self, pairs: Sequence[Pair]) -> Future[Answer]:
        try:
            return self._running().submit(_verify, pairs)
        except BrokenProcessPool:
            self.close()
            return self._running().submit(_verify, pairs)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=worker_context(),
                initializer=_start_worker,
                initargs=(self._open_catalog, self._make_verifier, self._memory),
            )
        return self._pool


class _Worker:
    """What a worker process holds."""

    verdicts: CachedVerdicts


def _start_worker(open_catalog: CatalogOpener, make_verifier: VerifierFactory, memory: int) -> None:
    end_with_parent()
    if memory:
        bound_memory(memory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    # One worker, one core: the pool is the parallelism.
    faiss.omp_set_num_threads(1)
    _Worker.verdicts = CachedVerdicts(
        open_catalog(),
        make_verifier(),
        is_writable=False,
        previews_in_memory=PREVIEWS_IN_MEMORY,
    )


def _verify(pairs: Sequence[Pair]) -> Answer:
    values = [_Worker.verdicts.compute(*pair) for pair in pairs]
    return values, _Worker.verdicts.costs.take().as_dict()
