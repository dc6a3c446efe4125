"""Time and memory of the stages of a run, in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage took.

    Attributes:
        seconds: wall time. cpu_seconds: of all threads.
        own_bytes: the most memory of the process itself that was seen.
        resident_bytes: the largest resident set, with mapped pages of the catalog, which the system
            takes back at need.
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
        # 5 sets the high-water mark of the resident set back to what it is now.
        _CLEAR.write_text("5")
        started, cpu = time.monotonic(), time.process_time()
        with _Sampler() as sampler:
            yield
        self.measured[name] = Stage(
            seconds=round(time.monotonic() - started, 2),
            cpu_seconds=round(time.process_time() - cpu, 2),
            own_bytes=sampler.most,
            resident_bytes=_bytes("VmHWM"),
        )


class _Sampler:
    """Looks at the memory of this process from a thread."""

    def __init__(self) -> None:
        self.most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.most = max(self.most, _bytes("RssAnon"))
            if self._ended.wait(_SAMPLE_SECONDS):
                return


def _bytes(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
