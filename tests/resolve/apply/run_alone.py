"""Apply or undo in a process of its own, for tests that kill it.

    python -m tests.resolve.apply.run_alone BASE apply|undo ACTION QUARANTINE

It says `ready` when it is about to begin, and waits for a line on standard input. Blobs are those
of the emulator when AZURE_STORAGE_CONNECTION_STRING is set.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from storage.actions import Action
from storage.open_actions import OpenStores
from storage.open_source import SourceOptions
from tests.resolve.apply.worlds import World


def main() -> None:
    """Run, and say what was done."""
    base, command, action, quarantine = sys.argv[1:]
    options = SourceOptions(
        connection_string=os.environ.get("AZURE_STORAGE_CONNECTION_STRING", ""),
        max_requests_per_second=2000,
        read_deadline=10,
    )
    world = World(Path(base), OpenStores(options))
    print("ready", flush=True)
    sys.stdin.readline()
    if command == "apply":
        report = world.apply(Action(action), quarantine=quarantine)
        print(report.acted, report.acted_before, report.skipped.total(), report.failed, flush=True)
    else:
        undone = world.undo()
        print(undone.undone, undone.undone_before, 0, undone.failed, flush=True)


if __name__ == "__main__":
    main()
