"""How the memory of the pass grows with the collection.

    python -m benchmarks.throughput.memory --photos DIR [--images 5000 50000] [--out DIR]

Indexes so many small pictures with the defaults, each size in processes of its own, and samples the
memory of all of them once a second. The exit code is 1 when the largest run takes more than a tenth
more than the smallest, or more than 1.5 GB.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.accuracy.child import CommandFailed
from benchmarks.evaluation_set.photographs import photographs_in
from benchmarks.throughput.commands import dedup
from benchmarks.throughput.pictures import TINY, make_pictures
from benchmarks.tree_memory import TreeMemory, TreeWatch

MOST_BYTES = 1.5e9
MOST_GROWTH = 1.1


def measure(photographs: Sequence[Path], count: int, folder: Path) -> TreeMemory:
    """The peak of indexing `count` pictures, made in a new folder.

    Raises:
        CommandFailed: the run ended with an error.
    """
    make_pictures(photographs, folder / "pictures", TINY, count)
    command = dedup(sys.executable)(folder / "pictures", folder)
    with (folder / "run.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        watch = TreeWatch(process.pid)
        code = process.wait()
    if code:
        raise CommandFailed((folder / "run.log").read_text(errors="replace")[-2000:])
    return watch.peak()


def faults(smallest: TreeMemory, largest: TreeMemory) -> list[str]:
    """What is not as it must be, in words."""
    wrong = []
    if largest.own > MOST_GROWTH * smallest.own:
        wrong.append(f"memory has grown {largest.own / smallest.own:.2f} times")
    if largest.resident > MOST_BYTES:
        wrong.append(f"{largest.resident / 1e9:.2f} GB are more than {MOST_BYTES / 1e9}")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput.memory")
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--images", type=int, nargs=2, default=[5_000, 50_000])
    parser.add_argument("--out", type=Path, help="a new folder for all that is written; it stays")
    options = parser.parse_args(arguments)
    photographs = photographs_in(options.photos)
    folder = options.out or Path(tempfile.mkdtemp(prefix="dedup-memory-"))
    peaks = []
    try:
        for count in sorted(options.images):
            peaks.append(measure(photographs, count, folder / str(count)))
            print(json.dumps({"images": count, **asdict(peaks[-1])}), flush=True)
    finally:
        if options.out is None:
            shutil.rmtree(folder, ignore_errors=True)
    wrong = faults(peaks[0], peaks[-1])
    for fault in wrong:
        print(f"NOT REACHED: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
