"""Files under several names: what is offered for deletion may be deleted without losing a picture.

The lists are carried out here, on real files: afterwards every file that was to stay still opens
with the bytes it had, and every photograph is still there.
"""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.helpers import Dedup, photograph, read_csv


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs under hard links, symbolic links, copies, and a copy saved again."""
    base = tmp_path / "photos"
    (base / "deep" / "er").mkdir(parents=True)
    shutil.copyfile(photograph("coffee.png"), base / "deep" / "coffee.png")
    os.link(base / "deep" / "coffee.png", base / "c.png")
    (base / "a link.png").symlink_to(base / "deep" / "coffee.png")
    (base / "link to the link.png").symlink_to(base / "a link.png")
    shutil.copyfile(photograph("coffee.png"), base / "deep" / "er" / "true copy.png")
    # The original is a link's target and has the longest name; its copies come first by name.
    target = base / "deep" / "er" / "the original with a rather long name.png"
    shutil.copyfile(photograph("chelsea.png"), target)
    (base / "b.png").symlink_to(target)
    with Image.open(photograph("chelsea.png")) as chelsea:
        chelsea.convert("RGB").save(base / "chelsea.jpg", quality=80)
    (base / "chelsea link.jpg").symlink_to(base / "chelsea.jpg")
    with Image.open(photograph("chelsea.png")) as chelsea:
        half = chelsea.convert("RGB").resize((chelsea.width // 2, chelsea.height // 2))
        half.save(base / "half.jpg", quality=80)
    (base / "broken.jpg").symlink_to(base / "nowhere.jpg")
    return base


def _carry_out(out: Path) -> tuple[set[str], set[str]]:
    """Deletes what is to be deleted; the names of what is gone and of what was to stay."""
    kept = {row["path"]: "" for row in read_csv(out / "keep.csv")}
    before = {path: sha256(Path(path).read_bytes()).hexdigest() for path in kept}
    deleted = read_csv(out / "delete.csv")
    for row in deleted:
        assert row["keep"] in kept
        Path(row["path"]).unlink()
    after = {path: sha256(Path(path).read_bytes()).hexdigest() for path in kept}
    assert after == before
    return {Path(row["path"]).name for row in deleted}, {Path(path).name for path in kept}


def test_deleting_what_is_offered_breaks_no_link_and_loses_no_photograph(
    dedup: Dedup, folder: Path, tmp_path: Path
) -> None:
    index, out = tmp_path / "index", tmp_path / "lists"
    dedup("index", folder, "--index", index).must_succeed()
    dedup("resolve", "--index", index, "--out", out).must_succeed()
    gone, stays = _carry_out(out)
    assert gone == {"true copy.png", "half.jpg"}
    # Also a lesser copy stays when it has two names: deleting one of them would free nothing.
    assert {"chelsea.jpg", "chelsea link.jpg"} <= stays
    assert [Path(row["path"]).name for row in read_csv(out / "unreadable.csv")] == ["broken.jpg"]


def test_a_file_that_two_sources_list_is_one_file(
    dedup: Dedup, folder: Path, tmp_path: Path
) -> None:
    index, out = tmp_path / "index", tmp_path / "lists"
    (tmp_path / "by another name").symlink_to(folder)
    sources = (folder, folder / "deep", tmp_path / "by another name")
    for source in sources:
        dedup("index", source, "--index", index).must_succeed()
    dedup("index", *sources, "--index", index).must_succeed()
    dedup("resolve", "--index", index, "--out", out).must_succeed()
    lists = [read_csv(out / name) for name in ("keep.csv", "delete.csv", "unreadable.csv")]
    listed = [row["path"] for rows in lists for row in rows]
    files = [str(path) for path in folder.rglob("*") if not path.is_dir()]
    assert sorted(listed) == sorted(files)
    gone, _ = _carry_out(out)
    assert gone == {"true copy.png", "half.jpg"}
