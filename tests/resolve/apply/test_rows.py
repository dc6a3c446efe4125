"""A list that is not whole, or would delete a keeper, is refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from resolve.apply.rows import check_list
from resolve.lists import DELETE_COLUMNS, csv_row
from storage.errors import UsageError

HEADER = csv_row(DELETE_COLUMNS)
GOOD = csv_row(("/a.jpg", "/b.jpg", "resized", "0.9980", "12", "abcd", "smaller, by half"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "delete.csv"


def test_a_list_is_read_as_it_was_written(path):
    odd = '/x/new\nline \udcff, "quoted" .jpg'
    row = csv_row((odd, "az://account/photos/ü.jpg", "exact", "1.0000", "7", "ef", "the same"))
    path.write_text(HEADER + GOOD + row, errors="surrogateescape", newline="")
    rows = check_list(path)
    assert (rows.rows, rows.bytes, rows.has_files) == (2, 19, True)
    first, second = rows
    assert (first.path, first.keep, first.relation.value) == ("/a.jpg", "/b.jpg", "resized")
    assert (first.score, first.size, first.group) == (0.998, 12, "abcd")
    assert second.path == odd
    assert rows.has(odd)
    assert not rows.has("/b.jpg")


def test_an_empty_list_is_a_list(path):
    path.write_text(HEADER)
    assert check_list(path).rows == 0
    assert not check_list(path).has("/a.jpg")


def test_a_changed_list_is_another_list(path):
    path.write_text(HEADER + GOOD)
    first = check_list(path).sha256
    assert check_list(path).sha256 == first
    path.write_text(HEADER)
    assert check_list(path).sha256 != first


@pytest.mark.parametrize(
    "text",
    [
        "",
        "path,keep\n/a.jpg,/b.jpg\n",
        HEADER.replace("reason", "why") + GOOD,
        HEADER.replace("\n", ",extra\n") + GOOD.replace("\n", ",x\n"),
        "path,reason,group,bytes\n/a.jpg,keeper,,12\n",
    ],
    ids=["nothing", "two columns", "a renamed column", "one too many", "keep.csv"],
)
def test_unknown_columns_are_refused(path, text):
    path.write_text(text)
    with pytest.raises(UsageError, match=r"delete\.csv"):
        check_list(path)


@pytest.mark.parametrize(
    "row",
    [
        "/a.jpg,/b.jpg,resized\n",
        GOOD.replace("\n", ",more\n"),
        GOOD.replace("resized", "different"),
        GOOD.replace("resized", "similar"),
        GOOD.replace("0.9980", "1.5"),
        GOOD.replace("0.9980", "nan"),
        GOOD.replace("0.9980", "sure"),
        GOOD.replace(",12,", ",-1,"),
        GOOD.replace(",12,", ",many,"),
        GOOD.replace("/a.jpg", ""),
        GOOD.replace("/b.jpg", ""),
        GOOD.replace("/b.jpg", "/a.jpg"),
        '"/a.jpg,/b.jpg,resized,0.9,12,abcd,cut off',
    ],
)
def test_a_row_that_is_none_is_refused_with_its_line(path, row):
    path.write_text(HEADER + GOOD.replace("/a.jpg", "/c.jpg") + row)
    with pytest.raises(UsageError, match="line 3"):
        check_list(path)


def test_a_row_that_is_there_twice_is_refused(path):
    path.write_text(HEADER + GOOD + GOOD.replace("/b.jpg", "/c.jpg"))
    with pytest.raises(UsageError, match=r"/a\.jpg twice"):
        check_list(path)


def test_a_list_that_would_delete_a_keeper_is_refused(path):
    path.write_text(HEADER + GOOD + GOOD.replace("/b.jpg", "/c.jpg").replace("/a.jpg", "/b.jpg"))
    with pytest.raises(UsageError, match=r"would delete a keeper: /b\.jpg"):
        check_list(path)


def test_a_list_that_is_not_there_is_named(path):
    for wrong in (path, path.parent):
        with pytest.raises(UsageError, match=str(wrong)):
            check_list(wrong)
