"""The commands that are measured, each over a folder of pictures in processes of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.accuracy.child import run_measured
from benchmarks.throughput.slope import Cost, Run, cost_of

_TOOLS = Path(__file__).with_name("tools")

# From a folder of pictures and an empty one for what the command writes to its arguments.
Command = Callable[[Path, Path], list[str]]


def dedup(python: str) -> Command:
    """`dedup index` with its defaults."""

    def command(pictures: Path, work: Path) -> list[str]:
        index = ["index", str(pictures), "--index", str(work / "index"), "--quiet"]
        return [python, "-m", "cli.main", *index]

    return command


def fastdup(python: str) -> Command:
    """`fastdup.create(…).run()` with its defaults, on as many threads as there are cores."""
    return lambda pictures, work: [
        *(python, str(_TOOLS / "run_fastdup.py")),
        *(str(pictures), str(work / "fastdup")),
    ]


def imagededup(python: str) -> Command:
    """`CNN(…).encode_images()` of imagededup with EfficientNet-Lite0."""
    return lambda pictures, _: [python, str(_TOOLS / "run_imagededup.py"), str(pictures)]


def measure(command: Command, folders: Sequence[tuple[Path, int]], work: Path) -> Cost:
    """The cost of an image, from one run over each of two folders.

    Args:
        folders: a smaller and a larger one, with the number of their pictures.
        work: a folder that does not exist yet.

    Raises:
        CommandFailed: a run ended with an error.
        UsageError: they are too few to tell.
    """
    runs = []
    for number, (pictures, count) in enumerate(folders):
        place = work / str(number)
        place.mkdir(parents=True)
        started = time.perf_counter()
        usage = run_measured(command(pictures, place), place / "run.log")
        runs.append(Run(count, usage.cpu_seconds, time.perf_counter() - started))
    return cost_of(runs[0], runs[1])
