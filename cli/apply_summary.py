"""What `dedup apply` and `dedup undo` show while they run and say at their end."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from cli.config import Settings
from cli.output import bytes_text, plural, print_json, printable
from cli.progress import Display
from cli.results import Applied, Undone
from storage.actions import Action
from storage.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resolve.apply.act import ApplyReport
    from resolve.apply.journal import Journal
    from resolve.apply.plan import Skip
    from resolve.apply.rows import DeleteList
    from resolve.apply.undo import UndoReport

_WOULD = {
    Action.TAG: "would be tagged",
    Action.QUARANTINE: "would be moved to the quarantine",
    Action.DELETE: "would be deleted",
    Action.LINK: "would be replaced by links",
}
_DID = {
    Action.TAG: "tagged",
    Action.QUARANTINE: "moved to the quarantine",
    Action.DELETE: "deleted",
    Action.LINK: "replaced by links",
}
# When the bytes are free.
_FREES = {
    Action.TAG: "when a lifecycle rule deletes what is tagged, that frees",
    Action.QUARANTINE: "when the quarantine is emptied, that frees",
    Action.DELETE: "when it is not kept for undo any more, that frees",
    Action.LINK: "that frees",
}


class ApplyDisplay:
    """Tells a display how far the acting is; None shows nothing."""

    def __init__(self, display: Display | None) -> None:
        self._display = display

    def on_progress(self, report: ApplyReport, total: int) -> None:
        """Show rows, and what was skipped."""
        if self._display is not None:
            skipped = plural(report.skipped.total(), "file")
            self._display.update(report.rows, total, f"{skipped} skipped")


class UndoDisplay:
    """The same for undoing."""

    def __init__(self, display: Display | None) -> None:
        self._display = display

    def on_progress(self, report: UndoReport, total: int) -> None:
        """Show how many came back."""
        if self._display is not None:
            self._display.update(report.undone + report.failed, total, f"{report.failed:,} failed")


def print_summary(
    report: ApplyReport,
    action: Action,
    rows: DeleteList,
    settings: Settings,
    journal: Journal | None,
) -> None:
    """Counts that add up, what they free, what was skipped and why, and where the journal is."""
    from resolve.apply.costs import CURRENCY, PRICE_PER_GB, cost_per_month

    price = settings.price_per_gb
    if price is None and not rows.has_files:
        price = PRICE_PER_GB
    cost = None if price is None else cost_per_month(report.bytes_acted, price)
    if settings.json:
        print_json(
            Applied(
                action=action,
                dry_run=journal is None,
                rows=report.rows,
                acted=report.acted,
                acted_before=report.acted_before,
                bytes=report.bytes_acted,
                cost_per_month=None if cost is None else round(cost, 6),
                price_per_gb=price,
                skipped=dict(report.skipped.most_common()),
                failed=report.failed,
                examples=report.examples,
                failures=report.failures,
                journal=None if journal is None else journal.path,
            )
        )
        return
    words = _WOULD if journal is None else _DID
    before = f", and {report.acted_before:,} before" if report.acted_before else ""
    print(
        f"{plural(report.rows, 'file')} listed: {report.acted:,} {words[action]}{before}, "
        f"{report.skipped.total():,} skipped, {report.failed:,} failed"
    )
    unit = CURRENCY if settings.price_per_gb is None else "in the currency of --price-per-gb"
    money = "" if cost is None else f", which cost {cost:,.2f} {unit} a month"
    print(f"{_FREES[action]} {bytes_text(report.bytes_acted)}{money}")
    _print_skipped(report)
    _print_examples(report.failures, report.failed)
    if journal is None:
        print("Nothing was changed. Add --yes to do it.")
    else:
        print(f"to undo it: dedup undo {printable(shlex.quote(str(journal.path)))}")
        if report.acted and action in (Action.QUARANTINE, Action.DELETE):
            print(
                "The index still lists these files: run dedup index before the next dedup resolve."
            )


def require_all_done(report: ApplyReport) -> None:
    """Raises SourceUnavailable when something was not done for a fault that may pass."""
    if report.failed:
        raise SourceUnavailable(
            f"{plural(report.failed, 'file')} could not be acted on now, such as "
            f"{_first(report.failures)}.",
            "Run the same command again: what was done is not done twice.",
        )


def print_undone(report: UndoReport, settings: Settings, journal: Journal) -> None:
    """Counts that add up."""
    if settings.json:
        print_json(
            Undone(
                action=Action(journal.header.action),
                undone=report.undone,
                undone_before=report.undone_before,
                bytes=report.bytes_undone,
                failed=report.failed,
                examples=report.examples,
            )
        )
        return
    before = f", {report.undone_before:,} before" if report.undone_before else ""
    print(
        f"{plural(report.undone, 'file')} brought back as they were{before}, "
        f"{bytes_text(report.bytes_undone)}; {report.failed:,} failed"
    )
    _print_examples(report.examples, report.failed)


def require_all_undone(report: UndoReport) -> None:
    """Raises SourceUnavailable when something was not brought back."""
    if report.failed:
        raise SourceUnavailable(
            f"{plural(report.failed, 'file')} could not be brought back, such as "
            f"{_first(report.examples)}.",
            "See to the reasons and run the same command again.",
        )


def _print_skipped(report: ApplyReport) -> None:
    for reason, number in report.skipped.most_common():
        print(f"skipped, for {printable(reason)}: {number:,}")
        examples = [example.uri for example in report.examples if example.reason == reason]
        for uri in examples:
            print(f"  {printable(uri)}")
        if number > len(examples):
            print(f"  … and {number - len(examples):,} more; with --yes the journal has them all")


def _print_examples(examples: Sequence[Skip], of: int) -> None:
    for example in examples:
        print(f"  {printable(example.uri)}: {printable(example.reason)}")
    if of > len(examples):
        print(f"  … and {of - len(examples):,} more")


def _first(examples: Sequence[Skip]) -> str:
    return printable(examples[0].uri) if examples else "none"
