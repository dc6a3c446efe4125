"""`dedup undo`: bringing back what `dedup apply` has done."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cli.config import Settings
from cli.options import (
    AccountUrlOption,
    ConfigOption,
    JsonOption,
    QuietOption,
    RateOption,
    settings_from,
)

EXAMPLE = "Example:\n\n\b\n  dedup undo dedup-lists/apply-quarantine-0123456789ab.jsonl"


def register(app: typer.Typer) -> None:
    app.command("undo", epilog=EXAMPLE)(_command)


def _command(
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="What `dedup apply --yes` wrote.")
    ],
    account_url: AccountUrlOption = None,
    max_requests_per_second: RateOption = None,
    json: JsonOption = None,
    quiet: QuietOption = None,
    config: ConfigOption = None,
) -> None:
    """Bring back everything of a journal, with its properties, and compare it with its digests.

    Killed or stopped, the same command carries on.
    """
    settings = settings_from(
        config,
        account_url=account_url,
        max_requests_per_second=max_requests_per_second,
        json=json,
        quiet=quiet,
    )
    run(journal, settings)


def run(path: Path, settings: Settings) -> None:
    """Undo a journal.

    Raises:
        DedupError: the journal or the store cannot be used; at the end, when something was not
            brought back.
    """
    from cli.apply_summary import UndoDisplay, print_undone, require_all_undone
    from cli.loading import source_options
    from cli.progress import display
    from resolve.apply.journal import Journal
    from resolve.apply.undo import undo
    from storage.open_actions import OpenStores

    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(path))
        stores = OpenStores(source_options(settings))
        stack.callback(stores.close)
        shown = stack.enter_context(display("undo", settings))
        report = undo(journal, stores, UndoDisplay(shown))
    print_undone(report, settings, journal)
    require_all_undone(report)
