"""Indexing a store that fails as Azure does, and being killed while doing it.

    python -m benchmarks.soak [--blobs 20000]             faults: throttling, resets, stalls …
    python -m benchmarks.soak kills [--kills 25]          SIGKILL at random moments
    python -m benchmarks.soak unchanged [--blobs 5000]    a second run over the same blobs, on the
                                                          account of AZURE_STORAGE_CONNECTION_STRING

Prints what was found as JSON, and exits with 1 when it is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.soak import kills, measure, unchanged


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("what", nargs="?", choices=("faults", "kills", "unchanged"))
    parser.add_argument("--blobs", type=int)
    parser.add_argument("--limit", type=float, default=200.0, help="requests per second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument(
        "--out", type=Path, help="where the indexes are made; default: a folder in /tmp"
    )
    arguments = parser.parse_args()
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="dedup-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    outcome: measure.Outcome | kills.Outcome | unchanged.Outcome
    try:
        if arguments.what == "kills":
            outcome = kills.measure(
                arguments.blobs or 6000, folder, kills=arguments.kills, seed=arguments.seed
            )
        elif arguments.what == "unchanged":
            connection = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
            if not connection:
                parser.error("AZURE_STORAGE_CONNECTION_STRING is not set")
            outcome = unchanged.measure(arguments.blobs or 5000, folder, connection)
        else:
            outcome = measure.measure(
                arguments.blobs or 20_000,
                folder,
                limit=arguments.limit,
                seed=arguments.seed,
                silence=20.0,
            )
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
