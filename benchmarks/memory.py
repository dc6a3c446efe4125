"""The memory of another process, watched from outside while it runs."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Memory:
    """The largest that were seen, bytes.

    Attributes:
        own: memory of the process itself.
        resident: with the pages of the catalog's file that were mapped, which the system takes
            back at need.
        own_at_half: the first one, up to the middle of the time that was watched.
    """

    own: int
    resident: int
    own_at_half: int


class MemoryWatch:
    """Samples the memory of a process until it ends."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._own: list[tuple[float, int]] = []
        self._resident = 0
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def peak(self) -> Memory:
        """Waits for the end of the process."""
        self._thread.join()
        if not self._own:
            return Memory(0, 0, 0)
        middle = (self._own[0][0] + self._own[-1][0]) / 2
        return Memory(
            own=max(size for _, size in self._own),
            resident=self._resident,
            own_at_half=max(size for at, size in self._own if at <= middle),
        )

    def _sample(self) -> None:
        while True:
            try:
                lines = self._status.read_text().splitlines()
            except OSError:
                return
            sizes = {
                name: int(rest.split()[0]) * 1024
                for name, _, rest in (line.partition(":") for line in lines)
                if name in ("RssAnon", "VmRSS")
            }
            if not sizes:
                # A zombie has none.
                return
            self._own.append((time.monotonic(), sizes["RssAnon"]))
            self._resident = max(self._resident, sizes["VmRSS"])
            time.sleep(_SAMPLE_SECONDS)
