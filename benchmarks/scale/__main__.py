"""How search and resolving grow with the collection, on made-up images with planted copies.

    python -m benchmarks.scale --images 100000 --images 300000 [--add N] [--json FILE] [--keep DIR]

Each size runs in a process of its own. Verdicts come from what was planted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.scale.report import as_text

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--images", type=int, action="append", help="a size; repeat")
    parser.add_argument(
        "--add", type=int, default=0, help="images added to each once it is resolved"
    )
    parser.add_argument("--dimension", type=int, default=1280)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="the figures as JSON")
    parser.add_argument(
        "--keep", type=Path, help="where the indexes are made and stay; one that is there is used"
    )
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="dedup-scale-"))
    try:
        outcomes = [
            _outcome(size, arguments, folder / f"{size}+{arguments.add}")
            for size in sorted(arguments.images or [100_000])
        ]
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(as_text(outcomes))
    if arguments.json:
        arguments.json.write_text(json.dumps(outcomes, indent=2) + "\n")
    return 0


def _outcome(size: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The outcome of a run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale.child"]
    arguments = (size, options.add, options.dimension, options.seed, folder)
    run = subprocess.run(
        [*command, *map(str, arguments)], cwd=_ROOT, stdout=subprocess.PIPE, check=True
    )
    outcome: dict[str, Any] = json.loads(run.stdout)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
