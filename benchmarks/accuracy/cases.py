"""Every mistake and every miss of dedup, one a line, to look at the pictures themselves."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.dedup_run import DedupRun
from benchmarks.accuracy.sets import TruthSet
from benchmarks.evaluation_set.saving import LOSSLESS

COLUMNS = ("case", "path", "other", "edit", "other_edit", "reason")
FALSE_DELETE, FALSE_PAIR = "false delete", "false pair"
ORIGINAL_DELETED = "original deleted"
NOT_PROPOSED, NOT_MATCHED, NOT_DELETED = "not proposed", "not matched", "not deleted"


def write_cases(truth: TruthSet, run: DedupRun, path: Path) -> None:
    """Writes a CSV of what went wrong.

    `false delete` names the deleted picture and the one kept for it; `false pair`, two pictures
    that verification calls copies and that are not; `original deleted`, an original and the copy
    kept for it, which lost something. For copies that stay, the first stage that let them
    through: `not proposed` as a candidate with the original, `not matched` by verification, `not
    deleted` although matched.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for case, one, other in _cases(truth, run):
            a, b = truth.pictures[one], truth.pictures[other]
            reason = run.reasons.get((min(one, other), max(one, other)), "")
            writer.writerow((case, a.path, b.path, a.edit, b.edit, reason))


def _cases(truth: TruthSet, run: DedupRun) -> Iterator[tuple[str, int, int]]:
    for deleted, kept in run.delete.items():
        if kept >= 0 and truth.groups[deleted] != truth.groups[kept]:
            yield FALSE_DELETE, deleted, kept
        elif truth.is_original[deleted] and truth.pictures[kept].edit not in LOSSLESS:
            yield ORIGINAL_DELETED, deleted, kept
    ends = zip(run.pairs.first.tolist(), run.pairs.second.tolist(), run.pairs.is_match, strict=True)
    matched = {(first, second) for first, second, is_match in ends if is_match}
    for first, second in sorted(matched):
        if truth.groups[first] != truth.groups[second]:
            yield FALSE_PAIR, first, second
    for copy, original in truth.copies.items():
        pair = (min(copy, original), max(copy, original))
        if copy in run.delete or original in run.delete:
            continue
        if pair in matched:
            yield NOT_DELETED, copy, original
        else:
            yield (NOT_MATCHED if pair in run.candidates else NOT_PROPOSED), copy, original
