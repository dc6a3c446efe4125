"""The main job, on real photographs: index, resolve, query."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from tests.cli.helpers import (
    PHOTOGRAPHS,
    Dedup,
    IndexedGallery,
    crop_of,
    dedup_process,
    fill_gallery,
    photograph,
    read_csv,
)


@pytest.fixture(scope="module")
def lists(indexed: IndexedGallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `dedup resolve` wrote for the gallery."""
    out = tmp_path_factory.mktemp("lists") / "out"
    own = tmp_path_factory.mktemp("lists-index") / "index"
    shutil.copytree(indexed.index, own)
    outcome = dedup_process(["resolve", "--index", own, "--out", out, "--json"], cwd=out.parent)
    json.loads(outcome.must_succeed().out)
    return out


def _names(rows: list[dict[str, str]]) -> set[str]:
    return {Path(row["path"]).name for row in rows}


def test_every_file_is_in_exactly_one_list(indexed: IndexedGallery, lists: Path) -> None:
    keep, delete = read_csv(lists / "keep.csv"), read_csv(lists / "delete.csv")
    unreadable = read_csv(lists / "unreadable.csv")
    listed = [row["path"] for row in keep + delete + unreadable]
    assert sorted(listed) == sorted(str(path) for path in indexed.folder.iterdir())


def test_a_later_resolve_searches_for_what_is_new_and_lists_everything(
    indexed: IndexedGallery, lists: Path, tmp_path: Path
) -> None:
    own, out, more = tmp_path / "index", tmp_path / "out", tmp_path / "more"
    shutil.copytree(indexed.index, own)
    resolve = ["resolve", "--index", own, "--out", out, "--json"]
    first = json.loads(dedup_process(resolve, cwd=tmp_path).must_succeed().out)
    assert first["images_resolved_before"] == 0
    more.mkdir()
    shutil.copy(photograph("coffee.png"), more / "coffee-elsewhere.png")
    crop_of(photograph("chelsea.png"), 0.8).save(more / "chelsea-crop.jpg", quality=90)
    dedup_process(["index", more, "--index", own, "-q"], cwd=tmp_path).must_succeed()
    later = json.loads(dedup_process(resolve, cwd=tmp_path).must_succeed().out)
    assert later["images"] == first["images"] + 1
    assert later["images_resolved_before"] == first["images"]
    assert 0 < later["verification"]["verdicts"] < first["verification"]["verdicts"]
    before, after = (read_csv(folder / "delete.csv") for folder in (lists, out))
    assert _names(after) - _names(before) == {"coffee-elsewhere.png", "chelsea-crop.jpg"}
    assert _names(before) <= _names(after)


def test_copies_are_deleted_for_their_originals(lists: Path) -> None:
    rows = read_csv(lists / "delete.csv")
    pairs = {Path(row["path"]).name: Path(row["keep"]).name for row in rows}
    assert pairs["chelsea-jpeg.jpg"] == "chelsea.png"
    assert pairs["coffee-half.jpg"] == "coffee.png"
    assert pairs["coffee-flip.jpg"] == "coffee.png"
    assert pairs["astronaut-crop.jpg"] == "astronaut.png"
    assert {pairs.get("rocket.jpg"), pairs.get("rocket-again.jpg")} - {None} <= {
        "rocket.jpg",
        "rocket-again.jpg",
    }
    relations = {Path(row["path"]).name: row["relation"] for row in rows}
    assert relations["coffee-flip.jpg"] == "flipped"
    assert relations["astronaut-crop.jpg"] == "cropped"
    assert all(0.0 < float(row["score"]) <= 1.0 for row in rows)


def test_unrelated_photographs_all_stay(lists: Path) -> None:
    kept = _names(read_csv(lists / "keep.csv"))
    assert {"astronaut.png", "chelsea.png", "coffee.png"} <= kept
    assert len(kept) == len(PHOTOGRAPHS)
    assert all(row["reason"] for row in read_csv(lists / "keep.csv"))


def test_a_file_that_is_no_image_is_listed_with_its_reason(lists: Path) -> None:
    (row,) = read_csv(lists / "unreadable.csv")
    assert Path(row["path"]).name == "notes.jpg"
    assert row["reason"]


