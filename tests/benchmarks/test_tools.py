"""The compared tools do what their own packages do, at their own defaults."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.accuracy.pairs import ScoredPairs
from benchmarks.accuracy.tools import TOOLS
from benchmarks.accuracy.tools.base import ComparedTool, ToolUnavailable
from benchmarks.accuracy.tools.imagededup_phash import ImagededupPhash
from benchmarks.accuracy.tools.whash import Whash
from benchmarks.evaluation_set.photographs import bundled

CUP, CAT, SMALL_CUP, BROKEN, GREY_CUP = range(5)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A cup, a cat, the cup at half size, a file that is no picture, the cup in grey."""
    folder = tmp_path_factory.mktemp("pictures")
    with Image.open(bundled("coffee.png")) as image:
        cup = image.convert("RGB")
    small = cup.resize((cup.width // 2, cup.height // 2), Image.Resampling.LANCZOS)
    small.save(folder / "small.jpg", quality=80)
    (folder / "broken.jpg").write_bytes(b"no picture")
    cup.convert("L").save(folder / "grey.png")
    return [
        bundled("coffee.png"),
        bundled("chelsea.png"),
        folder / "small.jpg",
        folder / "broken.jpg",
        folder / "grey.png",
    ]


def matches(pairs: ScoredPairs) -> set[tuple[int, int]]:
    return {
        (int(a), int(b))
        for a, b, is_match in zip(pairs.first, pairs.second, pairs.is_match, strict=True)
        if is_match
    }


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_matches_the_copies_and_nothing_else(tool: ComparedTool, files: list[Path]) -> None:
    try:
        pairs = tool.pairs(files)
    except ToolUnavailable as why:
        pytest.skip(str(why))
    assert matches(pairs) == {(CUP, SMALL_CUP), (CUP, GREY_CUP), (SMALL_CUP, GREY_CUP)}


def test_a_tool_that_is_not_here_says_what_to_install() -> None:
    for tool in TOOLS:
        try:
            tool.pairs([])
        except ToolUnavailable as error:
            assert "not installed" in error.message or "not on this machine" in error.message
            assert error.remedy


def test_whash_scores_are_the_distances_of_imagehash(files: list[Path]) -> None:
    import imagehash

    pairs = Whash().pairs(files)
    with Image.open(files[CUP]) as cup, Image.open(files[SMALL_CUP]) as small:
        distance = imagehash.whash(cup) - imagehash.whash(small)
    row = [*zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)].index((CUP, SMALL_CUP))
    assert pairs.score[row] == pytest.approx(1 - distance / 64)


def test_phash_matches_are_those_of_find_duplicates(files: list[Path]) -> None:
    methods = pytest.importorskip("imagededup.methods")
    encoder = methods.PHash(verbose=False)
    encodings = {
        str(place): encoder.encode_image(image_file=path)
        for place, path in enumerate(files)
        if place != BROKEN
    }
    theirs = encoder.find_duplicates(encoding_map=encodings, search_method="brute_force")
    expected = {(int(a), int(b)) for a, others in theirs.items() for b in others if int(a) < int(b)}
    assert matches(ImagededupPhash().pairs(files)) == expected
