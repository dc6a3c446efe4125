"""Files as the world makes them, through the whole program: index, resolve, lists."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from benchmarks.hostile import damaged
from benchmarks.hostile.variants import (
    SEVERAL_FRAMES,
    VARIANTS,
    cut_out,
    encode,
    few_colours,
    grey_with_alpha,
    misleading_thumbnail,
    paged,
)
from benchmarks.hostile.zoo import PICTURE, UNREADABLE, make_zoo
from tests.cli.helpers import dedup_process, photograph

ARITHMETIC = Path(__file__).parents[1] / "data" / "chelsea-arithmetic.jpg"


def picture(name: str) -> Image.Image:
    with Image.open(photograph(name)) as opened:
        return opened.convert("RGB")


def lists_of(base: Path) -> Mapping[str, list[dict[str, str]]]:
    """Indexes base/pictures and resolves; the rows of each list."""
    dedup_process(["index", "pictures", "--index", "index"], cwd=base).must_succeed()
    dedup_process(["resolve", "--index", "index", "--out", "lists"], cwd=base).must_succeed()
    found = {}
    for name in ("keep", "delete", "unreadable"):
        path = base / "lists" / f"{name}.csv"
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            found[name] = list(csv.DictReader(file))
    return found


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """For each folder of the pictures below, the names that were found to be one picture with
    `original`. `alone` has those that no group has."""
    base = tmp_path_factory.mktemp("matrix")
    chelsea, coffee = picture("chelsea.png"), picture("coffee.png").resize((480, 320))
    few, grey = few_colours(coffee), picture("camera.png").convert("L")
    files: dict[str, dict[str, bytes]] = {
        "colour": {name: make(chelsea) for name, make in VARIANTS.items() if name not in FEW}
        | {"jpeg-arithmetic": ARITHMETIC.read_bytes(), "original": encode(chelsea, "PNG")},
        "few": {name: VARIANTS[name](coffee) for name in FEW}
        | {"original": encode(few.convert("RGB"), "PNG")},
        "grey": {"grey-alpha": grey_with_alpha(grey), "original": encode(grey, "PNG")},
        "apart": apart(picture("astronaut.png").resize((400, 400)), picture("rocket.jpg")),
    }
    for folder, contents in files.items():
        (base / "pictures" / folder).mkdir(parents=True)
        for name, content in contents.items():
            # The names say nothing of what is in them.
            (base / "pictures" / folder / f"{name}.jpg").write_bytes(content)
    lists = lists_of(base)
    assert lists["unreadable"] == []
    keeper = {row["path"]: row["keep"] for row in lists["delete"]}
    together: dict[str, set[str]] = {"alone": set()}
    for folder, contents in files.items():
        paths = {name: str(base / "pictures" / folder / f"{name}.jpg") for name in contents}
        stays = {name: keeper.get(path, path) for name, path in paths.items()}
        together[folder] = {
            name for name in stays if stays[name] == stays.get("original") and name != "original"
        }
        in_a_group = set(keeper) | set(keeper.values())
        together["alone"] |= {name for name, path in paths.items() if path not in in_a_group}
    shutil.rmtree(base)
    return together


FEW = ("png-palette", "gif")


def apart(one: Image.Image, other: Image.Image) -> dict[str, bytes]:
    """Pictures that are equal in what a careless reader looks at, and differ in what it loses."""
    circle, cross = Image.new("L", (400, 400)), Image.new("L", (400, 400))
    ImageDraw.Draw(circle).ellipse((60, 60, 340, 340), fill=255)
    ImageDraw.Draw(cross).rectangle((0, 170, 400, 230), fill=255)
    ImageDraw.Draw(cross).rectangle((170, 0, 230, 400), fill=255)
    still = [Image.new("RGB", one.size, colour) for colour in ("white", "black")]
    return {
        "behind-a-circle": cut_out(circle, one),
        "behind-a-cross": cut_out(cross, one),
        "film-of-white": encode(one, "GIF", save_all=True, append_images=still[:1]),
        "film-of-black": encode(one, "GIF", save_all=True, append_images=still[1:]),
        "pages": paged("TIFF", {}, one),
        "thumbnail-of-green": misleading_thumbnail(other),
    }


@pytest.mark.parametrize(
    "name", sorted((set(VARIANTS) | {"jpeg-arithmetic"}) - SEVERAL_FRAMES - set(FEW))
)
def test_a_variant_is_a_copy_of_its_upright_srgb_original(matrix: dict[str, set[str]], name: str):
    assert name in matrix["colour"]


@pytest.mark.parametrize("name", FEW)
def test_a_palette_is_a_copy_of_the_same_few_colours(matrix: dict[str, set[str]], name: str):
    assert name in matrix["few"]


def test_grey_with_alpha_is_a_copy_of_the_grey(matrix: dict[str, set[str]]):
    assert matrix["grey"] == {"grey-alpha"}


@pytest.mark.parametrize("name", sorted(SEVERAL_FRAMES))
def test_what_has_more_frames_or_pages_stays_beside_the_picture(
    matrix: dict[str, set[str]], name: str
):
    assert name in matrix["alone"]


def test_pictures_that_differ_in_what_others_lose_stay_apart(matrix: dict[str, set[str]]):
    assert set(apart(picture("astronaut.png"), picture("rocket.jpg"))) <= matrix["alone"]


def test_every_odd_file_is_accounted_for_and_the_lists_are_safe_to_open(tmp_path: Path):
    small = picture("chelsea.png").resize((200, 133))
    expected = make_zoo(tmp_path / "pictures", small)
    lists = lists_of(tmp_path)
    root = os.fsencode(tmp_path / "pictures") + b"/"
    found = {
        os.fsencode(row["path"]).removeprefix(root): (
            UNREADABLE if name == "unreadable" else PICTURE
        )
        for name, rows in lists.items()
        for row in rows
    }
    assert found == {name: what for name, what in expected.items() if what in (PICTURE, UNREADABLE)}
    assert all(row["reason"] for row in lists["unreadable"])
    # A spreadsheet takes a cell for a formula by its first letter.
    cells = [cell for rows in lists.values() for row in rows for cell in row.values()]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    page = (tmp_path / "lists" / "report.html").read_text("utf-8", "surrogateescape")
    assert "<img src=x onerror" not in page
    assert "\x1b" not in page
    for line in (tmp_path / "lists" / "groups.jsonl").read_bytes().splitlines():
        json.loads(line)


def test_damaged_files_are_all_accounted_for(tmp_path: Path):
    outcome = damaged.measure(120, tmp_path, seed=3, timeout=20.0)
    assert outcome.faults_found() == []
    assert outcome.indexed > 0
    assert set(outcome.by_damage) == set(damaged.MUTATIONS)
