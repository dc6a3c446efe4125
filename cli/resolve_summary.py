"""What `dedup resolve` shows while it runs and says at its end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from cli.config import Settings
from cli.options import option_text
from cli.output import bytes_text, plural, printable, seconds_text
from cli.progress import Display

if TYPE_CHECKING:
    from resolve.effort import Effort
    from resolve.resolve import ResolveProgress
    from resolve.summary import Summary
    from verify.costs import StageCost

_DIFFERENT = "different"


class ResolveDisplay:
    """Tells a display how far the resolve is; None shows nothing."""

    def __init__(self, display: Display | None) -> None:
        self._display = display

    def on_progress(self, progress: ResolveProgress) -> None:
        """Show the stage, the pairs and what they were."""
        if self._display is None:
            return
        copies = sum(n for relation, n in progress.relations.items() if relation != _DIFFERENT)
        words = f"{progress.stage}, {plural(copies, 'pair')} of copies"
        if progress.groups:
            words += f", {plural(progress.groups, 'group')}"
        self._display.update(progress.done, progress.total, words)


def print_summary(
    summary: Summary, settings: Settings, report: Path, *, effort: Effort, capped: int
) -> None:
    """Counts that add up, where the lists are, and what one may want to do with them."""
    print(
        f"{plural(summary.blobs, 'file')}: {summary.keep:,} to keep, {summary.delete:,} to delete, "
        f"{summary.unreadable:,} unreadable"
    )
    relations = ", ".join(
        f"{count:,} {relation.replace('_', ' ')}" for relation, count in summary.deleted.items()
    )
    if relations:
        print(f"to delete: {relations}; that frees {bytes_text(summary.bytes_to_free)}")
    print(
        f"{plural(summary.groups, 'group')} of copies among "
        f"{plural(summary.images, 'different image')}, {plural(summary.pairs, 'pair')} compared"
    )
    if summary.options["decisions"]:
        print(f"{plural(summary.options['decisions'], 'decision')} of yours obeyed")
    if summary.options["against"]:
        print(
            f"{plural(summary.reference_keepers, 'group')} with a keeper of the reference index "
            f"{printable(summary.options['against'])}, where nothing is deleted"
        )
    if summary.raw["shots"]:
        halved = summary.raw["halved"]
        print(
            f"{plural(summary.raw['shots'], 'shot')} of a RAW file and a JPEG: "
            + (f"one of the two goes of {halved:,}" if halved else "both stay (--raw-pairs)")
        )
    if summary.images_resolved_before:
        new = summary.images - summary.images_resolved_before
        print(
            f"{plural(new, 'image')} searched for; what was found of the others, and the groups in "
            "which nothing has changed, are of an earlier run"
        )
    if capped:
        print(
            f"{plural(capped, 'image')} had more neighbours than are looked at; "
            "the nearest were verified"
        )
    stages = ", ".join(f"{name} {seconds_text(spent)}" for name, spent in summary.seconds.items())
    print(f"time by stage: {stages}")
    if effort.verdicts:
        print(
            f"new verdicts: {effort.verdicts_per_second:,.1f} pairs/s, "
            f"{effort.cpu_ms_per_verdict:.1f} ms of CPU time a pair: {_stages_text(effort)}"
        )
    print(f"Nothing was deleted. The lists are in {printable(str(settings.out))}. From here:")
    for what, how in _next_steps(summary, settings, report):
        print(f"  {what:<15}{printable(how)}")


def _next_steps(summary: Summary, settings: Settings, report: Path) -> list[tuple[str, str]]:
    """What one may do, and the command; options only where they are not the default."""
    from resolve.lists import DELETE

    if not summary.delete:
        return [("look at it", str(report))]
    index = option_text("--index", settings.index, "index")
    lists = option_text("--lists", settings.out, "out")
    deletes = shlex.quote(str(settings.out / DELETE))
    return [
        ("look at it", str(report)),
        ("decide", f"dedup review{lists}{index}"),
        ("see what to do", f"dedup apply {deletes} --action quarantine{index} --quarantine FOLDER"),
    ]


def _stages_text(effort: Effort) -> str:
    """Where the pairs ended and the time went: `keypoints 40 of 62 pairs, 1.2 s; other 0.1 s`."""
    return "; ".join(
        f"{name} {_ended_text(cost)}{seconds_text(cost.seconds)}"
        for name, cost in effort.costs.stages.items()
    )


def _ended_text(cost: StageCost) -> str:
    return f"{cost.ended:,} of {plural(cost.reached, 'pair')} ended, " if cost.ended else ""
