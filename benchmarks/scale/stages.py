"""Time and memory of the stages of a run, in one process and the workers it starts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

from benchmarks.tree_memory import memory_of

_SAMPLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage took.

    Attributes:
        seconds: wall time. cpu_seconds: of all threads and workers.
        own_bytes: the most memory of the process itself and its workers that was seen.
        resident_bytes: the same with mapped pages of the catalog and of libraries. A page that
            several processes have mapped counts once: in each by its share (PSS).
    """

    seconds: float
    cpu_seconds: float
    own_bytes: int
    resident_bytes: int


class Stages:
    """Measures stages one after the other; `measured` has them by name."""

    def __init__(self) -> None:
        self.measured: dict[str, Stage] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what happens inside."""
        started, cpu = time.monotonic(), time.process_time()
        with _Sampler() as sampler:
            yield
        self.measured[name] = Stage(
            seconds=round(time.monotonic() - started, 2),
            cpu_seconds=round(time.process_time() - cpu + sampler.worker_seconds, 2),
            own_bytes=sampler.most,
            resident_bytes=sampler.most_resident,
        )


class _Sampler:
    """Looks from a thread at this process and those it has started."""

    def __init__(self) -> None:
        self.most = 0
        self.most_resident = 0
        self._worker_seconds: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    @property
    def worker_seconds(self) -> float:
        """CPU time of the workers, those that have ended included."""
        return sum(self._worker_seconds.values())

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        this = psutil.Process()
        while True:
            sizes = [memory_of(this.pid)]
            for worker in this.children(recursive=True):
                # One may end while it is looked at.
                with suppress(psutil.Error):
                    times = worker.cpu_times()
                    self._worker_seconds[worker.pid] = times.user + times.system
                    sizes.append(memory_of(worker.pid))
            self.most = max(self.most, sum(own for own, _ in filter(None, sizes)))
            resident = sum(resident for _, resident in filter(None, sizes))
            self.most_resident = max(self.most_resident, resident)
            if self._ended.wait(_SAMPLE_SECONDS):
                return
