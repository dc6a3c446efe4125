"""How accurate dedup is, beside other tools, on sets with known truth.

    python -m benchmarks.accuracy --photos DIR --seeds 1 2 3 --out OUT
    python -m benchmarks.accuracy --truth-set SET --out OUT

OUT then holds accuracy.json, accuracy.md and accuracy-pr.svg, and for every set its pictures, its
index, its lists, its logs and cases.csv, where each mistake and each miss has a line. The exit code
is 1 when a required figure is not reached.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.cases import write_cases
from benchmarks.accuracy.dedup_run import DedupRun, run_dedup
from benchmarks.accuracy.documents import write_documents
from benchmarks.accuracy.plot import plot_precision_recall
from benchmarks.accuracy.report import DEDUP, Results, as_json, as_markdown
from benchmarks.accuracy.scoring import (
    CandidateFigures,
    ListFigures,
    PairFigures,
    pooled,
    score_candidates,
    score_lists,
    score_pairs,
)
from benchmarks.accuracy.sets import TruthSet
from benchmarks.accuracy.tools import TOOLS, ComparedTool
from benchmarks.accuracy.tools.base import ToolUnavailable
from benchmarks.evaluation_set.make_set import SetPlan, make_set
from benchmarks.evaluation_set.photographs import photographs_in
from storage.errors import DedupError, UsageError

PLOT = "accuracy-pr.svg"


def measure(
    sets: Sequence[TruthSet],
    works: Sequence[Path],
    seeds: Sequence[int] = (),
    tools: Sequence[ComparedTool] = TOOLS,
) -> Results:
    """Runs dedup and the other tools on every set.

    Args:
        works: a folder for what dedup writes, for each set.
        seeds: of the sets, where they were made.

    Raises:
        CommandFailed: dedup ended with an error.
    """
    lists, candidates = ListFigures(), CandidateFigures()
    runs: list[DedupRun] = []
    dedup: list[PairFigures] = []
    for truth, work in zip(sets, works, strict=True):
        _say(f"dedup on {len(truth.pictures)} pictures of {truth.folder}")
        run = run_dedup(truth, work)
        lists.add(score_lists(truth, run.keep, run.delete))
        candidates.add(score_candidates(truth, run.candidates))
        dedup.append(score_pairs(truth, run.pairs))
        write_cases(truth, run, work / "cases.csv")
        runs.append(run)
    pairs, unavailable = {DEDUP: pooled(dedup)}, {}
    for tool in tools:
        _say(tool.name)
        try:
            found = [score_pairs(truth, tool.pairs(truth.files)) for truth in sets]
        except ToolUnavailable as error:
            unavailable[tool.name] = str(error)
        else:
            pairs[tool.name] = pooled(found)
    return Results(
        seeds=seeds,
        lists=lists,
        candidates=candidates,
        pairs=pairs,
        settings={DEDUP: "as `dedup resolve` decides", **{t.name: t.setting for t in tools}},
        unavailable=unavailable,
        index_cpu=sum(run.index.cpu_seconds for run in runs),
        resolve_cpu=sum(run.resolve.cpu_seconds for run in runs),
        verifier=runs[0].verifier,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        sets, works, seeds = _sets(options)
        results = measure(sets, works, seeds)
        tables = as_markdown(results)
        out: Path = options.out
        (out / "accuracy.json").write_text(json.dumps(as_json(results), indent=2) + "\n")
        (out / "accuracy.md").write_text(tables + "\n")
        plot_precision_recall(results.pairs, out / PLOT)
        if options.docs is not None:
            write_documents(options.docs, tables, out / PLOT)
    except DedupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(tables)
    for shortfall in results.shortfalls():
        print(f"NOT REACHED: {shortfall}", file=sys.stderr)
    return 1 if results.shortfalls() else 0


def _sets(options: argparse.Namespace) -> tuple[list[TruthSet], list[Path], list[int]]:
    out: Path = options.out
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty.", "Name a folder that does not exist yet.")
    if options.truth_set is not None:
        truth = TruthSet.read(options.truth_set)
        out.mkdir(parents=True, exist_ok=True)
        return [truth], [out], []
    photographs = photographs_in(options.photos)
    folders = [out / f"seed-{seed}" for seed in options.seeds]
    for seed, folder in zip(options.seeds, folders, strict=True):
        plan = SetPlan(
            seed=seed,
            originals=options.originals,
            distractors=options.distractors,
            copies_per_original=options.copies_per_original,
            instances=options.instances,
        )
        _say(f"making the set of seed {seed}")
        make_set(photographs, folder / "set", plan)
    return [TruthSet.read(folder / "set") for folder in folders], folders, options.seeds


def _parser() -> argparse.ArgumentParser:
    default = SetPlan()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--photos", type=Path, help="a folder of unrelated photographs")
    source.add_argument("--truth-set", type=Path, help="a set with a truth.csv")
    parser.add_argument("--out", type=Path, required=True, help="an empty folder for all results")
    parser.add_argument("--docs", type=Path, help="also put tables and plot into this docs folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one set for each")
    parser.add_argument("--originals", type=int, default=default.originals)
    parser.add_argument("--distractors", type=int, default=default.distractors)
    parser.add_argument("--copies-per-original", type=int, default=default.copies_per_original)
    parser.add_argument("--instances", type=int, default=default.instances)
    return parser


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
