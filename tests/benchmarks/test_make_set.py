"""Making an evaluation set, and reading its truth back."""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.evaluation_set.make_set import SetPlan, main, make_set
from benchmarks.evaluation_set.photographs import bundled, load, photographs_in
from benchmarks.evaluation_set.saving import FILE_EDITS, LOSSLESS
from benchmarks.evaluation_set.truth import (
    COLUMNS,
    TRUTH_FILE,
    Picture,
    Role,
    read_truth,
    write_truth,
)
from storage.errors import UsageError

NAMES = ("astronaut.png", "coffee.png", "rocket.jpg", "chelsea.png", "china.jpg", "flower.jpg")
PLAN = SetPlan(seed=5, originals=2, distractors=1, copies_per_original=8, instances=1)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six photographs, small, as JPEG."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in NAMES:
        with Image.open(bundled(name)) as image:
            small = image.convert("RGB")
        small.thumbnail((240, 240))
        small.save(folder / f"{Path(name).stem}.jpg", quality=92)
    return photographs_in(folder)


@pytest.fixture(scope="module")
def made(photographs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "set"
    make_set(photographs, out, PLAN)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_truth_names_every_file_once(made: Path) -> None:
    truth = [picture.path for picture in read_truth(made)]
    assert sorted([*truth, TRUTH_FILE]) == sorted(files(made))


def test_a_set_has_the_originals_copies_and_distractors_that_were_asked_for(made: Path) -> None:
    roles = [picture.role for picture in read_truth(made)]
    counts = (roles.count(Role.ORIGINAL), roles.count(Role.COPY), roles.count(Role.DISTRACTOR))
    assert counts == (2, 16, 1)


def test_originals_are_the_photographs_byte_for_byte(made: Path, photographs: list[Path]) -> None:
    known = {path.read_bytes() for path in photographs}
    originals = [p for p in read_truth(made) if p.role in (Role.ORIGINAL, Role.DISTRACTOR)]
    assert all((made / picture.path).read_bytes() in known for picture in originals)


def test_pictures_of_different_groups_never_have_the_same_bytes(made: Path) -> None:
    groups: dict[bytes, set[str]] = defaultdict(set)
    contents = files(made)
    for picture in read_truth(made):
        groups[contents[picture.path]].add(picture.group)
    assert all(len(one) == 1 for one in groups.values())


def test_every_lookalike_is_a_group_of_its_own(made: Path) -> None:
    lookalikes = [p.group for p in read_truth(made) if p.role is Role.LOOKALIKE]
    assert len(lookalikes) == len(set(lookalikes)) > 50


def test_the_same_seed_gives_the_same_set_and_another_seed_another(
    made: Path, photographs: list[Path], tmp_path: Path
) -> None:
    make_set(photographs, tmp_path / "again", PLAN)
    assert files(tmp_path / "again") == files(made)
    other = SetPlan(seed=6, originals=2, distractors=1, copies_per_original=8, instances=0)
    make_set(photographs, tmp_path / "other", other)
    assert not set(files(tmp_path / "other")) & (set(files(made)) - {TRUTH_FILE})


def test_families_that_find_no_photographs_are_named(
    photographs: list[Path], tmp_path: Path
) -> None:
    plan = SetPlan(originals=5, distractors=1, copies_per_original=0, instances=1, per_instance=2)
    summary = make_set(photographs, tmp_path / "set", plan)
    assert summary.left_out["panorama overlaps"] == 1
    families = {picture.family for picture in read_truth(tmp_path / "set")}
    assert "panorama overlaps" not in families
    assert "sheet music" in families


def test_the_command_says_what_it_made_and_what_it_left_out(
    photographs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--originals", "4", "--distractors", "2", "--copies-per-original", "1"]
    folder = photographs[0].parent
    assert main([str(folder), str(tmp_path / "set"), *arguments, "--instances", "1"]) == 0
    said = capsys.readouterr().out
    assert "copy: 4, distractor: 2" in said
    assert "left out for want of photographs: panorama overlaps" in said
    assert main([str(folder), str(tmp_path / "set"), *arguments]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_too_few_photographs_are_an_error_that_counts_them(
    photographs: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="9 photographs are needed and 6 are there"):
        make_set(photographs, tmp_path / "set", SetPlan(originals=5, distractors=4))


@pytest.mark.parametrize("count", [1, 6])
def test_more_pictures_per_instance_than_a_family_has_are_an_error(count: int) -> None:
    with pytest.raises(UsageError, match="Ask for 2 to 5"):
        SetPlan(per_instance=count)


def test_photographs_with_the_same_bytes_count_once_and_others_than_pictures_do_not(
    photographs: list[Path], tmp_path: Path
) -> None:
    for number in (1, 2):
        shutil.copy(photographs[0], tmp_path / f"{number}.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    assert photographs_in(tmp_path) == [tmp_path / "1.jpg"]


@pytest.mark.parametrize("name", FILE_EDITS)
def test_a_copy_that_differs_in_its_file_only_shows_the_same(
    name: str, photographs: list[Path], tmp_path: Path
) -> None:
    source = photographs[0]
    saved = FILE_EDITS[name](source, load(source), np.random.default_rng(0))
    path = tmp_path / f"copy{saved.suffix}"
    path.write_bytes(saved.content)
    difference = np.abs(load(path).astype(int) - load(source))
    assert difference.mean() < (20 if name.startswith("jpeg") else 5)
    assert (difference.max() == 0) == (name in LOSSLESS)


def test_truth_comes_back_as_it_was_written(tmp_path: Path) -> None:
    pictures = [
        Picture("a.jpg", "g1", Role.ORIGINAL, "original"),
        Picture("b, c.jpg", "g1", Role.COPY, "brighter, clipped"),
        Picture("d.png", "x", Role.LOOKALIKE, "lookalike:sheet music:0"),
    ]
    for picture in pictures:
        (tmp_path / picture.path).touch()
    write_truth(pictures, tmp_path)
    assert read_truth(tmp_path) == pictures
    assert [picture.family for picture in pictures] == ["", "", "sheet music"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a.jpg,g,original,original", "a.jpg,g,copy,grey"], "names a.jpg twice"),
        (["b.jpg,g,original,original"], "names b.jpg, which is not there"),
        (["a.jpg,g,twin,grey"], "Line 2 of .* has the role 'twin'"),
        (["a.jpg,g,lookalike,page"], "a look-alike's edit is lookalike:FAMILY:NUMBER"),
    ],
)
def test_damaged_truth_is_an_error_that_names_the_row(
    rows: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / TRUTH_FILE).write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    with pytest.raises(UsageError, match=said):
        read_truth(tmp_path)


def test_a_folder_without_truth_is_an_error_that_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no truth.csv.*make_set"):
        read_truth(tmp_path)
