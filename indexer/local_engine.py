"""Reading and describing on this machine.

    readers (threads) ─► decoders (processes)

A bounded queue and a budget of bytes join the two, so memory depends on the settings and not on the
number of images.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from indexer.committing import DescribedBlob
from indexer.engine import Describing, Flow
from indexer.outcomes import DescribeJob
from indexer.pipes import ByteBudget, Pipe, stage_thread
from indexer.reading import Reader
from indexer.turns import Turns
from indexer.worker_pool import Decoder, memory_share
from storage.worker_processes import usable_cores


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """How this machine reads and describes.

    Attributes:
        workers: decoding processes; 0 is one for each core.
        readers: reads under way at once.
        bytes_in_flight: image data held in memory between reading and decoding.
        share: bytes that one image may take while others are decoded; None for a share of half the
            memory of the machine.
    """

    workers: int
    readers: int
    bytes_in_flight: int
    share: int | None = None


class LocalEngine:
    """An `indexer.engine.Engine` of threads and decoding processes."""

    def __init__(self, options: LocalOptions, describing: Describing, flow: Flow) -> None:
        self._flow = flow
        workers = options.workers or usable_cores()
        limits = describing.options.limits
        self._budget = ByteBudget(options.bytes_in_flight, flow.stop)
        self._contents: Pipe[DescribeJob] = Pipe(4 * workers, options.readers, flow.stop)
        self._reader = Reader(flow.in_flight, self._budget, flow.clock, limits.max_bytes, flow.stop)
        turns = Turns(flow.stop)
        share = options.share
        if share is None:
            share = memory_share(limits.max_memory, workers)
        self._decoders = [
            Decoder(
                describing.options,
                describing.timeout,
                describing.extract,
                flow.stop,
                turns,
                share,
            )
            for _ in range(workers)
        ]
        self._memory = [0] * workers
        self._reading = [
            stage_thread(f"reader-{n}", self._read, flow.stop) for n in range(options.readers)
        ]
        self._describing = [
            stage_thread(f"decoder-{n}", partial(self._describe, n), flow.stop)
            for n in range(workers)
        ]
        flow.results.expect(len(self._reading) + len(self._describing))

    @property
    def restarts(self) -> int:
        return sum(decoder.restarts for decoder in self._decoders)

    @property
    def peak_memory(self) -> int:
        return sum(self._memory)

    def start(self) -> None:
        for thread in self._reading + self._describing:
            thread.start()

    def leave(self, leave_at: float) -> None:
        for thread in self._reading:
            # A run that is complete has no read under way.
            left = max(0.0, leave_at - time.monotonic())
            thread.join(left if self._flow.stop.is_set else None)
        for thread in self._describing:
            thread.join()
        for decoder in self._decoders:
            decoder.close()

    def _read(self) -> None:
        self._reader.run(self._flow.jobs, self._contents, self._flow.results)
        self._contents.finish()
        self._flow.results.finish()

    def _describe(self, number: int) -> None:
        decoder = self._decoders[number]
        for job in self._contents:
            try:
                answer = decoder.describe(job.content, job.digest)
            finally:
                self._budget.release(job.blob.size)
            self._flow.clock.add("describe", answer.seconds)
            self._memory[number] = max(self._memory[number], answer.peak_memory)
            self._flow.results.put(
                DescribedBlob(
                    job.source, job.blob, job.digest, answer.image, answer.reason, answer.limit
                )
            )
        self._flow.results.finish()
