"""Verdicts computed ahead, by workers, while the resolution takes them in order.

Candidates are cut into short runs of neighbours, which mostly share an image, so that a worker
reads a preview and finds its keypoints once. Workers are processes here
(`resolve.verdict_processes`) or on other machines (`resolve.verdict_cluster`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Protocol

from resolve.verdicts import CachedVerdicts
from search.candidates import CandidatePair
from verify.codec import encode_verdict
from verify.costs import StageCosts
from verify.verdict import Relation, Verdict

PAIRS_PER_TASK = 48
_CRASHED = "verification of the two crashed"

Pair = tuple[int, int]
# The verdicts of a task's pairs, encoded, and what they cost (`StageCosts.as_dict`).
Answer = tuple[list[bytes], dict[str, dict[str, float]]]
# Waits for the verdicts of a task; raises `WorkerLost`.
Promise = Callable[[], Answer]


class WorkerLost(Exception):
    """A worker died of a pair of the task, or of one that it had at the same time."""


class VerdictPool(Protocol):
    """Workers that compute verdicts."""

    @property
    def tasks_ahead(self) -> int:
        """Tasks to be under way at once; 0 when the workers are no help."""

    def submit(self, pairs: Sequence[Pair]) -> Promise:
        """Have verdicts computed of pairs, each in the order of the two digests."""

    def close(self) -> None:
        """End what was started. It starts again when it is needed."""


class VerdictWorkers:
    """Fills a `CachedVerdicts` ahead of its reader.

    Args:
        verdicts: where the verdicts go, and which knows what it has already.
        pool: of workers whose verifiers have the same `version` as that of `verdicts`.
    """

    def __init__(self, verdicts: CachedVerdicts, pool: VerdictPool) -> None:
        self._verdicts = verdicts
        self._pool = pool

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
        if not self._pool.tasks_ahead:
            yield from candidates
            return
        waiting: deque[tuple[list[CandidatePair], list[Pair], Promise | None]] = deque()
        stream = iter(candidates)
        while True:
            while len(waiting) < self._pool.tasks_ahead:
                task = list(islice(stream, PAIRS_PER_TASK))
                if not task:
                    break
                unknown = self._unknown(task)
                waiting.append((task, unknown, self._pool.submit(unknown) if unknown else None))
            if not waiting:
                return
            task, unknown, promise = waiting.popleft()
            if promise is not None:
                for pair, value in zip(unknown, self._values(unknown, promise), strict=True):
                    self._verdicts.add(*pair, value)
            yield from task

    def close(self) -> None:
        """Ends the workers."""
        self._pool.close()

    def _unknown(self, task: list[CandidatePair]) -> list[Pair]:
        return [
            self._verdicts.order(pair.low_id, pair.high_id)
            for pair in task
            if not self._verdicts.is_known(pair.low_id, pair.high_id)
        ]

    def _values(self, pairs: Sequence[Pair], promise: Promise) -> list[bytes]:
        try:
            return self._taken(promise)
        except WorkerLost:
            # One by one, the pair to blame is found.
            return [self._alone(pair) for pair in pairs]

    def _alone(self, pair: Pair) -> bytes:
        for _ in range(2):
            try:
                return self._taken(self._pool.submit([pair]))[0]
            except WorkerLost:
                self._pool.close()
        return encode_verdict(Verdict(Relation.DIFFERENT, 0.0, False, False, None, {}, _CRASHED))

    def _taken(self, promise: Promise) -> list[bytes]:
        values, costs = promise()
        self._verdicts.costs.merge(StageCosts.from_dict(costs))
        return values
