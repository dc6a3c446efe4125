"""`dedup query`: what in the index is a copy of this image?"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from cli.config import Settings
from cli.options import (
    AccountUrlOption,
    AnswerMemoryOption,
    ConfigOption,
    DeviceOption,
    IndexOption,
    JsonOption,
    MatcherOption,
    SilentOption,
    StrictnessOption,
    settings_from,
)

if TYPE_CHECKING:
    from cli.answering import QueryAnswer
    from cli.query_image import QueryEngine

EXAMPLE = (
    "Examples:\n\n\b\n"
    "  dedup query holiday.jpg --top 5\n"
    "  dedup query az://photos/2024/holiday.jpg\n"
    "  curl -s https://example.com/holiday.jpg | dedup query - --json"
)

_MOST_SHOWN = 3


def register(app: typer.Typer) -> None:
    app.command("query", epilog=EXAMPLE, no_args_is_help=True)(_command)


def _command(
    image: Annotated[
        list[str],
        typer.Argument(help="A file, an az:// or https:// address, or - for standard input."),
    ],
    index: IndexOption = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="K", help="How many to show. Default: 10")
    ] = None,
    verify: Annotated[
        bool | None,
        typer.Option("--verify/--no-verify", help="Verify neighbours on pixels. Default: verify"),
    ] = None,
    matcher: MatcherOption = None,
    strictness: StrictnessOption = None,
    account_url: AccountUrlOption = None,
    memory: AnswerMemoryOption = None,
    device: DeviceOption = None,
    json: JsonOption = None,
    quiet: SilentOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the images of the index that are most like this one: verified copies first."""
    settings = settings_from(
        config,
        index=index,
        top=top,
        verify=verify,
        matcher=matcher,
        strictness=strictness,
        account_url=account_url,
        memory=memory,
        device=device,
        json=json,
        quiet=quiet,
    )
    raise typer.Exit(run(image, settings))


def run(locations: list[str], settings: Settings) -> int:
    """Answer each query; one that cannot be read does not stop the others.

    Returns:
        The exit code: that of the first query that failed, 0 when none did.

    Raises:
        DedupError: the index or a model cannot be used.
    """
    from cli.errors import one_line, print_error
    from cli.output import print_json
    from cli.progress import steps
    from cli.query_image import QueryEngine
    from cli.results import Unanswered
    from storage.azure_address import redact
    from storage.errors import DedupError, ExitCode, ModelError, UsageError
    from storage.resident import bounded_memory

    if locations.count("-") > 1:
        raise UsageError("Standard input (-) was given twice.", "Give it once.")
    code = ExitCode.OK
    answers: list[object] = []
    with ExitStack() as stack:
        stack.enter_context(bounded_memory(settings.memory_bytes))
        with steps("query", settings) as step:
            step("opening the search indexes")
            engine = stack.enter_context(QueryEngine(settings))
        for location in locations:
            try:
                with steps("query", settings) as step:
                    answer = engine.answer(location, step)
            except ModelError:
                raise
            except DedupError as error:
                code = code or error.exit_code
                print_error(error)
                answers.append(Unanswered(redact(location), one_line(error)))
                continue
            answers.append(answer)
            if not settings.json:
                _print_answer(answer, len(locations) > 1)
                _show_copies(answer, engine)
    if settings.json:
        print_json(answers)
    return int(code)


def _print_answer(answer: QueryAnswer, is_one_of_several: bool) -> None:
    """One line a match, columns by width; the address last, since it has no end."""
    from cli.output import plural, printable

    if is_one_of_several:
        print(f"{printable(answer.query)}:")
    if not answer.matches:
        print("nothing like it in the index")
    rows = [("verdict", "score", "hamming", "similarity", "transform", "address")]
    for match in answer.matches:
        others = len(match.uris) - 1
        more = f" (and {plural(others, 'other name')} of the same bytes)" if others else ""
        rows.append(
            (
                match.relation or "not verified",
                "" if match.score is None else f"{match.score:.3f}",
                str(match.hamming),
                f"{match.best_similarity:.3f}",
                match.transform,
                printable(match.uris[0]) + more,
            )
        )
    if len(rows) > 1:
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            print("  ".join([*cells, row[5]]))


def _show_copies(answer: QueryAnswer, engine: QueryEngine) -> None:
    """The best few copies as pictures, where the terminal can show them."""
    from cli.output import printable
    from cli.thumbnails import can_show, thumbnail

    if not can_show(sys.stdout):
        return
    for match in [match for match in answer.matches if match.is_copy][:_MOST_SHOWN]:
        print(f"\n{printable(match.uris[0])}")
        print("\n".join(thumbnail(engine.preview(match))))
