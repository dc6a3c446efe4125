"""How fast the pass is, beside the sum of its parts and beside other tools, in one run.

    python -m benchmarks.throughput --photos DIR [--fastdup-python PYTHON]
        [--imagededup-python PYTHON] [--out DIR] [--json FILE]

Each tool runs over fewer and over more pictures, made of the photographs: what one image more costs
is told apart from what the start does. CPU time is that of all processes. fastdup also looks for
neighbours, which is a small part of its time; it and imagededup are left out where no Python that
has them is named. The exit code is 1 when a required figure is not reached.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.child import CommandFailed
from benchmarks.evaluation_set.photographs import photographs_in
from benchmarks.throughput import commands
from benchmarks.throughput.parts import measure_parts
from benchmarks.throughput.pictures import LARGE, SMALL, Size, make_pictures
from benchmarks.throughput.report import SizeResult, as_json, as_markdown
from storage.errors import DedupError


def measure_size(
    photographs: Sequence[Path],
    size: Size,
    counts: tuple[int, int],
    tools: dict[str, tuple[commands.Command, tuple[int, int]]],
    folder: Path,
) -> SizeResult:
    """Everything on pictures of one size.

    Args:
        counts: pictures of the smaller and of the larger run.
        tools: command by name, with its own counts, which are at most as many.
        folder: for pictures and all that is written; it stays.

    Raises:
        CommandFailed: dedup ended with an error.
    """
    pictures = {}
    for count in sorted({*counts, *(number for _, two in tools.values() for number in two)}):
        pictures[count] = folder / f"pictures-{count}"
        make_pictures(photographs, pictures[count], size, count)
    sample = min(max(counts), len(photographs))
    before = measure_parts(pictures[max(counts)], sample)
    ours = commands.measure(
        commands.dedup(sys.executable), [(pictures[n], n) for n in counts], folder / "dedup"
    )
    parts = before.mean(measure_parts(pictures[max(counts)], sample))
    result = SizeResult(size.name, ours, parts)
    for name, (command, numbers) in tools.items():
        _say(f"{name}, {size.name}")
        try:
            result.others[name] = commands.measure(
                command, [(pictures[n], n) for n in numbers], folder / name
            )
        except CommandFailed as error:
            result.unavailable[name] = str(error)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    photographs = photographs_in(options.photos)
    folder = options.out or Path(tempfile.mkdtemp(prefix="dedup-throughput-"))
    few = (max(1, options.images // 10), options.images)
    # It is an order of magnitude slower.
    fewer = (max(1, options.images // 100), max(2, options.images // 10))
    large = (max(1, options.large_images // 10), options.large_images)
    tools: dict[str, tuple[commands.Command, tuple[int, int]]] = {}
    if options.fastdup_python:
        tools["fastdup"] = (commands.fastdup(options.fastdup_python), few)
    if options.imagededup_python:
        tools["imagededup CNN"] = (commands.imagededup(options.imagededup_python), fewer)
    results = []
    try:
        _say(SMALL.name)
        results.append(measure_size(photographs, SMALL, few, tools, folder / "small"))
        if options.large_images:
            _say(LARGE.name)
            chosen = photographs[: options.large_photographs]
            others = {name: (command, large) for name, (command, _) in tools.items()}
            results.append(measure_size(chosen, LARGE, large, others, folder / "large"))
    except DedupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    finally:
        if options.out is None:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps(as_json(results), indent=2) + "\n")
    print(as_markdown(results))
    shortfalls = [text for result in results for text in result.shortfalls()]
    for shortfall in shortfalls:
        print(f"NOT REACHED: {shortfall}", file=sys.stderr)
    return 1 if shortfalls else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--out", type=Path, help="a new folder for all that is written; it stays")
    parser.add_argument("--json", type=Path, help="the figures as JSON")
    parser.add_argument("--images", type=int, default=4000, help="of 500×375 pixels, at least 100")
    parser.add_argument(
        "--large-images", type=int, default=160, help="of 24 megapixels, at least 10; 0 for none"
    )
    parser.add_argument(
        "--large-photographs", type=int, default=16, help="so many of those differ in their pixels"
    )
    parser.add_argument("--fastdup-python", metavar="PYTHON", help="of an environment with fastdup")
    parser.add_argument(
        "--imagededup-python", metavar="PYTHON", help="of one with imagededup, and what dedup needs"
    )
    return parser


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
