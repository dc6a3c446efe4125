"""Runs the pass, kills it, runs it again, and watches its memory and its requests."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.listing.account import ACCOUNT, CONTAINER, is_gone, is_new, listed
from benchmarks.memory import Memory, MemoryWatch

_URI = f"az://{ACCOUNT}/{CONTAINER}"
_PAGE = 5000
_ROOT = Path(__file__).resolve().parents[2]
# What the pass may take beside mapped pages of the catalog, which the system takes back at need.
MOST_MEMORY = 400 * 2**20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found, beside what should have been."""

    names: int
    pages: int
    pages_before_the_kill: int
    pages_after: int
    listed: int
    carried: int
    unchanged: int
    new: int
    new_expected: int
    removed: int
    removed_expected: int
    reads: int
    fill_seconds: float
    first_seconds: float
    second_seconds: float
    first_memory: Memory
    second_memory: Memory
    catalog_bytes: int

    def faults(self) -> list[str]:
        """What is not as it must be."""
        checks = {
            "pages were listed again": self.pages_before_the_kill + self.pages_after
            <= self.pages + 1,
            "the run was killed at an end of the listing": 0 < self.pages_after < self.pages,
            "names are missing": self.listed == self.names - self.removed_expected,
            "something is taken for new": self.new == self.new_expected,
            "something is taken for gone, or is gone unnoticed": self.removed
            == self.removed_expected,
            "blobs were read twice": self.reads <= self.new_expected + 64,
            "memory": max(self.first_memory.own, self.second_memory.own) <= MOST_MEMORY,
        }
        return [name for name, holds in checks.items() if not holds]


@dataclass
class _Requests:
    """What the account was asked for, counted as it says so."""

    pages: int = 0
    reads: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def follow(self, lines: Iterator[str]) -> None:
        for line in lines:
            with self.changed:
                if line.startswith("list"):
                    self.pages += 1
                else:
                    self.reads += 1
                self.changed.notify_all()


def measure(names: int, folder: Path) -> Outcome:
    """The whole benchmark, with its index in `folder`."""
    index = folder / "index"
    started = time.monotonic()
    _python("benchmarks.listing.child", "fill", str(index), str(names), _URI).wait()
    filled = time.monotonic()
    here = sum(1 for _ in listed(0, names))
    pages = -(-here // _PAGE)
    with _account(names) as (url, requests):
        run = ("benchmarks.listing.child", "index", str(index), url)
        first = _python(*run)
        watch = MemoryWatch(first.pid)
        with requests.changed:
            requests.changed.wait_for(lambda: requests.pages >= pages // 2 + 1, timeout=3600)
        first.kill()
        first.wait()
        killed = time.monotonic()
        before = requests.pages
        second = _python(*run)
        second_watch = MemoryWatch(second.pid)
        said, _ = second.communicate()
        finished = time.monotonic()
        if second.returncode:
            raise RuntimeError(f"the second run failed with {second.returncode}")
    report = json.loads(said)
    return Outcome(
        names=names,
        pages=pages,
        pages_before_the_kill=before,
        pages_after=requests.pages - before,
        listed=report["listed"],
        carried=report["carried_names"],
        unchanged=report["unchanged"],
        new=report["new_images"] + _known_of_first_run(report),
        new_expected=sum(is_new(number) and not is_gone(number) for number in range(names)),
        removed=report["removed"],
        removed_expected=sum(is_gone(number) and not is_new(number) for number in range(names)),
        reads=requests.reads,
        fill_seconds=round(filled - started, 1),
        first_seconds=round(killed - filled, 1),
        second_seconds=round(finished - killed, 1),
        first_memory=watch.peak(),
        second_memory=second_watch.peak(),
        catalog_bytes=sum(
            path.stat().st_blocks * 512 for path in (index / "catalog.lmdb").iterdir()
        ),
    )


def _known_of_first_run(report: dict[str, int]) -> int:
    """New images that the killed run had committed: all images less the one that was known."""
    return report["images"] - 1 - report["new_images"]


@contextmanager
def _account(names: int) -> Iterator[tuple[str, _Requests]]:
    process = _python("benchmarks.listing.account", str(names))
    assert process.stdout is not None
    port = int(process.stdout.readline())
    requests = _Requests()
    threading.Thread(target=requests.follow, args=(process.stdout,), daemon=True).start()
    try:
        # The account believes any signature.
        yield f"http://127.0.0.1:{port}/{ACCOUNT}/{CONTAINER}?sv=2024-11-04&sig=any", requests
    finally:
        process.kill()
        process.wait()


def _python(module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    )
