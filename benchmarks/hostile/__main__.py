"""Damaged and odd files, kills, full disks and power cuts: what becomes of them.

    python -m benchmarks.hostile damaged [--files 20000]    mutated files, indexed by the program
    python -m benchmarks.hostile kills [--times 200]        SIGKILL over index, resolve, rebuilding
                                                            the search index, and repair
    python -m benchmarks.hostile full [--times 50]          a disk that is full at any write; needs
                                                            the right to mount one in memory
    python -m benchmarks.hostile power [--times 60]         the power goes, and what was not synced
                                                            with it; needs strace

Prints what was found as JSON, and exits with 1 when it is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.hostile import damaged, disturbed, power


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile")
    parser.add_argument("what", choices=("damaged", "kills", "full", "power"))
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--times", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds an image may take")
    parser.add_argument("--only", default="", help="damage only files of this kind, such as dng")
    parser.add_argument("--out", type=Path, help="where it is done; default: a folder in /tmp")
    arguments = parser.parse_args()
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="dedup-hostile-"))
    folder.mkdir(parents=True, exist_ok=True)
    outcome: damaged.Outcome | disturbed.Outcome | power.Outcome
    try:
        if arguments.what == "damaged":
            outcome = damaged.measure(
                arguments.files,
                folder,
                seed=arguments.seed,
                timeout=arguments.timeout,
                only=arguments.only,
            )
        elif arguments.what == "kills":
            outcome = disturbed.kill(arguments.times or 200, folder, seed=arguments.seed)
        elif arguments.what == "power":
            outcome = power.lose_power(arguments.times or 60, folder, seed=arguments.seed)
        else:
            outcome = disturbed.fill_disks(arguments.times or 50, folder, seed=arguments.seed)
    finally:
        if arguments.out is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(asdict(outcome), indent=2))
    wrong = outcome.faults_found()
    for fault in wrong:
        print(f"FAILED: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
