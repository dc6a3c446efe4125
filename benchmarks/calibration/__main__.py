"""Fits the weights of `verify.score` and draws the reliability plot.

    python -m benchmarks.calibration --set SET INDEX [--set SET INDEX ...] [--docs docs] [--pairs N]

Each SET is a folder with truth.csv (python -m benchmarks.evaluation_set.make_set), each INDEX what
`dedup index SET/images` made of it. Prints the weights as they stand in verify/score.py, the
reliability of scores by fits that have seen neither the photograph nor the kind of edit or
look-alike, and every verdict of "copy" that is wrong.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from benchmarks.calibration.examples import Example, read_examples
from benchmarks.calibration.model import by_kind, by_photograph, fit, reliability
from benchmarks.calibration.plot import plot_reliability
from verify.score import FEATURES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument(
        "--set", nargs=2, action="append", required=True, type=Path, metavar=("SET", "INDEX")
    )
    parser.add_argument("--docs", type=Path, help="where the plot goes (images/reliability.svg)")
    parser.add_argument(
        "--pairs", type=int, default=4000, help="of each set, at most; chosen by chance"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    examples: list[Example] = []
    unaligned = unaligned_true = 0
    for folder, index in arguments.set:
        found = read_examples(folder, index, arguments.workers, arguments.pairs)
        examples += found.aligned
        unaligned += found.unaligned
        unaligned_true += found.unaligned_true
    is_true = np.array([example.is_true for example in examples])
    is_copy = np.array([example.is_copy for example in examples])
    print(f"{len(examples)} pairs under a map, {int(is_true.sum())} of them copies; "
          f"{unaligned} without, {unaligned_true} of them copies")  # fmt: skip
    print(f"verdicts of copy: {int(is_copy.sum())}, wrong: {int((is_copy & ~is_true).sum())}")
    weights = fit(examples)
    print("WEIGHTS =", tuple(round(float(weight), 3) for weight in weights))
    for name, weight in zip(("constant", *FEATURES), weights, strict=True):
        print(f"    {name:14s} {weight:8.3f}")
    print(f"UNALIGNED = {(unaligned_true + 1) / (unaligned + 2):.4f}")
    curves = {}
    for name, probability in (
        ("photographs left out", by_photograph(examples)),
        ("kinds left out", by_kind(examples)),
    ):
        curves[name] = reliability(probability, is_true)
        print(f"{name}: Brier score {float(((probability - is_true) ** 2).mean()):.4f}")
        for mean, share, count in curves[name]:
            print(f"    score {mean:.3f}: {share:.3f} right of {count}")
    if arguments.docs:
        plot_reliability(curves, arguments.docs / "images" / "reliability.svg")
    return int((is_copy & ~is_true).any())


if __name__ == "__main__":
    raise SystemExit(main())
