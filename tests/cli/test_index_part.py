"""`dedup index` of a part of a source, and what it says of the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.helpers import Dedup, fill_gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    fill_gallery(tmp_path / "gallery")
    return tmp_path / "gallery"


def test_what_is_left_out_is_counted_and_stays_in_the_index(dedup: Dedup, gallery: Path) -> None:
    count = len(list(gallery.iterdir()))
    said = dedup("index", gallery, "--exclude", "*-jpeg.jpg", "--exclude", "rocket*").must_succeed()
    assert "3 left out by --include and --exclude" in said.out
    assert "in the index as they were" not in said.out
    dedup("index", gallery).must_succeed()
    os.utime(gallery / "rocket.jpg", (1.0, 1.0))
    said = dedup("index", gallery, "--include", "chelsea*").must_succeed()
    assert f"{count - 2} left out by --include and --exclude" in said.out
    assert f"{count - 2} files of those left out stay in the index as they were" in said.out
    assert "1 of them changed since" in said.out
    assert "gone" not in said.out


def test_a_date_reads_only_what_is_newer(dedup: Dedup, gallery: Path) -> None:
    for path in gallery.iterdir():
        os.utime(path, (1e9, 1e9))
    os.utime(gallery / "rocket.jpg")
    said = dedup("index", gallery, "--since", "2020-01-01").must_succeed()
    assert f"{len(list(gallery.iterdir())) - 1} left out by --since" in said.out
    assert "1 new" in said.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--include", "*.jpeg"], 3, "passes --include and --exclude"),
        (["--exclude", "a//b"], 2, "can match no name"),
        (["--since", "soon"], 2, "2024-05-31"),
    ],
)
def test_a_part_that_cannot_be_is_refused(
    dedup: Dedup, gallery: Path, arguments: list[str], code: int, said: str
) -> None:
    dedup("index", gallery, *arguments).must_fail(code, said)


def test_a_source_named_within_another_is_said_to_be_part_of_it(
    dedup: Dedup, gallery: Path
) -> None:
    (gallery / "inner").mkdir()
    (gallery / "rocket.jpg").rename(gallery / "inner" / "rocket.jpg")
    said = dedup("index", gallery, gallery / "inner").must_succeed()
    assert f"listed as part of another source: {gallery / 'inner'}" in said.out
