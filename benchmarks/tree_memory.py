"""The memory of a process and all that it started, watched from outside while they run."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# Reading it walks the page tables of a process: some milliseconds for a gigabyte.
_SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TreeMemory:
    """The largest sums over all processes that were seen at one moment, bytes.

    A page that several processes share counts once: in each by its share (PSS).

    Attributes:
        own: what the processes have written: heaps and stacks.
        resident: with pages of files: libraries, and those of the catalog that are mapped, which
            the system takes back at need.
        processes: most at once.
    """

    own: int
    resident: int
    processes: int


class TreeWatch:
    """Samples the memory of a process tree until its root ends."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._own = self._resident = self._processes = 0
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def peak(self) -> TreeMemory:
        """Waits for the end of the root."""
        self._thread.join()
        return TreeMemory(self._own, self._resident, self._processes)

    def _sample(self) -> None:
        while _is_running(self._root):
            sizes = [size for pid in _tree(self._root) if (size := memory_of(pid))]
            self._own = max(self._own, sum(own for own, _ in sizes))
            self._resident = max(self._resident, sum(resident for _, resident in sizes))
            self._processes = max(self._processes, len(sizes))
            time.sleep(_SAMPLE_SECONDS)


def _is_running(pid: int) -> bool:
    with suppress(OSError):
        return _after_name(pid)[0] != "Z"
    return False


def _tree(root: int) -> list[int]:
    children = defaultdict(list)
    for place in _PROC.iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                children[int(_after_name(int(place.name))[1])].append(int(place.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def _after_name(pid: int) -> list[str]:
    """The fields of its stat that follow the name, which may hold anything: state, parent …"""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def memory_of(pid: int) -> tuple[int, int] | None:
    """What a process has written, and all that it has resident, bytes, shared pages by its share of
    them; None when it is gone."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    sizes = {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (line.partition(":") for line in lines)
        if name in ("Pss", "Pss_Anon", "Pss_Shmem")
    }
    if "Pss" not in sizes:
        return None
    return sizes.get("Pss_Anon", 0) + sizes.get("Pss_Shmem", 0), sizes["Pss"]
