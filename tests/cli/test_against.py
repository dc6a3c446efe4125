"""`dedup resolve --against`, on real photographs and real indexes."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from storage.catalog import Catalog
from storage.errors import ExitCode
from storage.index_directory import IndexDirectory
from tests.cli.helpers import Dedup, IndexedGallery, crop_of, dedup_process, photograph, read_csv


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory: pytest.TempPathFactory) -> IndexedGallery:
    """New: copies of some of the gallery's pictures, two of another picture, and no image."""
    base = tmp_path_factory.mktemp("arrivals")
    new = IndexedGallery(base / "new", base / "index")
    new.folder.mkdir()
    shutil.copyfile(photograph("chelsea.png"), new.folder / "same-bytes.png")
    with Image.open(photograph("coffee.png")) as coffee:
        turned = coffee.convert("RGB").rotate(90, expand=True)
        turned.save(new.folder / "coffee-turned.jpg", quality=85)
    crop_of(photograph("rocket.jpg"), 0.7).save(new.folder / "rocket-crop.jpg", quality=88)
    shutil.copyfile(photograph("camera.png"), new.folder / "camera.png")
    with Image.open(photograph("camera.png")) as camera:
        camera.save(new.folder / "camera-jpeg.jpg", quality=80)
    (new.folder / "broken.jpg").write_text("not a picture")
    dedup_process(["index", new.folder, "--index", new.index], cwd=base).must_succeed()
    return new


@pytest.fixture
def own_arrivals(arrivals: IndexedGallery, tmp_path: Path) -> IndexedGallery:
    """A copy of the index above, to store verdicts in."""
    shutil.copytree(arrivals.index, tmp_path / "arrivals")
    return IndexedGallery(arrivals.folder, tmp_path / "arrivals")


def _contents(index: Path) -> dict[str, bytes]:
    """Every file of an index but the one in which LMDB's readers sign in."""
    return {
        str(path.relative_to(index)): path.read_bytes()
        for path in sorted(index.rglob("*"))
        if path.is_file() and path.name != "lock.mdb"
    }


@pytest.mark.parametrize("workers", ["1", "2"])
def test_copies_of_the_references_images_go_and_the_rest_is_resolved_as_usual(
    own_arrivals: IndexedGallery, indexed: IndexedGallery, tmp_path: Path, workers: str
) -> None:
    before, out = _contents(indexed.index), tmp_path / "lists"
    command = ["resolve", "--index", own_arrivals.index, "--against", indexed.index]
    outcome = dedup_process(
        [*command, "--out", out, "--workers", workers], cwd=tmp_path
    ).must_succeed()
    deleted = {Path(row["path"]).name: row["keep"] for row in read_csv(out / "delete.csv")}
    reference, own = str(indexed.folder), str(own_arrivals.folder)
    assert deleted.pop("rocket-crop.jpg") in (
        f"{reference}/rocket.jpg",
        f"{reference}/rocket-again.jpg",
    )
    assert deleted == {
        "same-bytes.png": f"{reference}/chelsea.png",
        "coffee-turned.jpg": f"{reference}/coffee.png",
        "camera-jpeg.jpg": f"{own}/camera.png",
    }
    assert [row["path"] for row in read_csv(out / "keep.csv")] == [f"{own}/camera.png"]
    assert [row["path"] for row in read_csv(out / "unreadable.csv")] == [f"{own}/broken.jpg"]
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["blobs"], summary["groups"], summary["reference_keepers"]) == (6, 4, 3)
    assert summary["options"]["against"] == str(indexed.index.resolve())
    assert "3 groups with a keeper of the reference index" in outcome.out
    cost = next(line for line in outcome.out.splitlines() if line.startswith("new verdicts: "))
    verification = summary["verification"]
    printed = re.match(r"new verdicts: ([\d.]+) pairs/s, ([\d.]+) ms of CPU time a pair: ", cost)
    assert printed is not None
    # Both are rounded, the one to thousandths and the other to tenths.
    assert [float(figure) for figure in printed.groups()] == pytest.approx(
        [verification["verdicts_per_second"], verification["cpu_ms_per_verdict"]], abs=0.051
    )
    ended = sum(stage["ended"] for stage in verification["stages"].values())
    assert ended == verification["verdicts"]
    assert set(summary["seconds"]) == {"search", "verify", "group", "write"}
    assert _contents(indexed.index) == before


