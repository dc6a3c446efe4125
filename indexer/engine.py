"""What reads and describes the blobs of a pass: threads and processes here, or a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from indexer.embedders.base import ModelSpec
from indexer.extract import ExtractOptions
from indexer.in_flight import InFlight
from indexer.outcomes import ReadJob
from indexer.pipes import Pipe, Stop
from indexer.run_report import StageClock
from indexer.worker_pool import Extract


@dataclass(frozen=True, slots=True)
class Describing:
    """How images are described, the same by every engine. It can be pickled.

    Attributes:
        extract: what describes an image; it must be importable by name.
        options: for it.
        timeout: seconds that one image may take.
    """

    extract: Extract
    options: ExtractOptions
    timeout: float


@dataclass(frozen=True, slots=True)
class Flow:
    """What an engine works between.

    Attributes:
        jobs: blobs to be read.
        results: what became of them: `DescribedBlob`, `Alias`, `Unreadable`, `Vanished`.
        in_flight: which contents are being worked on, and who waits for them.
    """

    jobs: Pipe[ReadJob]
    results: Pipe[object]
    in_flight: InFlight
    clock: StageClock
    stop: Stop


class Engine(Protocol):
    """Works off the jobs of one pass. When made it tells `Flow.results` of its producers."""

    @property
    def restarts(self) -> int:
        """Decoders that crashed or hung and were replaced, so far."""

    @property
    def peak_memory(self) -> int:
        """Of its processes, on whatever machine: the sum of their largest resident sets, bytes."""

    def start(self) -> None:
        """Begin, in threads of its own. An error in them goes to `Flow.stop`."""

    def leave(self, leave_at: float) -> None:
        """Wait for the end of the jobs; after a stop only for what cannot be left behind, and for
        reads under way until `leave_at` on the monotonic clock. Then end all processes."""


class Remote(Protocol):
    """Where images are read, described and embedded instead of in this process."""

    @property
    def specs(self) -> Sequence[ModelSpec]:
        """Of the models that embed there."""

    def engine(self, describing: Describing, flow: Flow) -> Engine:
        """The engine of one pass."""
