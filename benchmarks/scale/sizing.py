"""From measured rates to what a larger collection takes: hours, machines, memory, money, and what
is in the way.

    python -m benchmarks.scale.sizing SMALLER.json LARGER.json    what `python -m benchmarks.scale
                                                                  --json` wrote for two sizes

CPU time of a stage of search and resolving grows as a power of the number of images, whose exponent
the two sizes give; the pass and verification in proportion. Prints a table in Markdown. Prices are
assumptions, list prices of large clouds for machines that may be taken back at any time and for
disks, to be replaced by one's own.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.scale.report import growth

SIZES = (1_000_000, 3_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000)
# Stages that all machines share; the others are one process's.
_SHARED = ("pass", "verify", "join")
_MS_PER_HOUR = 3_600_000.0


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What was not measured by `benchmarks.scale`.

    Attributes:
        hours: the whole is to take.
        image_ms: CPU milliseconds of the pass for an image; 54 is one of 24 megapixels with
            EfficientNet-Lite0, 13 one of 500×375.
        pair_ms: CPU milliseconds to verify a pair.
        cores, memory_gb: of a machine.
        requests: a second that the store answers.
        core_hour, gb_month, per_million_reads: prices.
    """

    hours: float = 24.0
    image_ms: float = 54.0
    pair_ms: float = 16.0
    cores: int = 16
    memory_gb: float = 64.0
    requests: float = 20_000.0
    core_hour: float = 0.02
    gb_month: float = 0.10
    per_million_reads: float = 0.50


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a collection takes.

    Attributes:
        images: in it.
        stage_hours: stage to core hours.
        serial_hours: of those that one process works through, however many machines there are.
        request_hours: to read every blob once, as fast as the store answers.
        machines: so that the whole takes the wanted hours, large enough for the join; 0 where no
            number of them does.
        memory_gb: of the process that decides. join_memory_gb: of each machine that joins.
        disk_gb: of the index, without previews.
        money: for the machines, one month of the disk, and the reads.
        bottleneck: what takes longest, or is in the way.
    """

    images: int
    stage_hours: dict[str, float]
    serial_hours: float
    request_hours: float
    machines: int
    memory_gb: float
    join_memory_gb: float
    disk_gb: float
    money: float
    bottleneck: str


def sizing(
    images: int,
    smaller: dict[str, Any],
    larger: dict[str, Any],
    assumed: Assumptions | None = None,
) -> Sizing:
    """What so many images take, if growth goes on as between two measured sizes."""
    assumed = assumed or Assumptions()
    hours = _stage_hours(images, smaller, larger, assumed)
    serial = sum(spent for stage, spent in hours.items() if stage not in _SHARED)
    requests = images / assumed.requests / 3600
    disk = images * (larger["catalog_bytes"] + larger["index_bytes"]) / 1e9
    join_memory = images * (larger["vector_bytes"] + larger["index_bytes"]) / 1e9
    shared = sum(hours[stage] for stage in _SHARED)
    left = assumed.hours - serial
    is_possible = left > 0 and requests <= left
    return Sizing(
        images=images,
        stage_hours=hours,
        serial_hours=serial,
        request_hours=requests,
        machines=math.ceil(shared / left / assumed.cores) if is_possible else 0,
        memory_gb=_memory_gb(images, smaller, larger),
        join_memory_gb=join_memory,
        disk_gb=disk,
        money=sum(hours.values()) * assumed.core_hour
        + disk * assumed.gb_month
        + images / 1e6 * assumed.per_million_reads,
        bottleneck=_bottleneck(hours, serial, requests, join_memory, assumed),
    )


def as_table(rows: Sequence[Sizing]) -> str:
    """Markdown."""
    stages = list(rows[0].stage_hours)
    lines = [
        f"| images | {' | '.join(stages)} | machines | memory | on each that joins | disk | money "
        "| bottleneck |",
        f"|---:|{'---:|' * len(stages)}---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        hours = " | ".join(_rounded(row.stage_hours[name]) for name in stages)
        lines.append(
            f"| {row.images:,} | {hours} | {row.machines or '–'} | {_size(row.memory_gb)} "
            f"| {_size(row.join_memory_gb)} | {_size(row.disk_gb)} | {_rounded(row.money)} "
            f"| {row.bottleneck} |"
        )
    return "\n".join(lines)


def _stage_hours(
    images: int, smaller: dict[str, Any], larger: dict[str, Any], assumed: Assumptions
) -> dict[str, float]:
    ratio = images / larger["images"]
    exponents = growth(smaller, larger)
    pairs = images * larger["pairs"] / larger["images"]
    return {
        "pass": images * assumed.image_ms / _MS_PER_HOUR,
        "verify": pairs * assumed.pair_ms / _MS_PER_HOUR,
    } | {
        # Nothing takes less than its share of the images.
        name: stage["cpu_seconds"] / 3600 * ratio ** max(1.0, exponents[name])
        for name, stage in larger["stages"].items()
    }


def _memory_gb(images: int, smaller: dict[str, Any], larger: dict[str, Any]) -> float:
    now, before = (
        max(stage["own_bytes"] for stage in outcome["stages"].values())
        for outcome in (larger, smaller)
    )
    per_image = max(now - before, 0) / (larger["images"] - smaller["images"])
    return float(now + per_image * (images - larger["images"])) / 1e9


def _bottleneck(
    hours: dict[str, float],
    serial: float,
    requests: float,
    join_memory: float,
    assumed: Assumptions,
) -> str:
    """What no machine more would help against, or else where most of the CPU time goes."""
    found = []
    alone = [stage for stage in hours if stage not in _SHARED]
    if serial >= assumed.hours:
        slowest = max(alone, key=hours.__getitem__)
        found.append(f"{slowest} and others in one process: {_rounded(serial)} hours")
    elif requests > assumed.hours - serial:
        found.append(f"requests a second of the store: {_rounded(requests)} hours")
    if join_memory > assumed.memory_gb:
        found.append(f"memory of the join: machines of {_size(1.25 * join_memory)}, or parts")
    return "; ".join(found) or f"CPU of the {max(_SHARED, key=hours.__getitem__)}"


def _rounded(number: float) -> str:
    return f"{number:,.1f}" if number < 10 else f"{number:,.0f}"


def _size(gigabytes: float) -> str:
    return f"{_rounded(gigabytes / 1000)} TB" if gigabytes >= 1000 else f"{_rounded(gigabytes)} GB"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.sizing")
    parser.add_argument("smaller", type=Path, help="what benchmarks.scale --json wrote")
    parser.add_argument("larger", type=Path, help="the same, for more images")
    for field in fields(Assumptions):
        kind = int if field.name == "cores" else float
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, default=field.default, metavar="N"
        )
    arguments = vars(parser.parse_args())
    smaller, larger = (
        json.loads(arguments.pop(which).read_text())[0] for which in ("smaller", "larger")
    )
    assumed = Assumptions(**arguments)
    print(as_table([sizing(images, smaller, larger, assumed) for images in SIZES]))


if __name__ == "__main__":
    main()
