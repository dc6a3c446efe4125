"""`dedup info`, `dedup models` and `dedup doctor`."""

from __future__ import annotations

import json
import re
from pathlib import Path

from storage.errors import ExitCode
from tests.cli.helpers import Dedup, IndexedGallery


def test_info_says_what_an_index_holds(dedup: Dedup, indexed: IndexedGallery) -> None:
    told = json.loads(dedup("info", "--index", indexed.index, "--json").must_succeed().out)
    assert (told["blobs"], told["indexed"], told["unreadable"], told["images"]) == (10, 9, 1, 8)
    assert told["sources"] == {str(indexed.folder): 10}
    assert told["parameters"]["models"][0]["name"] == "efficientnet_lite0"
    assert {entry["images"] for entry in told["search"]} == {8}
    assert told["last_run"]["counts"]["new_images"] == 8
    assert told["preview_bytes"] >= 8 * 4096


def test_info_in_words(dedup: Dedup, indexed: IndexedGallery) -> None:
    out = dedup("info", "--index", indexed.index).must_succeed().out
    assert "10: 9 indexed, 1 unreadable" in out
    assert "efficientnet_lite0: 1280 dimensions, 224 px, torch-cpu-f32" in out
    assert re.search(r"previews +640 px, [\d.]+ [kM]B an image", out)


def test_models_lists_embedders_and_matchers_with_their_weights(dedup: Dedup) -> None:
    models = {model["name"]: model for model in json.loads(dedup("models", "--json").out)}
    default = models["efficientnet_lite0"]
    assert default["is_available"]
    assert default["fingerprint_ok"]
    assert models["efficientnet_b7"]["dimension"] == 2560
    assert models["orb"]["kind"] == "matcher"
    assert all(model["licence"] for model in models.values())


def test_fetching_puts_the_weights_where_they_are_wanted(dedup: Dedup, tmp_path: Path) -> None:
    target = tmp_path / "weights.pth"
    dedup("models", "fetch", "efficientnet_lite0", "--to", target).must_succeed()
    assert target.stat().st_size > 10_000_000
    out = dedup("models", "fetch", "xfeat", "--to", tmp_path / "folder").must_succeed().out
    assert Path(out.strip()).is_file()


def test_the_doctor_is_content_here_and_names_a_source_it_cannot_reach(
    dedup: Dedup, indexed: IndexedGallery, tmp_path: Path
) -> None:
    outcome = dedup("doctor", indexed.folder, tmp_path / "nowhere", "--json")
    assert outcome.code == ExitCode.SOURCE
    told = json.loads(outcome.out)
    failed = [finding for finding in told["findings"] if finding["health"] == "FAILED"]
    assert not told["ready"]
    assert [finding["subject"] for finding in failed] == ["source"]
    assert "nowhere" in failed[0]["detail"]
    subjects = {finding["subject"] for finding in told["findings"]}
    assert {"python", "packages", "gpu", "model", "matcher", "disk", "catalog"} <= subjects
