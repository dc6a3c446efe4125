"""The whole benchmark on a handful of photographs: made, indexed, resolved, compared, drawn."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.cases import (
    FALSE_DELETE,
    FALSE_PAIR,
    NOT_MATCHED,
    NOT_PROPOSED,
)
from benchmarks.accuracy.documents import BEGIN, END, write_documents
from benchmarks.evaluation_set.photographs import bundled
from benchmarks.evaluation_set.truth import Role, read_truth
from storage.errors import UsageError

NAMES = ("astronaut.png", "coffee.png", "chelsea.png", "china.jpg", "flower.jpg")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one run, with dedup's settings of the tests."""
    photographs, out = tmp_path_factory.mktemp("photographs"), tmp_path_factory.mktemp("a") / "out"
    for name in NAMES:
        with Image.open(bundled(name)) as image:
            image.convert("RGB").save(photographs / f"{Path(name).stem}.jpg", quality=92)
    docs = tmp_path_factory.mktemp("docs")
    (docs / "accuracy.md").write_text(
        f"# Accuracy\n\n{BEGIN}\nfigures of another run\n{END}\n\nThe end.\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEDUP_RUNTIME", "torch")
        code = main(
            [
                *("--photos", str(photographs), "--out", str(out), "--docs", str(docs)),
                *("--seeds", "3", "--originals", "3", "--distractors", "1"),
                *("--copies-per-original", "4", "--instances", "0"),
            ]
        )
    (out / "exit-code").write_text(str(code))
    (out / "docs").symlink_to(docs)
    return out


@pytest.fixture(scope="module")
def results(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "accuracy.json").read_text())
    return found


def test_every_picture_of_the_set_is_on_one_list(out: Path, results: dict[str, Any]) -> None:
    lists = results["lists"]
    assert lists["pictures"] == len(read_truth(out / "seed-3" / "set")) == 16
    assert lists["kept"] + lists["deleted"] == 16
    assert lists["unaccounted"] == lists["on_both"] == 0


def test_dedup_finds_copies_among_candidates_and_says_nothing_false(
    results: dict[str, Any],
) -> None:
    dedup = results["tools"]["dedup"]
    assert 0 < dedup["found"][0] <= results["candidates"]["found"][0] <= 12
    assert dedup["found"][1] == results["candidates"]["found"][1] == 12
    assert dedup["false_pairs"] == 0
    assert results["lists"]["removed"][0] > 0


def test_each_copy_of_the_set_is_counted_under_its_edit(out: Path, results: dict[str, Any]) -> None:
    copies = [p.edit for p in read_truth(out / "seed-3" / "set") if p.role is Role.COPY]
    for per_edit in (results["tools"]["dedup"]["per_edit"], results["lists"]["removed_per_edit"]):
        assert {edit: of for edit, (_, of) in per_edit.items()} == {
            edit: copies.count(edit) for edit in copies
        }


def test_every_other_tool_is_measured_or_its_absence_explained(results: dict[str, Any]) -> None:
    assert results["tools"]["imagehash whash"]["found"][1] == 12
    others = {"imagehash whash", "pdqhash", "imagededup PHash", "imagededup CNN"}
    measured = set(results["tools"]) - {"dedup"}
    assert measured | set(results["unavailable"]) == others
    assert all(results["unavailable"].values())


def test_cpu_time_is_measured_and_the_exit_code_says_whether_all_was_reached(
    out: Path, results: dict[str, Any]
) -> None:
    cpu = results["cpu_seconds"]
    assert cpu["index"] > 1
    assert cpu["resolve"] > 0.5
    assert cpu["resolve_over_index"] == pytest.approx(cpu["resolve"] / cpu["index"], rel=0.01)
    assert ("1" if results["shortfalls"] else "0") == (out / "exit-code").read_text()
    assert bool(results["shortfalls"]) == (cpu["resolve_over_index"] > 1)


def test_the_curves_and_the_tables_are_in_the_documentation(out: Path) -> None:
    page = (out / "docs" / "accuracy.md").read_text()
    assert page.startswith("# Accuracy\n")
    assert page.endswith("The end.\n")
    assert "figures of another run" not in page
    assert "| false deletes (required: 0) | 0 |" in page
    assert (out / "accuracy.md").read_text().strip() in page
    plot = ElementTree.parse(out / "docs" / "images" / "accuracy-pr.svg")
    said = "".join(plot.getroot().itertext())
    assert "dedup" in said
    assert "imagehash whash" in said


def test_an_existing_set_can_be_measured_and_is_not_mixed_with_old_results(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--truth-set", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "is no evaluation set" in capsys.readouterr().err
    assert main(["--truth-set", str(out / "seed-3" / "set"), "--out", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_a_page_without_a_place_for_figures_stays_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "accuracy.md"
    page.write_text("# Accuracy\n")
    with pytest.raises(UsageError, match="has no place for figures"):
        write_documents(tmp_path, "tables", tmp_path / "plot.svg")
    assert page.read_text() == "# Accuracy\n"


def test_each_copy_that_stays_has_a_line_that_says_at_which_stage(
    out: Path, results: dict[str, Any]
) -> None:
    with (out / "seed-3" / "cases.csv").open(newline="") as file:
        cases = list(csv.DictReader(file))
    missed = [row for row in cases if row["case"] in (NOT_PROPOSED, NOT_MATCHED)]
    found, of = results["tools"]["dedup"]["found"]
    # A copy that verification did not match may still have gone with the help of another copy.
    assert len(missed) <= of - found
    proposed, _ = results["candidates"]["found"]
    assert len([row for row in missed if row["case"] == NOT_PROPOSED]) <= of - proposed
    assert all(row["reason"] for row in missed if row["case"] == NOT_MATCHED)
    assert not [row for row in cases if row["case"] in (FALSE_DELETE, FALSE_PAIR)]
