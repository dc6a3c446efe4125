"""What was measured, what it must be, and both in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.throughput.parts import Parts
from benchmarks.throughput.pictures import LARGE, SMALL
from benchmarks.throughput.slope import Cost

IMAGES_PER_SECOND = {SMALL.name: 120.0, LARGE.name: 33.0}
"""On two cores."""
MOST_OF_THE_PARTS = 1.25
"""CPU time of an image over the sum of its parts, where the machine is slower, or shared."""
LEAST_RATIO = {"fastdup": 1.5, "imagededup CNN": 5.0}
"""Our images per CPU second over theirs, on the small photographs."""


@dataclass(frozen=True, slots=True)
class SizeResult:
    """Of pictures of one size.

    Attributes:
        name: of the size.
        dedup: cost of the pass.
        parts: its parts alone, before and after it.
        others: cost by tool.
        unavailable: why there is none, by tool.
    """

    name: str
    dedup: Cost
    parts: Parts
    others: dict[str, Cost] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)

    @property
    def over_parts(self) -> float:
        """CPU time of an image in the pass over that of its parts alone."""
        return self.dedup.cpu_ms / self.parts.total

    def ratio(self, tool: str) -> float:
        """Our images per CPU second over the tool's."""
        return self.others[tool].cpu_ms / self.dedup.cpu_ms

    def shortfalls(self) -> list[str]:
        """What is not reached, in words."""
        wrong = []
        needed = IMAGES_PER_SECOND[self.name]
        if self.dedup.images_per_second < needed and self.over_parts > MOST_OF_THE_PARTS:
            wrong.append(
                f"{self.name}: {self.dedup.images_per_second:.0f} images/s are fewer than "
                f"{needed:.0f}, and the CPU time is {self.over_parts:.2f} × that of the parts, "
                f"over {MOST_OF_THE_PARTS}"
            )
        if self.name == SMALL.name:
            wrong += [
                f"{self.name}: {self.ratio(tool):.2f} × the images of {tool} per CPU second; "
                f"{LEAST_RATIO[tool]} × are required"
                for tool in self.others
                if self.ratio(tool) < LEAST_RATIO[tool]
            ]
        return wrong


def as_json(results: list[SizeResult]) -> dict[str, Any]:
    """Plain data."""
    return {
        result.name: {
            **asdict(result),
            "over_parts": result.over_parts,
            "ratios": {tool: result.ratio(tool) for tool in result.others},
            "shortfalls": result.shortfalls(),
        }
        for result in results
    }


def as_markdown(results: list[SizeResult]) -> str:
    """A table for each size."""
    return "\n\n".join(_table(result) for result in results)


def _table(result: SizeResult) -> str:
    parts = result.parts
    lines = [
        f"### {result.name}",
        "",
        "| | CPU ms an image | images a CPU second | images/s | CPU s to start |",
        "|---|---:|---:|---:|---:|",
        _row("dedup index", result.dedup),
        f"| its parts alone | {parts.total:.1f} | {1000 / parts.total:.0f} | | |",
    ]
    lines += [_row(tool, cost) for tool, cost in result.others.items()]
    lines += [
        "",
        f"Parts: decode {parts.decode:.2f}, describe {parts.describe:.2f}, network "
        f"{parts.network:.2f}, digest {parts.digest:.2f} ms. The pass takes "
        f"{result.over_parts:.2f} × their sum.",
    ]
    lines += [
        f"{result.ratio(tool):.2f} × the images of {tool} per CPU second." for tool in result.others
    ]
    lines += [f"Not measured: {tool}. {why}" for tool, why in result.unavailable.items()]
    return "\n".join(lines)


def _row(name: str, cost: Cost) -> str:
    return (
        f"| {name} | {cost.cpu_ms:.1f} | {cost.images_per_cpu_second:.0f} "
        f"| {cost.images_per_second:.0f} | {cost.start_cpu_seconds:.1f} |"
    )
