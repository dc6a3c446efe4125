"""The list of mistakes and misses names each once, with the stage that is to blame."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks.accuracy.cases import write_cases
from benchmarks.accuracy.child import Usage
from benchmarks.accuracy.dedup_run import DedupRun
from benchmarks.accuracy.pairs import ScoredPairs
from benchmarks.accuracy.sets import TruthSet
from benchmarks.evaluation_set.truth import Picture, Role

EDITS = ("grey", "crop", "mirror", "blur")
ORIGINAL, GREY, CROP, MIRROR, BLUR, PAGE_1, PAGE_2, OTHER, ENLARGED = range(9)
TRUTH = TruthSet(
    Path("set"),
    [
        Picture("0.jpg", "g", Role.ORIGINAL, "original"),
        *(Picture(f"{n}.jpg", "g", Role.COPY, edit) for n, edit in enumerate(EDITS, start=1)),
        Picture("5.png", "n5", Role.LOOKALIKE, "lookalike:pages:0"),
        Picture("6.png", "n6", Role.LOOKALIKE, "lookalike:pages:0"),
        Picture("7.jpg", "h", Role.ORIGINAL, "original"),
        Picture("8.jpg", "h", Role.COPY, "resize 2"),
    ],
)


def test_every_mistake_and_every_miss_has_its_line(tmp_path: Path) -> None:
    nothing = Usage(0.0, 0)
    run = DedupRun(
        keep={ORIGINAL, CROP, MIRROR, BLUR, PAGE_1, ENLARGED},
        delete={GREY: ORIGINAL, PAGE_2: PAGE_1, OTHER: ENLARGED},
        candidates={(ORIGINAL, GREY), (ORIGINAL, CROP), (ORIGINAL, BLUR), (PAGE_1, PAGE_2)},
        pairs=ScoredPairs.of(
            {
                (ORIGINAL, GREY): (0.9, True),
                (ORIGINAL, BLUR): (0.9, True),
                (PAGE_1, PAGE_2): (0.8, True),
            }
        ),
        reasons={(ORIGINAL, CROP): "the details do not agree"},
        index=nothing,
        resolve=nothing,
        verifier="1",
    )
    write_cases(TRUTH, run, tmp_path / "cases.csv")
    with (tmp_path / "cases.csv").open(newline="") as file:
        rows = [(row["case"], row["edit"], row["reason"]) for row in csv.DictReader(file)]
    assert rows == [
        ("false delete", "lookalike:pages:0", ""),
        ("original deleted", "original", ""),
        ("false pair", "lookalike:pages:0", ""),
        ("not matched", "crop", "the details do not agree"),
        ("not proposed", "mirror", ""),
        ("not deleted", "blur", ""),
    ]