def test_the_next_run_verifies_nothing_again(
    dedup: Dedup, own_arrivals: IndexedGallery, indexed: IndexedGallery, tmp_path: Path
) -> None:
    command = ["resolve", "--index", own_arrivals.index, "--against", indexed.index, "--json"]
    first = json.loads(dedup(*command, "--out", tmp_path / "1").must_succeed().out)
    second = json.loads(dedup(*command, "--out", tmp_path / "2").must_succeed().out)
    assert first["verification"]["verdicts"] >= 3
    assert second["verification"]["verdicts"] == 0
    for name in ("keep.csv", "delete.csv", "groups.jsonl"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_what_is_protected_stays_against_a_reference_too(
    dedup: Dedup, own_arrivals: IndexedGallery, indexed: IndexedGallery, tmp_path: Path
) -> None:
    out, safe = tmp_path / "lists", own_arrivals.folder / "same-bytes.png"
    dedup(
        "resolve", "--index", own_arrivals.index, "--against", indexed.index, "--out", out,
        "--protect", safe,
    ).must_succeed()  # fmt: skip
    assert str(safe) in {row["path"] for row in read_csv(out / "keep.csv")}
    deleted = {Path(row["path"]).name for row in read_csv(out / "delete.csv")}
    assert deleted == {"coffee-turned.jpg", "rocket-crop.jpg", "camera-jpeg.jpg"}


def test_a_reference_of_a_part_of_the_same_folder_keeps_that_part(
    dedup: Dedup, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "originals").mkdir(parents=True)
    shutil.copyfile(photograph("coffee.png"), folder / "originals" / "coffee.png")
    shutil.copyfile(photograph("coffee.png"), folder / "coffee.png")
    with Image.open(photograph("coffee.png")) as coffee:
        coffee.convert("RGB").save(folder / "small name.jpg", quality=80)
    os.link(folder / "originals" / "coffee.png", folder / "hard link.png")
    (folder / "link.png").symlink_to(folder / "originals" / "coffee.png")
    dedup("index", folder, "--index", tmp_path / "all").must_succeed()
    dedup("index", folder / "originals", "--index", tmp_path / "part").must_succeed()
    out = tmp_path / "lists"
    dedup(
        "resolve", "--index", tmp_path / "all", "--against", tmp_path / "part", "--out", out
    ).must_succeed()
    original = str(folder / "originals" / "coffee.png")
    deleted = {row["path"]: row["keep"] for row in read_csv(out / "delete.csv")}
    assert deleted == {
        str(folder / "coffee.png"): original,
        str(folder / "small name.jpg"): original,
    }
    kept = {row["path"] for row in read_csv(out / "keep.csv")}
    assert kept == {original, str(folder / "hard link.png"), str(folder / "link.png")}


def test_an_index_is_not_resolved_against_itself(
    dedup: Dedup, own_index: IndexedGallery, tmp_path: Path
) -> None:
    link = tmp_path / "by another name"
    link.symlink_to(own_index.index)
    dedup(
        "resolve", "--index", own_index.index, "--against", link, "--out", tmp_path / "lists"
    ).must_fail(ExitCode.USAGE, "by another name", "--against")
    assert not (tmp_path / "lists" / "delete.csv").exists()


def test_a_reference_index_that_is_not_there(
    dedup: Dedup, own_index: IndexedGallery, tmp_path: Path
) -> None:
    dedup(
        "resolve",
        "--index",
        own_index.index,
        "--against",
        tmp_path / "none",
        "--out",
        tmp_path / "o",
    ).must_fail(ExitCode.INDEX, "none")


def test_a_reference_index_with_nothing_in_it(
    dedup: Dedup, own_index: IndexedGallery, tmp_path: Path
) -> None:
    empty = IndexDirectory.create(tmp_path / "empty")
    Catalog.open_writer(empty.catalog_path).close()
    dedup(
        "resolve", "--index", own_index.index, "--against", empty.path, "--out", tmp_path / "o"
    ).must_fail(ExitCode.INDEX, "empty", "holds no images")


def test_indexes_made_with_other_settings_are_refused_with_what_differs(
    dedup: Dedup, own_index: IndexedGallery, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    dedup("index", own_index.folder, "--index", other, "--preview-size", "320").must_succeed()
    dedup(
        "resolve", "--index", own_index.index, "--against", other, "--out", tmp_path / "o"
    ).must_fail(
        ExitCode.INDEX,
        f"preview size 640 in {own_index.index}, 320 in {other}",
    )


def test_a_file_that_has_changed_between_the_two_is_refused(dedup: Dedup, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copyfile(photograph("coffee.png"), folder / "a.png")
    dedup("index", folder, "--index", tmp_path / "before").must_succeed()
    shutil.copyfile(photograph("chelsea.png"), folder / "a.png")
    dedup("index", folder, "--index", tmp_path / "after").must_succeed()
    dedup(
        "resolve", "--index", tmp_path / "after", "--against", tmp_path / "before",
        "--out", tmp_path / "o",
    ).must_fail(ExitCode.INDEX, str(folder / "a.png"), "dedup index")  # fmt: skip


def test_a_reference_index_that_is_being_written_to_is_not_read(
    dedup: Dedup, own_index: IndexedGallery, own_arrivals: IndexedGallery, tmp_path: Path
) -> None:
    command = [
        "resolve", "--index", own_arrivals.index, "--against", own_index.index,
        "--out", tmp_path / "o",
    ]  # fmt: skip
    with IndexDirectory.open(own_index.index).write_lock():
        dedup(*command).must_fail(ExitCode.LOCKED, str(own_index.index))
    with IndexDirectory.open(own_index.index).read_lock():
        # Another reader is no hindrance, but a writer has to wait.
        dedup(*command).must_succeed()
        dedup("index", own_index.folder, "--index", own_index.index).must_fail(
            ExitCode.LOCKED, "is using the index", str(own_index.index)
        )
