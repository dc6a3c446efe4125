"""The figures of several sizes as a table, and how they grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

_MEGABYTE = 2**20


def as_text(outcomes: Sequence[dict[str, Any]]) -> str:
    """Lines for the terminal: one block a size, then the exponents of growth."""
    lines: list[str] = []
    for outcome in outcomes:
        lines.append(f"{outcome['images']:,} images")
        lines += [f"  {line}" for line in outcome["indexes"]]
        lines += _of_stages(outcome["stages"])
        by_cosine = ", ".join(
            f"{name} {recall:.3f}" for name, recall in outcome["recall_by_cosine"].items()
        )
        lines += [
            f"  {outcome['pairs']:,} pairs, {outcome['verdicts']:,} verdicts, "
            f"{outcome['capped']:,} images capped",
            f"  recall of {outcome['planted']:,} planted copies {outcome['recall']:.4f} "
            f"(by cosine: {by_cosine})",
            f"  {outcome['deleted']:,} to delete of {outcome['deletable']:,} planted, "
            f"{outcome['wrongly_deleted']} wrongly",
            f"  bytes an image: {outcome['catalog_bytes']:.0f} catalog, "
            f"{outcome['index_bytes']:.0f} search indexes, "
            f"{outcome['bytes_beyond_vectors']:.0f} beyond the vectors",
        ]
        if outcome.get("added"):
            lines += _of_added(outcome["added"])
    for smaller, larger in pairwise(outcomes):
        slopes = ", ".join(
            f"{name} {exponent:.2f}" for name, exponent in growth(smaller, larger).items()
        )
        lines.append(
            f"growth from {smaller['images']:,} to {larger['images']:,}, exponents of CPU time: "
            f"{slopes}"
        )
    return "\n".join(lines)


def _of_stages(stages: dict[str, Any]) -> list[str]:
    return [
        f"  {name:6} {stage['seconds']:8.1f} s, CPU {stage['cpu_seconds']:8.1f} s, memory "
        f"{stage['own_bytes'] / _MEGABYTE:6.0f} MB, resident with mapped pages "
        f"{stage['resident_bytes'] / _MEGABYTE:6.0f} MB"
        for name, stage in stages.items()
    ]


def _of_added(added: dict[str, Any]) -> list[str]:
    share = added["cpu_share"]
    return [
        f"  and {added['images']:,} images more",
        *_of_stages(added["stages"]),
        f"  1/{1 / share:.0f} of the CPU time; {added['pairs']:,} pairs, "
        f"{added['verdicts']:,} verdicts, recall of {added['planted']:,} planted copies "
        f"{added['recall']:.4f}, {added['deleted']:,} to delete in all",
    ]


def growth(smaller: dict[str, Any], larger: dict[str, Any]) -> dict[str, float]:
    """Stage to the slope of its CPU time over the number of images, both as logarithms."""
    scale = math.log(larger["images"] / smaller["images"])
    return {
        name: math.log(
            max(larger["stages"][name]["cpu_seconds"], 0.01) / max(stage["cpu_seconds"], 0.01)
        )
        / scale
        for name, stage in smaller["stages"].items()
    }
