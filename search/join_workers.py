"""The blocks of a self-join searched side by side, in worker processes.

Each opens the index to read and works on one core; only ids go there, only findings come back. They
come back in the order of the blocks, so that nothing depends on which process was faster.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.util import Finalize
from pathlib import Path
from types import TracebackType
from typing import Protocol

from search.hits import I64
from search.index_set import IndexSet
from search.join_block import Findings, Joined, search_block
from search.options import SearchOptions
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory
from storage.resident import bound_memory
from storage.worker_processes import end_with_parent, worker_context

# Blocks asked for and not yet taken, for each worker: a few megabytes each.
_AHEAD = 2


class JoinPool(Protocol):
    """What searches blocks: `JoinWorkers` or `search.join_cluster.JoinCluster`."""

    @property
    def workers(self) -> int:
        """Blocks searched at once."""

    def search(
        self, blocks: Iterable[I64], otherwise: Callable[[I64], Findings]
    ) -> Iterator[Findings]:
        """What is found for each block, in their order.

        Args:
            otherwise: searches a block in this process, when a worker has died on it.
        """


class JoinWorkers:
    """A `JoinPool` of processes, started when the first block is asked for. A context manager.

    Args:
        path: the directory of the index that is joined.
        options: as of the join.
        workers: processes; 0 is one for each core.
        memory: bytes that each may hold (`storage.resident`); 0 sets no bound.
    """

    def __init__(
        self, path: Path, options: SearchOptions, workers: int = 0, memory: int = 0
    ) -> None:
        self._path = path
        self._options = options
        self._memory = memory
        self._workers = workers or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> JoinWorkers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def workers(self) -> int:
        return self._workers

    def close(self) -> None:
        """Ends the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def search(
        self, blocks: Iterable[I64], otherwise: Callable[[I64], Findings]
    ) -> Iterator[Findings]:
        waiting: deque[tuple[I64, Future[Findings]]] = deque()
        stream = iter(blocks)
        while True:
            for block in islice(stream, _AHEAD * self._workers - len(waiting)):
                waiting.append((block, self._submitted(block)))
            if not waiting:
                # What comes next needs the memory.
                self.close()
                return
            block, future = waiting.popleft()
            try:
                yield future.result()
            except BrokenProcessPool:
                yield otherwise(block)

    def _submitted(self, block: I64) -> Future[Findings]:
        try:
            return self._running().submit(_search, block)
        except BrokenProcessPool:
            self.close()
            return self._running().submit(_search, block)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=worker_context(),
                initializer=_start_worker,
                initargs=(self._path, self._options, self._memory),
            )
        return self._pool


class _Worker:
    """What a worker process holds."""

    joined: Joined


def _start_worker(path: Path, options: SearchOptions, memory: int) -> None:
    end_with_parent()
    if memory:
        bound_memory(memory)
    directory = IndexDirectory.open(path)
    catalog = Catalog.open_reader(directory.catalog_path)
    indexes = IndexSet.open(directory, catalog, options, is_writable=False)
    catalog.hold_vectors()
    # Or the pages that it sees stay taken until somebody looks for dead readers.
    Finalize(None, catalog.close, exitpriority=1)
    _Worker.joined = Joined(catalog, indexes, options)


def _search(block: I64) -> Findings:
    return search_block(_Worker.joined, block)
