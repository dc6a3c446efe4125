"""RAW files and their JPEGs, through the whole program."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from benchmarks.hostile.raws import make_dng
from indexer.raw import can_read_raw
from tests.cli.helpers import Dedup, photograph

_needs_rawpy = pytest.mark.skipif(
    not can_read_raw(), reason="rawpy is not installed here; it is in requirements.lock"
)


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Two shots of RAW+JPEG, a JPEG alone, and a smaller copy of a JPEG."""
    folder = tmp_path / "shots"
    folder.mkdir()
    for number, name in enumerate(("chelsea.png", "coffee.png")):
        with Image.open(photograph(name)) as opened:
            picture = opened.convert("RGB")
        picture.save(folder / f"IMG_{number}.JPG", quality=95)
        raw = make_dng(picture, seed=number)
        (folder / f"IMG_{number}.DNG").write_bytes(raw)
    with Image.open(photograph("astronaut.png")) as opened:
        opened.convert("RGB").save(folder / "alone.jpg", quality=95)
    half = ImageOps.scale(Image.open(folder / "IMG_0.JPG"), 0.6)
    half.save(folder / "small.jpg", quality=90)
    return folder


def deleted(dedup: Dedup, tmp_path: Path, *options: str) -> dict[str, str]:
    out = tmp_path / "lists"
    dedup("resolve", "--index", tmp_path / "index", "--out", out, *options).must_succeed()
    with (out / "delete.csv").open(newline="") as file:
        return {Path(row["path"]).name: Path(row["keep"]).name for row in csv.DictReader(file)}


@_needs_rawpy
def test_raw_and_jpeg_stay_unless_one_is_asked_for(
    dedup: Dedup, shots: Path, tmp_path: Path
) -> None:
    found = dedup("index", shots, "--index", tmp_path / "index", "--json").must_succeed()
    assert json.loads(found.out)["new_images"] == 6
    small = {"small.jpg": "IMG_0.JPG"}
    assert deleted(dedup, tmp_path) == small
    raws = {"IMG_0.DNG": "IMG_0.JPG", "IMG_1.DNG": "IMG_1.JPG"}
    assert deleted(dedup, tmp_path, "--raw-pairs", "jpeg") == small | raws
    # IMG_0.JPG stands for the smaller one.
    assert deleted(dedup, tmp_path, "--raw-pairs", "raw") == small | {"IMG_1.JPG": "IMG_1.DNG"}
