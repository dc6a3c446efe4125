"""One size, in a process of its own, so that its memory is its own.

python -m benchmarks.scale.child SIZE ADD DIMENSION SEED FOLDER    prints the outcome as JSON
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.scale.filling import fill
from benchmarks.scale.measure import measure, measure_added
from benchmarks.scale.world import World
from search.options import SearchOptions
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory

_COMPLETE, _ADDED_TO = "complete", "added-to"


def main() -> None:
    size, add, dimension, seed = (int(argument) for argument in sys.argv[1:5])
    folder = Path(sys.argv[5])
    world = World.planned(size + add, dimension, seed)
    started = time.monotonic()
    if (folder / _ADDED_TO).exists():
        # Ids are given once: what was added cannot be taken away and added again.
        shutil.rmtree(folder)
    if not (folder / _COMPLETE).exists():
        fill(world, folder / "index", start=_made(folder / "index"), stop=size)
        (folder / _COMPLETE).touch()
    print(f"{size:,} images made in {time.monotonic() - started:.0f} s", file=sys.stderr)
    options = SearchOptions()
    world = world.without_vectors()
    outcome = measure(world, folder / "index", folder / "lists", options)
    print(f"{size:,} images resolved", file=sys.stderr)
    if add:
        (folder / _ADDED_TO).touch()
        fill(World.planned(size + add, dimension, seed), folder / "index", start=size)
        added = measure_added(world, folder / "index", folder / "lists", options, outcome)
        outcome = replace(outcome, added=added)
    beyond = {"bytes_beyond_vectors": outcome.bytes_beyond_vectors}
    print(json.dumps(asdict(outcome) | beyond))


def _made(index: Path) -> int:
    """How many images a run has made that was ended before it had made all."""
    if not index.exists():
        return 0
    directory = IndexDirectory.open(index)
    with Catalog.open_writer(directory.catalog_path) as catalog:
        return catalog.last_image_id


if __name__ == "__main__":
    main()
