"""A command in a process of its own, and the CPU time of everything it starts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.errors import DedupError, UsageError

_SUPERVISE = Path(__file__).with_name("supervise.py")
_LAST_LINES = 15


class CommandFailed(DedupError):
    """The measured command ended with an error."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command took.

    Attributes:
        cpu_seconds: user and system time of the process and of all that it started.
        peak_bytes: the largest resident set of any one of these processes.
    """

    cpu_seconds: float
    peak_bytes: int


def run_measured(command: Sequence[str], log: Path) -> Usage:
    """Runs a command to its end, with its output in a log.

    Raises:
        CommandFailed: its exit code is not 0; with the last lines of the log.
        UsageError: this is not Linux, where alone the usage of all processes can be had.
    """
    if sys.platform != "linux":
        raise UsageError("CPU time of worker processes is measured on Linux only.")
    usage_file = log.resolve().with_suffix(".usage.json")
    supervised = [
        *(sys.executable, str(_SUPERVISE), str(usage_file)),
        *command,
    ]
    with log.open("wb") as output:
        ended = subprocess.run(
            supervised,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        raise CommandFailed(
            f"{' '.join(command)} ended with {ended.returncode}:\n" + "\n".join(lines)
        )
    usage = json.loads(usage_file.read_text())
    return Usage(usage["cpu_seconds"], usage["peak_bytes"])
