"""From measured rates to what a larger collection takes.

    python -m benchmarks.scale.sizing SMALLER.json LARGER.json    what `python -m benchmarks.scale
                                                                  --json` wrote for two sizes

CPU time of a stage grows as a power of the number of images, whose exponent the two sizes give,
memory in proportion, and the pass over the images in proportion. Prints a table in Markdown.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.scale.report import growth

SIZES = (1_000_000, 3_000_000, 10_000_000, 100_000_000)
# CPU milliseconds of the pass for one image of 500×375 and of 24 megapixels, with
# EfficientNet-Lite0 by OpenVINO.
PASS_SMALL, PASS_LARGE = 13.0, 54.0
_CORE_HOUR_MS = 3_600_000.0


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a collection takes.

    Attributes:
        images: in it.
        pass_hours: core hours of the pass, for small and for large images.
        stage_hours: stage of search and resolving to core hours.
        memory_gb: of the process that searches. disk_gb: of the index, without previews.
    """

    images: int
    pass_hours: tuple[float, float]
    stage_hours: dict[str, float]
    memory_gb: float
    disk_gb: float


def sizing(images: int, smaller: dict[str, Any], larger: dict[str, Any]) -> Sizing:
    """What so many images take, if growth goes on as between two measured sizes."""
    ratio = images / larger["images"]
    exponents = growth(smaller, larger)
    stages: dict[str, Any] = larger["stages"]
    memory = max(stage["own_bytes"] for stage in stages.values())
    before = max(stage["own_bytes"] for stage in smaller["stages"].values())
    per_image = (memory - before) / (larger["images"] - smaller["images"])
    disk = larger["catalog_bytes"] + larger["index_bytes"]
    return Sizing(
        images=images,
        pass_hours=(images * PASS_SMALL / _CORE_HOUR_MS, images * PASS_LARGE / _CORE_HOUR_MS),
        stage_hours={
            # Nothing takes less than its share of the images.
            name: stage["cpu_seconds"] / 3600 * ratio ** max(1.0, exponents[name])
            for name, stage in stages.items()
        },
        memory_gb=(memory + max(per_image, 0.0) * (images - larger["images"])) / 1e9,
        disk_gb=images * disk / 1e9,
    )


def as_table(rows: Sequence[Sizing]) -> str:
    """Markdown."""
    stages = list(rows[0].stage_hours)
    lines = [
        f"| images | pass, small to large images | {' | '.join(stages)} | memory | disk |",
        f"|---:|---:|{'---:|' * len(stages)}---:|---:|",
    ]
    for row in rows:
        hours = " | ".join(f"{row.stage_hours[name]:,.1f}" for name in stages)
        low, high = row.pass_hours
        lines.append(
            f"| {row.images:,} | {low:,.0f}–{high:,.0f} | {hours} | {row.memory_gb:,.1f} GB "
            f"| {row.disk_gb:,.0f} GB |"
        )
    return "\n".join(lines)


def main() -> None:
    smaller, larger = (json.loads(Path(argument).read_text())[0] for argument in sys.argv[1:3])
    print(as_table([sizing(images, smaller, larger) for images in SIZES]))


if __name__ == "__main__":
    main()
