"""One size, in a process of its own, so that its memory is its own.

python -m benchmarks.scale.child SIZE DIMENSION SEED FOLDER    prints the outcome as JSON
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.scale.filling import fill
from benchmarks.scale.measure import measure
from benchmarks.scale.world import World
from search.options import SearchOptions

_COMPLETE = "complete"


def main() -> None:
    size, dimension, seed = (int(argument) for argument in sys.argv[1:4])
    folder = Path(sys.argv[4])
    world = World.planned(size, dimension, seed)
    started = time.monotonic()
    if not (folder / _COMPLETE).exists():
        fill(world, folder / "index")
        (folder / _COMPLETE).touch()
    print(f"{size:,} images made in {time.monotonic() - started:.0f} s", file=sys.stderr)
    world = world.without_vectors()
    outcome = measure(world, folder / "index", folder / "lists", SearchOptions())
    beyond = {"bytes_beyond_vectors": outcome.bytes_beyond_vectors}
    print(json.dumps(asdict(outcome) | beyond))


if __name__ == "__main__":
    main()
