"""Verdicts computed ahead, in worker processes, while the resolution takes them in order.

Each worker opens the catalog to read and has its own verifier: only ids go there, only verdicts
come back. Candidates are cut into short runs of neighbours, which mostly share an image, so that a
worker reads a preview and finds its keypoints once.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from types import TracebackType

import cv2
import faiss

from resolve.verdicts import CachedVerdicts, PairVerifier
from search.candidates import CandidatePair
from storage.catalog_view import CatalogView
from storage.worker_processes import worker_context
from verify.codec import encode_verdict
from verify.costs import StageCosts
from verify.verdict import Relation, Verdict

VerifierFactory = Callable[[], PairVerifier]
CatalogOpener = Callable[[], CatalogView]

PAIRS_PER_TASK = 48
_TASKS_AHEAD_PER_WORKER = 4
_PREVIEWS_IN_MEMORY = 64
_CRASHED = "verification of the two crashed"

Pair = tuple[int, int]
# The verdicts of a task's pairs, encoded, and what they cost (`StageCosts.as_dict`).
Answer = tuple[list[bytes], dict[str, dict[str, float]]]


class VerdictWorkers:
    """Worker processes that fill a `CachedVerdicts` ahead of its reader.

    Args:
        verdicts: where the verdicts go, and which knows what it has already.
        open_catalog: opens the catalog of `verdicts` to be read; it must be picklable.
        make_verifier: makes a worker's verifier; it must be picklable, and give the same `version`
            as the verifier of `verdicts`.
        workers: processes.
    """

    def __init__(
        self,
        verdicts: CachedVerdicts,
        open_catalog: CatalogOpener,
        make_verifier: VerifierFactory,
        workers: int,
    ) -> None:
        self._verdicts = verdicts
        self._open_catalog = open_catalog
        self._make_verifier = make_verifier
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> VerdictWorkers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ahead(self, candidates: Iterable[CandidatePair]) -> Iterator[CandidatePair]:
        """The same candidates in the same order, each with its verdict known when it comes out."""
        if self._workers <= 1:
            yield from candidates
            return
        waiting: deque[tuple[list[CandidatePair], list[Pair], Future[Answer] | None]] = deque()
        stream = iter(candidates)
        while True:
            while len(waiting) < _TASKS_AHEAD_PER_WORKER * self._workers:
                task = list(islice(stream, PAIRS_PER_TASK))
                if not task:
                    break
                waiting.append(self._submitted(task))
            if not waiting:
                return
            task, unknown, future = waiting.popleft()
            if future is not None:
                for pair, value in zip(unknown, self._values(unknown, future), strict=True):
                    self._verdicts.add(*pair, value)
            yield from task

    def close(self) -> None:
        """Ends the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _submitted(
        self, task: list[CandidatePair]
    ) -> tuple[list[CandidatePair], list[Pair], Future[Answer] | None]:
        unknown = [
            self._verdicts.order(pair.low_id, pair.high_id)
            for pair in task
            if not self._verdicts.is_known(pair.low_id, pair.high_id)
        ]
        if not unknown:
            return task, unknown, None
        try:
            return task, unknown, self._running().submit(_verify, unknown)
        except BrokenProcessPool:
            self.close()
            return task, unknown, self._running().submit(_verify, unknown)

    def _values(self, pairs: Sequence[Pair], future: Future[Answer]) -> list[bytes]:
        try:
            return self._taken(future)
        except BrokenProcessPool:
            # Some pair of some task killed a worker. One by one, the one to blame is found.
            return [self._alone(pair) for pair in pairs]

    def _alone(self, pair: Pair) -> bytes:
        for _ in range(2):
            try:
                return self._taken(self._running().submit(_verify, [pair]))[0]
            except BrokenProcessPool:
                self.close()
        return encode_verdict(Verdict(Relation.DIFFERENT, 0.0, False, False, None, {}, _CRASHED))

    def _taken(self, future: Future[Answer]) -> list[bytes]:
        values, costs = future.result()
        self._verdicts.costs.merge(StageCosts.from_dict(costs))
        return values

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=worker_context(),
                initializer=_start_worker,
                initargs=(self._open_catalog, self._make_verifier),
            )
        return self._pool


class _Worker:
    """What a worker process holds."""

    verdicts: CachedVerdicts


def _start_worker(open_catalog: CatalogOpener, make_verifier: VerifierFactory) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    # One worker, one core: the pool is the parallelism.
    faiss.omp_set_num_threads(1)
    _Worker.verdicts = CachedVerdicts(
        open_catalog(),
        make_verifier(),
        is_writable=False,
        previews_in_memory=_PREVIEWS_IN_MEMORY,
    )


def _verify(pairs: Sequence[Pair]) -> Answer:
    values = [_Worker.verdicts.compute(*pair) for pair in pairs]
    return values, _Worker.verdicts.costs.take().as_dict()
