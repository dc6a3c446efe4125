"""A run that is killed again and again, with SIGKILL, at random moments."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fault_store.faults import FaultRates
from benchmarks.fault_store.server import FaultServer, serving
from benchmarks.soak.measure import RATES
from benchmarks.soak.pictures import changed, filled
from benchmarks.soak.runs import index_once, report_of, start, wrongly_indexed
from storage.catalog import Catalog
from storage.errors import NotAnIndex
from storage.index_directory import IndexDirectory

_LIMIT = 200.0
_LONGEST_START = 120.0
# After the request whose number was drawn: a kill may fall between two requests, or into a commit.
_LONGEST_DELAY = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found.

    Attributes:
        kills: runs that were killed.
        known: blobs in the catalog after each kill, ascending unless something was lost.
        wrong: blobs whose entry in the catalog is not what they hold, in the end.
        is_same_catalog: in the end, as that of a run that was left alone.
        gets: reads of content in all runs together.
    """

    blobs: int
    kills: int
    known: list[int]
    wrong: int
    is_same_catalog: bool
    gets: int
    seconds: float

    def faults_found(self) -> list[str]:
        """What is not as it must be."""
        checks = {
            "a kill has lost what was committed": self.known == sorted(self.known),
            "no killed run got anywhere": self.known[-1] > 0,
            "the catalog says what blobs do not hold": self.wrong == 0,
            "the catalog is not that of a run left alone": self.is_same_catalog,
        }
        return [name for name, holds in checks.items() if not holds]


def measure(
    blobs: int, folder: Path, *, kills: int, seed: int, rates: FaultRates = RATES
) -> Outcome:
    """Kill so many runs, each at a moment drawn by the seed, then let one come to its end."""
    moments = random.Random(seed)
    account = filled(blobs)
    index = folder / "index"
    started = time.monotonic()
    known: list[int] = []
    with serving(FaultServer(account, rates, seed, changed)) as server:
        for _ in range(kills):
            process = start(index, server.url, _LIMIT, silence=20)
            requests = len(server.arrivals.times) + moments.randrange(blobs // (2 * kills))
            _wait_for(server, requests)
            time.sleep(moments.uniform(0, _LONGEST_DELAY))
            has_ended = process.poll() is not None
            process.kill()
            process.communicate()
            if has_ended:
                raise RuntimeError("a run ended before it was killed: there are too few blobs")
            known.append(_known(index))
        report = report_of(start(index, server.url, _LIMIT, silence=20))
    contents = account.contents()
    with serving(FaultServer(account)) as calm:
        undisturbed = index_once(folder / "undisturbed", calm.url)
    return Outcome(
        blobs=blobs,
        kills=len(known),
        known=known,
        wrong=wrongly_indexed(index, contents, f"az://{account.name}/{account.container}"),
        is_same_catalog=report["fingerprint"] == undisturbed["fingerprint"],
        gets=server.arrivals.reads,
        seconds=round(time.monotonic() - started, 1),
    )


def _wait_for(server: FaultServer, requests: int) -> None:
    give_up_at = time.monotonic() + _LONGEST_START
    while len(server.arrivals.times) < requests and time.monotonic() < give_up_at:
        time.sleep(0.002)


def _known(index: Path) -> int:
    try:
        with Catalog.open_reader(IndexDirectory.open(index).catalog_path) as catalog:
            return sum(catalog.blob_counts.values())
    except NotAnIndex:
        return 0
