"""What commands print with --json is what its schema says, and what docs/json.md explains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

from cli.json_outputs import OUTPUTS, PAGE, page
from storage.errors import ExitCode
from tests.cli.helpers import Dedup, IndexedGallery, fill_gallery
from tests.cli.test_repair import lose_a_preview


def closed(schema: Any) -> Any:
    """The same schema, where no object may have a field that is not explained."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    more = {"additionalProperties": False} if "properties" in schema else {}
    return {key: closed(part) for key, part in schema.items()} | more


def must_fit(name: str, printed: str) -> Any:
    """The one document in what was printed, held against the schema of that name."""
    told = json.loads(printed)
    schema = closed(OUTPUTS[name].schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(told)
    return told


def test_the_page_of_the_documentation_is_the_one_that_is_made_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m cli.json_outputs"


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_field_is_explained(name: str) -> None:
    for described in OUTPUTS[name].schema()["$defs"].values():
        assert described["description"]
        for field, schema in described["properties"].items():
            assert schema.get("description"), (described["description"], field)


def test_dedup_schema_prints_them(dedup: Dedup) -> None:
    listed = dedup("schema").must_succeed().out
    assert all(f"{name} " in listed for name in OUTPUTS)
    told = json.loads(dedup("schema", "resolve").must_succeed().out)
    assert told == OUTPUTS["resolve"].schema()
    dedup("schema", "holiday").must_fail(ExitCode.USAGE, "holiday", "resolve")


def test_a_document_that_lacks_a_field_or_has_another_does_not_fit(
    dedup: Dedup, indexed: IndexedGallery
) -> None:
    told = json.loads(dedup("info", "--index", indexed.index, "--json").must_succeed().out)
    for wrong in (told | {"more": 1}, {key: told[key] for key in told if key != "blobs"}):
        with pytest.raises(jsonschema.ValidationError):
            must_fit("info", json.dumps(wrong))


def test_from_index_to_undo_every_document_fits(dedup: Dedup, tmp_path: Path) -> None:
    gallery, index, lists = (tmp_path / name for name in ("gallery", "index", "lists"))
    fill_gallery(gallery)
    told = must_fit("index", dedup("index", gallery, "--index", index, "--json").out)
    assert told["new_images"] == 8
    told = must_fit("resolve", dedup("resolve", "--index", index, "--out", lists, "--json").out)
    assert told == json.loads((lists / "summary.json").read_bytes())
    must_fit("stats", dedup("stats", "--index", index, "--lists", lists, "--json").out)
    act = ("apply", lists / "delete.csv", "--action", "quarantine", "--index", index, "--json")
    act = (*act, "--quarantine", tmp_path / "quarantine")
    assert must_fit("apply", dedup(*act).must_succeed().out)["dry_run"]
    done = must_fit("apply", dedup(*act, "--yes").must_succeed().out)
    assert done["acted"] == told["delete"]
    told = must_fit("undo", dedup("undo", done["journal"], "--json").must_succeed().out)
    assert told["undone"] == done["acted"]


def test_documents_about_an_index_fit(dedup: Dedup, own_index: IndexedGallery) -> None:
    image = own_index.folder / "coffee-half.jpg"
    outcome = dedup("query", image, own_index.folder / "no", "--index", own_index.index, "--json")
    (answer, failure) = must_fit("query", outcome.out)
    assert answer["matches"] and failure["error"].startswith("dedup: ")
    must_fit("info", dedup("info", "--index", own_index.index, "--json").must_succeed().out)
    checked = dedup("info", "--check", "--index", own_index.index, "--json").must_succeed()
    assert must_fit("info", checked.out)["check"]["search"] == {}
    must_fit("repair", dedup("repair", "--index", own_index.index, "--json").must_succeed().out)
    lose_a_preview(own_index.index)
    damaged = dedup("info", "--check", "--index", own_index.index, "--json")
    assert damaged.code == ExitCode.STORAGE
    assert must_fit("info", damaged.out).keys() == {"check"}
    repaired = dedup("repair", "--index", own_index.index, "--json").must_succeed()
    assert must_fit("repair", repaired.out)["catalog"]["lost_images"] == 1


def test_documents_about_this_machine_fit(dedup: Dedup, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "one.png")
    assert must_fit("doctor", dedup("doctor", tmp_path, "--json").must_succeed().out)["ready"]
    must_fit("models", dedup("models", "--json").must_succeed().out)
    must_fit("models", dedup("models", "list", "--json").must_succeed().out)
    fetched = dedup("models", "fetch", "efficientnet_lite0", "--json").must_succeed()
    assert all(Path(path).is_file() for path in must_fit("fetch", fetched.out)["files"])
    assert must_fit("fetch", dedup("models", "fetch", "orb", "--json").out)["files"] == []
