"""What stands in the lists, and what happens to them when things go wrong."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolve.lists import LIST_FILES, csv_row, safe_cell, write_lists
from resolve.output_folder import output_faults, replacing_files
from resolve.resolution import ResolveOptions
from resolve.resolve import resolve
from storage.catalog import Catalog
from storage.errors import IndexStorageError
from tests.resolve.invented import ToldVerdicts, blob, candidates, copy, image, record, unreadable
from verify.verdict import Relation

Make = Callable[..., Catalog]
ODD_NAMES = (
    "/p/with, comma and \"quotes\".jpg",
    "/p/with\nline feed.jpg",
    "/p/with\rreturn.jpg",
    "/p/ends in space .jpg ",
    "/p/=1+1.jpg",
    "/p/not utf-8 \udcff\udcfe.jpg",
    "/p/\u202ereversed.jpg",
    "az://account/container/à 画像.jpg",
)  # fmt: skip


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def _write(catalog: Catalog, out: Path) -> None:
    verdicts = {}
    if catalog.image_count > 1:
        verdicts[1, 2] = copy(b_covers_a=False, relation=Relation.CROPPED, frame_share_a=0.5)
    resolution = resolve(
        catalog, candidates(verdicts), ToldVerdicts(verdicts), ResolveOptions(verifier="test/1")
    )
    write_lists(resolution, catalog, out)


@pytest.fixture
def small(invented: Make) -> Catalog:
    """A picture under two names, a crop of it, another picture, and no picture."""
    return invented(
        image("/p/whole.jpg", "/p/x/whole.jpg"),
        image("/p/crop.jpg", record_=record("crop", width=500)),
        image("/p/other.jpg"),
        unreadable("/p/notes.jpg"),
    )


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_what_goes_into_a_line_of_csv_comes_out(cells: list[str]) -> None:
    cells = [cell.replace("\0", "") or "x" for cell in cells]
    line = csv_row(cells)
    assert next(csv.reader([*line.splitlines(keepends=True)], strict=True)) is not None
    parsed = list(csv.reader(iter(_csv_lines(line)), strict=True))
    assert parsed == [cells]


def _csv_lines(text: str) -> list[str]:
    # As a file opened with newline="" is read: line by line, terminators kept.
    lines, start = [], 0
    for place, letter in enumerate(text):
        if letter == "\n" or (letter == "\r" and text[place + 1 : place + 2] != "\n"):
            lines.append(text[start : place + 1])
            start = place + 1
    return [*lines, text[start:]] if start < len(text) else lines


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_path_comes_back_exactly(invented: Make, tmp_path: Path, name: str) -> None:
    catalog = invented(image(name, "/p/a rather longer name of the same bytes.jpg"))
    _write(catalog, tmp_path)
    paths = {row["path"] for file in ("keep.csv", "delete.csv") for row in _rows(tmp_path / file)}
    assert name in paths
    group = json.loads((tmp_path / "groups.jsonl").read_text())
    assert name in {group["keeper"]["path"], *(each["path"] for each in group["members"])}


def test_a_name_that_is_not_utf8_is_written_with_its_own_bytes(
    invented: Make, tmp_path: Path
) -> None:
    catalog = invented(image(os.fsdecode(b"/p/\xff\xfe.jpg")))
    _write(catalog, tmp_path)
    assert b"/p/\xff\xfe.jpg," in (tmp_path / "keep.csv").read_bytes()


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_cell_that_a_spreadsheet_would_run_is_neutralised(text: str) -> None:
    assert safe_cell(text) == "'" + text
    assert safe_cell(f"a {text}") == f"a {text}"


def test_the_columns_are_those_documented(small: Catalog, tmp_path: Path) -> None:
    _write(small, tmp_path)
    headers = {name: (tmp_path / name).read_text().splitlines()[0] for name in LIST_FILES}
    assert headers["keep.csv"] == "path,reason,group,bytes"
    assert headers["delete.csv"] == "path,keep,relation,score,bytes,group,reason"
    assert headers["unreadable.csv"] == "path,reason"


def test_every_kept_file_has_a_reason(small: Catalog, tmp_path: Path) -> None:
    _write(small, tmp_path)
    reasons = {row["path"]: row["reason"] for row in _rows(tmp_path / "keep.csv")}
    assert reasons["/p/other.jpg"] == "no copies found"
    assert "shows the whole frame; the other up to 50 % less" in reasons["/p/whole.jpg"]
    assert _rows(tmp_path / "unreadable.csv") == [
        {"path": "/p/notes.jpg", "reason": "not an image"}
    ]


def test_of_files_with_the_same_bytes_it_is_said_why_this_one_stays(
    invented: Make, tmp_path: Path
) -> None:
    older, newer = blob("/r/b.jpg", last_modified=1.0), blob("/r/a.jpg", last_modified=1.5)
    catalog = invented(
        image("/p/long name.jpg", "/p/short.jpg"),
        image("/q/a.jpg", "/q/b.jpg"),
        image(older, newer),
    )
    resolution = resolve(catalog, [], ToldVerdicts({}), ResolveOptions(verifier="test/1"))
    write_lists(resolution, catalog, tmp_path)
    kept = {row["path"]: row["reason"] for row in _rows(tmp_path / "keep.csv")}
    assert kept["/p/short.jpg"].endswith("it has the shortest path")
    assert kept["/q/a.jpg"].endswith("it comes first by name")
    assert kept["/r/b.jpg"].endswith("it is the oldest with so short a path")


def test_a_group_names_its_keeper_its_members_and_the_evidence(
    small: Catalog, tmp_path: Path
) -> None:
    _write(small, tmp_path)
    (group,) = [json.loads(line) for line in (tmp_path / "groups.jsonl").read_text().splitlines()]
    assert group["id"] == group["keeper"]["digest"][:16]
    assert group["keeper"]["path"] == "/p/whole.jpg"
    assert group["keeper"]["width"] == 1000
    by_path = {member["path"]: member for member in group["members"]}
    assert by_path["/p/x/whole.jpg"]["relation"] == "exact"
    crop = by_path["/p/crop.jpg"]
    assert (crop["relation"], crop["score"], crop["width"]) == ("cropped", 0.99, 500)
    assert crop["measurements"] == {"frame_share_a": 0.5}
    assert {row["group"] for row in _rows(tmp_path / "delete.csv")} == {group["id"]}


def test_the_counts_of_the_summary_add_up(small: Catalog, tmp_path: Path) -> None:
    _write(small, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["blobs"] == 5
    assert summary["keep"] + summary["delete"] + summary["unreadable"] == summary["blobs"]
    assert sum(summary["kept"].values()) == summary["keep"] == 2
    assert sum(summary["deleted"].values()) == summary["delete"] == 2
    assert summary["deleted"] == {"cropped": 1, "exact": 1}
    assert summary["bytes_to_free"] == 2000
    assert summary["groups"] == 1
    assert summary["pairs_by_relation"] == {"cropped": 1}
    assert summary["versions"]["verifier"] == "test/1"
    assert set(summary["seconds"]) == {"verify", "group", "write"}


def test_an_empty_catalog_gives_empty_lists(invented: Make, tmp_path: Path) -> None:
    _write(invented(), tmp_path)
    assert [_rows(tmp_path / name) for name in ("keep.csv", "delete.csv")] == [[], []]


def test_a_failure_leaves_the_earlier_lists_as_they_were(small: Catalog, tmp_path: Path) -> None:
    _write(small, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with (
        pytest.raises(KeyboardInterrupt),
        replacing_files(tmp_path, LIST_FILES) as paths,
    ):
        paths["keep.csv"].write_text("half of it")
        raise KeyboardInterrupt
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


def test_a_crash_between_two_files_leaves_no_delete_list_of_another_run(
    small: Catalog, tmp_path: Path
) -> None:
    _write(small, tmp_path)
    (tmp_path / "groups.jsonl").unlink()
    (tmp_path / "groups.jsonl").mkdir()
    with pytest.raises(IndexStorageError):
        _write(small, tmp_path)
    assert not (tmp_path / "delete.csv").exists()


def test_a_file_in_the_way_of_the_folder_is_one_clear_line(small: Catalog, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(IndexStorageError, match="--out"):
        _write(small, tmp_path / "out")


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    with (
        pytest.raises(IndexStorageError, match="full"),
        output_faults(tmp_path),
        Path("/dev/full").open("w") as file,
    ):
        file.write("x")
