"""Keeps what a process holds of mapped catalogs within a bound.

LMDB maps the file, and what has been read stays in the resident set of the process until the system
needs the place: of a catalog of 10 GB all of it, after one walk along the vectors. The pages are
only the system's cache seen through the map. Giving them up costs nothing, and the next look at one
a fraction of a microsecond while the file is still in the cache. Where there is no /proc nothing
happens.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PROC = Path("/proc/self")
_SECONDS = 0.1
_DATA = "/catalog.lmdb/data.mdb"
# Less is not worth a look at the list of maps.
_LEAST = 2**25
# Of the bound, what may be mapped anew before the next look.
_HEADROOM = 1 / 8


@contextmanager
def bounded_memory(most: int) -> Iterator[None]:
    """While the block runs, give up mapped pages when this process holds more than `most` bytes.

    Memory of its own the process keeps: a bound below that leaves hardly a mapped page resident.
    """
    ended = threading.Event()
    before, _Bound.most = _Bound.most, most
    thread = threading.Thread(target=_watch, args=(ended,), daemon=True, name="resident")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _Bound.most = before


def bound_memory(most: int) -> None:
    """The same for as long as the process lives."""
    _Bound.most = most
    ended = threading.Event()
    threading.Thread(target=_watch, args=(ended,), daemon=True, name="resident").start()


def stay_within_bound() -> None:
    """Give up mapped pages if this process holds more than it was allowed, without waiting.

    For what maps hundreds of megabytes before the next look of the thread that watches.
    """
    if _Bound.most is None:
        return
    with suppress(OSError):
        page = os.sysconf("SC_PAGE_SIZE")
        resident, of_files = (int(n) * page for n in (_PROC / "statm").read_text().split()[1:3])
        if resident > _Bound.most * (1 - _HEADROOM) and of_files > _LEAST:
            give_up_mapped_pages()


def give_up_mapped_pages() -> None:
    """Let go of all pages of catalogs that this process has mapped."""
    libc = ctypes.CDLL(None, use_errno=True)
    for line in (_PROC / "maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        # Only what is shared with the file: LMDB writes to the file, never to the map.
        if len(fields) == 6 and fields[5].endswith(_DATA) and fields[1].endswith("s"):
            start, end = (int(address, 16) for address in fields[0].split("-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


class _Bound:
    """Of this process: bytes, or None."""

    most: int | None = None


def _watch(ended: threading.Event) -> None:
    while not ended.wait(_SECONDS):
        stay_within_bound()
