"""`dedup review`: going through the groups, by keyboard, on a page of this machine."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cli.config import Settings
from cli.options import ConfigOption, IndexOption, JsonOption, settings_from

EXAMPLE = (
    "Examples:\n\n\b\n"
    "  dedup review\n"
    "  dedup review --lists my-lists --index my-index\n"
    "  dedup resolve --out my-lists --index my-index   # afterwards: obeys the decisions"
)


def register(app: typer.Typer) -> None:
    app.command("review", epilog=EXAMPLE)(_command)


def _command(
    lists: Annotated[
        Path | None,
        typer.Option("--lists", metavar="DIR", help="What resolve wrote. Default: ./dedup-lists"),
    ] = None,
    index: IndexOption = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="INDEX",
            help="The reference index, if it is not where it was when resolved.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", help="Where to listen. Default: any free port"),
    ] = None,
    json: JsonOption = None,
    config: ConfigOption = None,
) -> None:
    """Go through the groups by keyboard, the least certain first. The next resolve obeys.

    Serves a page to a browser on this machine, until Ctrl-C. Each decision is saved at once.
    """
    settings = settings_from(config, out=lists, index=index, against=against, port=port, json=json)
    run(settings)


def run(settings: Settings) -> None:
    """Serve the review until it is interrupted.

    Raises:
        DedupError: the lists or the index cannot be used, or the port is taken.
    """
    from cli.output import plural, print_json, printable
    from cli.progress import steps
    from cli.results import ReviewAddress
    from resolve.review.opening import open_review
    from resolve.review.server import ReviewServer
    from storage.errors import UsageError

    with ExitStack() as stack:
        with steps("review", settings) as step:
            step("reading the groups")
            opened = open_review(settings.out, settings.index, settings.against)
            review = stack.enter_context(opened)
        try:
            server = stack.enter_context(ReviewServer(review.session, settings.port))
        except OSError as error:
            raise UsageError(
                f"Port {settings.port} of this machine cannot be used ({error.strerror or error}).",
                "Name another with --port, or leave it out.",
            ) from error
        try:
            if settings.json:
                print_json(ReviewAddress(server.url, review.groups, review.saved_to))
                sys.stdout.flush()
            else:
                groups, saved_to = plural(review.groups, "group"), printable(str(review.saved_to))
                print(f"{groups}; decisions go to {saved_to}")
                print(f"open {server.url}")
                print(
                    "The address is a key: give it to nobody. Ctrl-C ends the review.", flush=True
                )
            server.serve_forever()
        except KeyboardInterrupt:
            if not settings.json:
                print("\nTo make lists that obey your decisions, run dedup resolve again.")
