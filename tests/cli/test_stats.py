"""`dedup stats` and the picture it draws."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.helpers import Dedup, IndexedGallery


@pytest.fixture
def lists(dedup: Dedup, indexed: IndexedGallery, tmp_path: Path) -> Path:
    dedup("resolve", "--index", indexed.index, "--out", tmp_path / "lists", "-q").must_succeed()
    return tmp_path / "lists"


def test_counts_add_up_and_copies_are_those_of_the_lists(
    dedup: Dedup, indexed: IndexedGallery, lists: Path
) -> None:
    said = dedup("stats", "--index", indexed.index, "--lists", lists, "--json").must_succeed()
    found = json.loads(said.out)
    assert (found["files"], found["images"], found["unreadable"]) == (10, 8, 1)
    assert found["duplicates"] == sum(month["duplicates"] for month in found["months"]) == 5
    assert sum(found["formats"].values()) == sum(found["pixels"]) == 8
    assert sum(found["file_bytes"]) == sum(month["files"] for month in found["months"]) == 10
    assert found["bytes"] == sum(path.stat().st_size for path in indexed.folder.iterdir())
    assert found["embedding_map"]["is_copy"].count(True) == 4


def test_on_the_map_a_copy_lies_beside_its_original(
    dedup: Dedup, indexed: IndexedGallery, lists: Path
) -> None:
    said = dedup("stats", "--index", indexed.index, "--lists", lists, "--json").must_succeed()
    found = json.loads(said.out)["embedding_map"]
    points = np.array(found["points"])
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    is_copy = np.array(found["is_copy"])
    assert (distances[is_copy].min(axis=1) < 0.1 * distances[np.isfinite(distances)].max()).all()


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_picture_is_one_and_the_same_each_time(
    dedup: Dedup, indexed: IndexedGallery, tmp_path: Path, kind: str
) -> None:
    paths = [tmp_path / f"{name}.{kind}" for name in "ab"]
    for path in paths:
        dedup("stats", "--index", indexed.index, "--plot", path).must_succeed()
    if kind == "png":
        with Image.open(paths[0]) as drawn, Image.open(paths[1]) as again:
            assert drawn.size == (1440, 1200)
            assert np.array_equal(np.asarray(drawn), np.asarray(again))
            assert len(np.unique(np.asarray(drawn.convert("L")))) > 20
    else:
        assert ET.parse(paths[0]).getroot().tag.endswith("svg")


def test_a_picture_of_another_kind_is_one_line(
    dedup: Dedup, indexed: IndexedGallery, tmp_path: Path
) -> None:
    dedup("stats", "--index", indexed.index, "--plot", tmp_path / "a.gif").must_fail(2, ".svg")
    dedup("stats", "--index", indexed.index, "--plot", tmp_path / "no" / "a.png").must_fail(
        2, "cannot be written"
    )