def test_the_report_and_the_summary_are_there(lists: Path) -> None:
    assert "<html" in (lists / "report.html").read_text(encoding="utf-8")
    assert json.loads((lists / "summary.json").read_text())
    groups = [json.loads(line) for line in (lists / "groups.jsonl").read_text().splitlines()]
    assert len(groups) == 4


def test_a_second_index_reads_nothing_and_a_second_resolve_says_the_same(
    dedup: Dedup, own_index: IndexedGallery, lists: Path, tmp_path: Path
) -> None:
    report = json.loads(
        dedup("index", own_index.folder, "--index", own_index.index, "--json").must_succeed().out
    )
    assert report["bytes_read"] == 0
    out = tmp_path / "again"
    dedup("resolve", "--index", own_index.index, "--out", out).must_succeed()
    for name in ("keep.csv", "delete.csv", "unreadable.csv"):
        assert (out / name).read_bytes() == (lists / name).read_bytes()


def test_a_query_with_a_crop_of_60_percent_finds_the_original_first_verified(
    dedup: Dedup, indexed: IndexedGallery, tmp_path: Path
) -> None:
    crop_of(photograph("rocket.jpg"), 0.6).save(tmp_path / "crop.jpg", quality=90)
    outcome = dedup("query", tmp_path / "crop.jpg", "--index", indexed.index, "--json")
    (answer,) = json.loads(outcome.must_succeed().out)
    first = answer["matches"][0]
    assert {Path(uri).name for uri in first["uris"]} == {"rocket.jpg", "rocket-again.jpg"}
    assert first["relation"] in ("cropped", "edited")
    assert "36 %" in first["reason"]
    assert first["score"] > 0.5
    assert "shows" in first["transform"]


def test_a_query_from_standard_input_prints_a_table(dedup: Dedup, indexed: IndexedGallery) -> None:
    content = photograph("chelsea.png").read_bytes()
    outcome = dedup("query", "-", "--index", indexed.index, "--top", "2", stdin=content)
    lines = outcome.must_succeed().out.splitlines()
    assert lines[0].split()[:2] == ["verdict", "score"]
    assert lines[1].startswith("exact")
    assert "chelsea.png" in lines[1]
    assert len(lines) == 3


def test_a_query_without_verification_ranks_by_the_descriptors(
    dedup: Dedup, indexed: IndexedGallery
) -> None:
    outcome = dedup(
        "query", photograph("coffee.png"), "--index", indexed.index, "--no-verify", "--json"
    )
    (answer,) = json.loads(outcome.must_succeed().out)
    assert Path(answer["matches"][0]["uris"][0]).name == "coffee.png"
    assert {match["relation"] for match in answer["matches"]} == {""}


def test_the_same_pictures_in_azure_give_the_same_lists(
    dedup: Dedup, azurite: str, lists: Path, tmp_path: Path
) -> None:
    fill_gallery(tmp_path / "gallery")
    service = BlobServiceClient.from_connection_string(azurite)
    container = service.create_container("endtoend")
    for path in sorted((tmp_path / "gallery").iterdir()):
        container.upload_blob(f"2024/{path.name}", path.read_bytes())
    secret = {"AZURE_STORAGE_CONNECTION_STRING": azurite}
    index, out = tmp_path / "index", tmp_path / "out"
    dedup("index", "az://endtoend/2024", "--index", index, **secret).must_succeed()
    dedup("resolve", "--index", index, "--out", out).must_succeed()

    def by_name(folder: Path, name: str) -> list[tuple[str, ...]]:
        return sorted(
            tuple(Path(text).name if key in ("path", "keep") else text for key, text in row.items())
            for row in read_csv(folder / name)
        )

    for name in ("keep.csv", "delete.csv", "unreadable.csv"):
        assert by_name(out, name) == by_name(lists, name)
    uri = read_csv(out / "delete.csv")[0]["path"]
    assert uri.startswith("az://devstoreaccount1/endtoend/2024/")

    outcome = dedup("query", uri, "--index", index, "--json", **secret)
    (answer,) = json.loads(outcome.must_succeed().out)
    assert uri in answer["matches"][0]["uris"]
    assert answer["matches"][0]["relation"] == "exact"
