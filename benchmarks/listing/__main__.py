"""A run over millions of names, killed in the middle of its listing and run again.

    python -m benchmarks.listing [--names 3000000] [--out DIR]

The names come from a simulated account over HTTP, through the SDK, as from the service. An earlier
run knows nearly all of them; one in 1,500 is new and one in 1,000 is gone. The run is killed with
SIGKILL when half of the pages have been served. The second run must not ask for a page that the
first one had, but the one that was on its way, and must find exactly what is new and gone.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.listing.measure import measure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listing")
    parser.add_argument("--names", type=int, default=3_000_000)
    parser.add_argument(
        "--out", type=Path, help="where the index is made; default: a folder in /tmp"
    )
    arguments = parser.parse_args()
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="dedup-listing-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        outcome = measure(arguments.names, folder)
    finally:
        if arguments.out is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(asdict(outcome), indent=2))
    wrong = outcome.faults()
    for fault in wrong:
        print(f"FAILED: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
