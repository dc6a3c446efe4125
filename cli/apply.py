"""`dedup apply`: doing what delete.csv says."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cli.config import Settings
from cli.options import (
    AccountUrlOption,
    ConfigOption,
    IndexOption,
    JsonOption,
    QuietOption,
    RateOption,
    settings_from,
)

EXAMPLE = (
    "Examples:\n\n\b\n"
    "  dedup apply dedup-lists/delete.csv --action quarantine --quarantine /photos-quarantine\n"
    "  dedup apply dedup-lists/delete.csv --action tag --yes\n"
    "  dedup undo dedup-lists/apply-tag-0123456789ab.jsonl"
)


def register(app: typer.Typer) -> None:
    app.command("apply", epilog=EXAMPLE)(_command)


def _command(
    delete_list: Annotated[
        Path, typer.Argument(metavar="DELETE.csv", help="The list of `dedup resolve`.")
    ],
    action: Annotated[
        str, typer.Option("--action", metavar="WHAT", help="tag, quarantine, delete or link")
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it. Without, only what would be done is printed.")
    ] = False,
    index: IndexOption = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="INDEX",
            help="The reference index, if it is not where it was when resolved.",
        ),
    ] = None,
    quarantine: Annotated[
        str | None,
        typer.Option(
            "--quarantine",
            metavar="PLACE",
            help="A folder, or az://ACCOUNT/CONTAINER. Default for blobs: dedup-quarantine",
        ),
    ] = None,
    link: Annotated[
        str | None, typer.Option("--link", metavar="KIND", help="hard or symbolic. Default: hard")
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option("--tag", metavar="NAME=VALUE", help="The tag to set. Default: dedup=delete"),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            "--check",
            metavar="WHAT",
            help="content: read and compare copy and keeper before; etag: trust ETags. "
            "Default: content",
        ),
    ] = None,
    no_undo_needed: Annotated[
        bool,
        typer.Option("--no-undo-needed", help="Delete also where nothing can be brought back."),
    ] = False,
    protect: Annotated[
        list[str] | None,
        typer.Option("--protect", metavar="PREFIX", help="Folder or az:// prefix never to act on."),
    ] = None,
    price_per_gb: Annotated[
        float | None,
        typer.Option(
            "--price-per-gb",
            metavar="PRICE",
            help="What a GB costs a month. Default for blobs: 0.0184, Azure's hot tier in USD",
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal", metavar="FILE", help="Where to write it. Default: beside the list"
        ),
    ] = None,
    account_url: AccountUrlOption = None,
    max_requests_per_second: RateOption = None,
    json: JsonOption = None,
    quiet: QuietOption = None,
    config: ConfigOption = None,
) -> None:
    """Tag, quarantine, delete or link the copies of a list, each only if nothing has changed.

    Prints what would be done; --yes does it. Killed or stopped, the same command carries on.
    """
    settings = settings_from(
        config,
        index=index,
        against=against,
        quarantine=quarantine,
        link=link,
        tag=tag,
        check=check,
        protect=protect,
        price_per_gb=price_per_gb,
        account_url=account_url,
        max_requests_per_second=max_requests_per_second,
        json=json,
        quiet=quiet,
    )
    run(delete_list, action, settings, yes=yes, needs_undo=not no_undo_needed, journal_path=journal)


def run(
    delete_list: Path,
    action_name: str,
    settings: Settings,
    *,
    yes: bool,
    needs_undo: bool,
    journal_path: Path | None,
) -> None:
    """Act on a list, or print what would be done.

    Raises:
        DedupError: the list, the index or the journal cannot be used, or the store refuses; also
            at the end, when something was not done for a fault that may pass.
    """
    from cli.apply_summary import ApplyDisplay, print_summary, require_all_done
    from cli.loading import source_options
    from cli.progress import display
    from resolve.apply.act import Applier
    from resolve.apply.check import ApplyOptions
    from resolve.apply.plan import Rules
    from resolve.apply.rows import check_list
    from resolve.apply.session import canonical_place, open_facts, open_journal, parse_action
    from resolve.preferences import Prefixes
    from storage.actions import LinkKind
    from storage.open_actions import OpenStores

    action = parse_action(action_name)
    place = canonical_place(settings.quarantine)
    options = ApplyOptions(
        action=action,
        link=LinkKind(settings.link),
        tag=settings.tag,
        checks_digests=settings.check == "content",
        needs_undo=needs_undo,
    )
    rows = check_list(delete_list)
    with ExitStack() as stack:
        facts = stack.enter_context(
            open_facts(settings.index, settings.against, delete_list, is_dry=not yes)
        )
        stores = OpenStores(source_options(settings))
        stack.callback(stores.close)
        shown = stack.enter_context(display(action.value, settings))
        rules = Rules(action, Prefixes(settings.protect), place)
        applier = Applier(facts, stores, rules, options, ApplyDisplay(shown))
        if yes:
            journal = stack.enter_context(open_journal(rows, action, place, journal_path))
            report = applier.apply(rows, journal)
        else:
            journal = None
            report = applier.dry_run(rows)
    print_summary(report, action, rows, settings, journal)
    require_all_done(report)
