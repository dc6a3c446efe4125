"""Time and memory of the stages of a run, in one process and the workers it starts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_STATUS = Path("/proc/self/status")
_SAMPLE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage took.

    Attributes:
        seconds: wall time. cpu_seconds: of all threads and workers.
        own_bytes: the most memory of the process itself and its workers that was seen.
        resident_bytes: the same with mapped pages of the catalog and of libraries, those that
            several processes have mapped counted for each.
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
        while True:
            memory, resident = _bytes("RssAnon"), _bytes("VmRSS")
            for worker in psutil.Process().children(recursive=True):
                # One may end while it is looked at.
                with suppress(psutil.Error, OSError):
                    times = worker.cpu_times()
                    self._worker_seconds[worker.pid] = times.user + times.system
                    status = Path(f"/proc/{worker.pid}/status")
                    memory += _bytes("RssAnon", status)
                    resident += _bytes("VmRSS", status)
            self.most = max(self.most, memory)
            self.most_resident = max(self.most_resident, resident)
            if self._ended.wait(_SAMPLE_SECONDS):
                return


def _bytes(name: str, status: Path = _STATUS) -> int:
    for line in status.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
