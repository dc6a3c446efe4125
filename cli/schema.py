"""`dedup schema`: the JSON Schema of what a command prints with --json."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLE = "Examples:\n\n\b\n  dedup schema\n  dedup schema resolve > resolve.schema.json"


def register(app: typer.Typer) -> None:
    app.command("schema", epilog=EXAMPLE)(_command)


def _command(
    name: Annotated[str | None, typer.Argument(help="Of which output. Default: list them")] = None,
) -> None:
    """Print the JSON Schema of what a command prints with --json."""
    from cli.json_outputs import OUTPUTS
    from cli.output import print_json
    from storage.errors import UsageError

    if name is None:
        for output in OUTPUTS.values():
            print(f"{output.name:<10}{output.command:<30}{output.words}")
        return
    if name not in OUTPUTS:
        raise UsageError(f"No command prints {name!r}.", f"Name one of: {', '.join(OUTPUTS)}.")
    print_json(OUTPUTS[name].schema())
