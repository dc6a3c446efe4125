"""What one image costs, and what a start does: from runs over fewer and over more images."""

from __future__ import annotations

from dataclasses import dataclass

from storage.errors import UsageError


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command.

    Attributes:
        images: it went over.
        cpu_seconds: of all its processes.
        wall_seconds: from start to end.
    """

    images: int
    cpu_seconds: float
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What a tool takes, start-up apart.

    Attributes:
        cpu_ms: CPU time of one image more, milliseconds.
        start_cpu_seconds: CPU time of a run over no image: imports, the network, processes.
        images_per_second: by the clock on the wall, start-up left out; 0 where other work beside
            made the longer run end sooner.
        images: in the larger of the runs.
    """

    cpu_ms: float
    start_cpu_seconds: float
    images_per_second: float
    images: int

    @property
    def images_per_cpu_second(self) -> float:
        """Start-up left out."""
        return 1000.0 / self.cpu_ms


def cost_of(fewer: Run, more: Run) -> Cost:
    """The straight line through two runs.

    Raises:
        UsageError: the second is over so few images more that its CPU time is no greater.
    """
    images = more.images - fewer.images
    cpu = more.cpu_seconds - fewer.cpu_seconds
    wall = more.wall_seconds - fewer.wall_seconds
    if images < 1 or cpu <= 0:
        raise UsageError(
            f"{more.images} images took no more CPU time than {fewer.images}.",
            "Measure on more images.",
        )
    each = cpu / images
    return Cost(
        cpu_ms=1000.0 * each,
        start_cpu_seconds=fewer.cpu_seconds - each * fewer.images,
        images_per_second=images / wall if wall > 0 else 0.0,
        images=more.images,
    )
