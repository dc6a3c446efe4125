"""A long run over a store that fails, beside one over the same blobs without faults."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fault_store.faults import FaultRates
from benchmarks.fault_store.server import FaultServer, serving
from benchmarks.memory import Memory, MemoryWatch
from benchmarks.soak.pictures import changed, filled
from benchmarks.soak.runs import index_once, report_of, start, wrongly_indexed

RATES = FaultRates(
    unavailable=0.02, too_many=0.01, reset=0.01, stall=0.005, truncated=0.005, changed=0.002
)
# What the run may take, and how much more in its second half than in its first.
MOST_MEMORY = 400 * 2**20
MOST_GROWTH = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found.

    Attributes:
        contents: different ones among the blobs, as they are in the end.
        faults: how often each was met.
        wrong: blobs whose entry in the catalog is not what they hold.
        busiest_second: the most requests in any one second, as the store counted them.
        requests: that reached the store; gets: of them, reads of content.
        is_same_catalog: as that of a run without faults.
        memory: of the process that indexes, without its decoders.
    """

    blobs: int
    contents: int
    faults: dict[str, int]
    new_images: int
    aliased: int
    unreadable: int
    wrong: int
    limit: float
    busiest_second: int
    requests: int
    gets: int
    retries: int
    bytes_read: int
    bytes_stored: int
    is_same_catalog: bool
    memory: Memory
    memory_with_decoders: int
    seconds: float
    seconds_without_faults: float

    def faults_found(self) -> list[str]:
        """What is not as it must be."""
        checks = {
            "an image was not indexed, or more than once": self.new_images == self.contents
            and self.new_images + self.aliased == self.blobs,
            "a blob was given up": self.unreadable == 0,
            "the catalog says what blobs do not hold": self.wrong == 0,
            "the limit was passed": self.busiest_second <= self.limit,
            "the catalog is not that of a run without faults": self.is_same_catalog,
            "a read was repeated without need": self.gets
            <= self.blobs + sum(self.faults.values()) + self.faults.get("changed", 0),
            "memory": self.memory.own <= MOST_MEMORY,
            "memory grew": self.memory.own <= self.memory.own_at_half + MOST_GROWTH,
        }
        return [name for name, holds in checks.items() if not holds]


def measure(
    blobs: int,
    folder: Path,
    *,
    limit: float,
    seed: int,
    silence: float,
    rates: FaultRates = RATES,
) -> Outcome:
    """The whole soak, with its indexes in `folder`.

    Args:
        limit: requests per second.
        seed: of the faults.
        silence: seconds after which a stalled request is given up.
        rates: of the faults.
    """
    account = filled(blobs)
    started = time.monotonic()
    with serving(FaultServer(account, rates, seed, changed)) as server:
        process = start(folder / "index", server.url, limit, silence)
        watch = MemoryWatch(process.pid)
        report = report_of(process)
    finished = time.monotonic()
    contents = account.contents()
    with serving(FaultServer(account)) as calm:
        undisturbed = index_once(folder / "undisturbed", calm.url)
    root = f"az://{account.name}/{account.container}"
    return Outcome(
        blobs=blobs,
        contents=len(set(contents.values())),
        faults={fault.value: count for fault, count in sorted(server.plan.met.items())},
        new_images=report["new_images"],
        aliased=report["aliased"],
        unreadable=report["unreadable"] + report["vanished"],
        wrong=wrongly_indexed(folder / "index", contents, root),
        limit=limit,
        busiest_second=server.arrivals.busiest(),
        requests=len(server.arrivals.times),
        gets=server.arrivals.reads,
        retries=report["retries"],
        bytes_read=report["bytes_read"],
        bytes_stored=sum(map(len, contents.values())),
        is_same_catalog=report["fingerprint"] == undisturbed["fingerprint"],
        memory=watch.peak(),
        memory_with_decoders=report["peak_memory_bytes"],
        seconds=round(finished - started, 1),
        seconds_without_faults=round(time.monotonic() - finished, 1),
    )
