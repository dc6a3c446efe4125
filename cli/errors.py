"""What a person sees when a command fails: one line and an exit code; for a bug, a traceback."""

from __future__ import annotations

import os
import sys
from typing import Any

from typer.core import TyperGroup

from storage.azure_address import redact
from storage.errors import DedupError, ExitCode


def one_line(error: DedupError) -> str:
    """The message and the remedy on one line and without secrets, as `dedup: MESSAGE REMEDY`."""
    return f"dedup: {redact(' '.join(str(error).split()))}"


# What Ctrl-C leaves behind, and how to go on.
_STOPPED = {
    "index": "What was read is kept: the same command carries on from there.",
    "resolve": "The lists are as they were, and pairs that were verified are not verified again: "
    "the same command carries on.",
    "apply": "What was done stands in the journal beside the list: the same command does the rest, "
    "`dedup undo` takes it back.",
    "undo": "What came back stays: the same command brings back the rest.",
    "repair": "No picture was touched: run the same command again.",
}


def stopped(command: str | None) -> str:
    """The line for a command that Ctrl-C has ended."""
    return f"dedup: stopped. {_STOPPED.get(command or '', 'Nothing was changed.')}"


def print_error(error: DedupError) -> None:
    """Write the line to standard error."""
    print(one_line(error), file=sys.stderr)


class DedupGroup(TyperGroup):
    """Runs a command and turns what it raises into the documented exit codes."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except DedupError as error:
            print_error(error)
            ctx.exit(int(error.exit_code))
        except KeyboardInterrupt:
            print(stopped(ctx.invoked_subcommand), file=sys.stderr)
            ctx.exit(int(ExitCode.INTERRUPTED))
        except BrokenPipeError:
            # The reader (`| head`) has what it wanted. Without this, Python would complain again
            # when it flushes standard output at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(int(ExitCode.OK))
