"""`dedup apply` and `dedup undo` on real photographs: what they do, say, and refuse."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContentSettings

from tests.azurite import KEY
from tests.cli.helpers import Dedup, IndexedGallery, fill_gallery, read_csv
from tests.resolve.apply.worlds import snapshot

COPIES = {
    "astronaut-crop.jpg",
    "chelsea-jpeg.jpg",
    "coffee-flip.jpg",
    "coffee-half.jpg",
    "rocket-again.jpg",
}


@pytest.fixture
def gallery(tmp_path: Path, dedup: Dedup) -> IndexedGallery:
    """A gallery of its own, indexed and resolved into `lists` beside it."""
    found = IndexedGallery(tmp_path / "gallery", tmp_path / "index")
    fill_gallery(found.folder)
    dedup("index", found.folder, "--index", found.index).must_succeed()
    dedup("resolve", "--index", found.index, "--out", tmp_path / "lists").must_succeed()
    return found


def apply_to(dedup: Dedup, gallery: IndexedGallery, action: str, *more: str | Path):
    return dedup("apply", delete_list(gallery), "--index", gallery.index, "--action", action, *more)


def delete_list(gallery: IndexedGallery) -> Path:
    return gallery.index.parent / "lists" / "delete.csv"


def the_journal(gallery: IndexedGallery) -> Path:
    (path,) = delete_list(gallery).parent.glob("apply-*.jsonl")
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if not path.is_dir()}


def test_without_yes_it_says_what_would_be_done_and_changes_nothing(dedup, gallery, tmp_path):
    before = snapshot(tmp_path)
    outcome = apply_to(dedup, gallery, "quarantine", "--quarantine", tmp_path / "q").must_succeed()
    freed = sum(int(row["bytes"]) for row in read_csv(delete_list(gallery)))
    assert "5 files listed: 5 would be moved to the quarantine, 0 skipped, 0 failed" in outcome.out
    assert f"frees {freed / 1000:.1f} kB" in outcome.out
    assert "Nothing was changed. Add --yes to do it." in outcome.out
    assert {k: v for k, v in snapshot(tmp_path).items() if "lmdb" not in k} == {
        k: v for k, v in before.items() if "lmdb" not in k
    }
    assert not (tmp_path / "q").exists()


def test_copies_go_to_the_quarantine_and_come_back_as_they_were(dedup, gallery, tmp_path):
    before = snapshot(gallery.folder)
    place = tmp_path / "q"
    arguments = ("quarantine", "--quarantine", place, "--yes")
    outcome = apply_to(dedup, gallery, *arguments).must_succeed()
    assert names(gallery.folder) == names_before(before) - COPIES
    assert names(place) == COPIES
    assert f"dedup undo {the_journal(gallery)}" in outcome.out
    again = apply_to(dedup, gallery, *arguments).must_succeed()
    assert "0 moved to the quarantine, and 5 before" in again.out
    outcome = dedup("undo", the_journal(gallery)).must_succeed()
    assert "5 files brought back as they were" in outcome.out
    assert snapshot(gallery.folder) == before
    assert names(place) == set()
    # The index still fits: nothing is read again.
    indexed = dedup("index", gallery.folder, "--index", gallery.index, "--json").must_succeed()
    assert json.loads(indexed.out)["read_requests"] == 0


def names_before(seen: dict[str, tuple[object, ...]]) -> set[str]:
    return {Path(name).name for name in seen}


@pytest.mark.parametrize("kind", ["hard", "symbolic"])
def test_the_same_bytes_become_a_link_and_lesser_copies_stay(dedup, gallery, kind):
    before = snapshot(gallery.folder)
    outcome = apply_to(dedup, gallery, "link", "--link", kind, "--yes").must_succeed()
    again, keeper = gallery.folder / "rocket-again.jpg", gallery.folder / "rocket.jpg"
    assert again.samefile(keeper)
    assert again.is_symlink() == (kind == "symbolic")
    assert "1 replaced by links, 4 skipped" in outcome.out
    assert "only the same bytes are linked" in outcome.out
    assert names(gallery.folder) == names_before(before)
    dedup("undo", the_journal(gallery)).must_succeed()
    assert snapshot(gallery.folder) == before
    assert not again.samefile(keeper)


def test_a_symbolic_link_holds_where_the_folder_is_moved_to(dedup, gallery, tmp_path):
    apply_to(dedup, gallery, "link", "--link", "symbolic", "--yes").must_succeed()
    content = (gallery.folder / "rocket.jpg").read_bytes()
    gallery.folder.rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "rocket-again.jpg").read_bytes() == content


def test_files_are_deleted_only_when_it_is_said_that_no_undo_is_needed(dedup, gallery):
    before = snapshot(gallery.folder)
    for more in ((), ("--yes",)):
        apply_to(dedup, gallery, "delete", *more).must_fail(2, "--no-undo-needed", "quarantine")
    assert snapshot(gallery.folder) == before
    apply_to(dedup, gallery, "delete", "--no-undo-needed", "--yes").must_succeed()
    assert names(gallery.folder) == names_before(before) - COPIES
    dedup("undo", the_journal(gallery)).must_fail(3, "5 files could not be brought back")


def test_files_have_no_tags(dedup, gallery):
    outcome = apply_to(dedup, gallery, "tag").must_succeed()
    assert "skipped, for files have no index tags" in outcome.out


def test_a_quarantine_of_files_must_be_named_and_lie_elsewhere(dedup, gallery):
    apply_to(dedup, gallery, "quarantine").must_fail(2, "--quarantine DIR")
    inside = gallery.folder / "quarantine"
    outcome = apply_to(dedup, gallery, "quarantine", "--quarantine", inside).must_succeed()
    assert "5 skipped" in outcome.out
    assert "the quarantine lies in the source it was indexed from" in outcome.out


def test_what_changed_since_it_was_indexed_stays(dedup, gallery, tmp_path):
    changed = gallery.folder / "rocket-again.jpg"
    os.utime(changed)
    os.utime(gallery.folder / "chelsea.png")
    (gallery.folder / "coffee.png").unlink()
    outcome = apply_to(
        dedup, gallery, "quarantine", "--quarantine", tmp_path / "q", "--yes", "--json"
    ).must_succeed()
    said = json.loads(outcome.out)
    assert said["acted"] == 1
    assert said["skipped"] == {
        "its keeper is gone": 2,
        "it has changed since it was indexed": 1,
        "its keeper has changed since it was indexed": 1,
    }
    assert names(tmp_path / "q") == {"astronaut-crop.jpg"}
    journal = the_journal(gallery).read_text()
    assert journal.count('"skipped"') == 4


def test_other_bytes_under_the_same_time_and_size_are_noticed(dedup, gallery, tmp_path):
    for name in ("rocket-again.jpg", "chelsea.png"):
        path = gallery.folder / name
        seen, content = path.stat(), bytearray(path.read_bytes())
        content[-100] ^= 0xFF
        path.write_bytes(content)
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    arguments = ("--quarantine", tmp_path / "q", "--yes", "--json")
    said = json.loads(apply_to(dedup, gallery, "quarantine", *arguments).must_succeed().out)
    assert said["acted"] == 3
    assert said["skipped"] == {
        "its content is not what was indexed, though its ETag is": 1,
        "its keeper's content is not what was indexed, though its ETag is": 1,
    }


def test_a_keeper_that_has_become_a_link_to_a_copy_protects_the_copy(dedup, gallery, tmp_path):
    keeper, copy = gallery.folder / "rocket.jpg", gallery.folder / "rocket-again.jpg"
    os.utime(copy, ns=(keeper.stat().st_atime_ns, keeper.stat().st_mtime_ns))
    dedup("index", gallery.folder, "--index", gallery.index).must_succeed()
    keeper.unlink()
    keeper.symlink_to(copy)
    arguments = ("--quarantine", tmp_path / "q", "--yes")
    outcome = apply_to(dedup, gallery, "quarantine", *arguments).must_succeed()
    assert "it and its keeper are one file under two names: 1" in outcome.out
    assert copy.exists()


def test_a_decision_made_since_is_honoured(dedup, gallery, tmp_path):
    rows = {Path(row["path"]).name: row for row in read_csv(delete_list(gallery))}
    groups = (delete_list(gallery).parent / "groups.jsonl").read_text().splitlines()
    digests = {
        Path(image["path"]).name: image["digest"]
        for group in map(json.loads, groups)
        for image in (group["keeper"], *group["members"])
    }
    decisions = [
        {"a": digests["coffee-half.jpg"], "b": digests["coffee.png"], "decision": "not_same"},
        {"digest": digests["astronaut-crop.jpg"], "decision": "keep"},
    ]
    lines = "".join(json.dumps(decision) + "\n" for decision in decisions)
    (gallery.index / "decisions.jsonl").write_text(lines)
    outcome = apply_to(
        dedup, gallery, "quarantine", "--quarantine", tmp_path / "q", "--protect",
        rows["chelsea-jpeg.jpg"]["path"], "--yes",
    ).must_succeed()  # fmt: skip
    assert names(tmp_path / "q") == {"coffee-flip.jpg", "rocket-again.jpg"}
    for reason in ("somebody decided to keep it", "not the same", "under a protected prefix"):
        assert f"{reason}" in outcome.out


def test_a_list_that_does_not_fit_the_index_is_left_alone(dedup, gallery, tmp_path):
    text = delete_list(gallery).read_text()
    delete_list(gallery).write_text(text.replace("coffee.png", "chelsea.png"))
    outcome = apply_to(dedup, gallery, "quarantine", "--quarantine", tmp_path / "q").must_succeed()
    assert "its keeper has other content in the index than when the list was made: 2" in outcome.out
    delete_list(gallery).write_text(text.replace("flipped", "cropped"))
    outcome = apply_to(dedup, gallery, "quarantine", "--quarantine", tmp_path / "q").must_succeed()
    assert "the index has another verdict on it and its keeper than the list: 1" in outcome.out


def test_bad_input_is_one_line(dedup, gallery, tmp_path):
    apply_to(dedup, gallery, "burn").must_fail(2, "burn", "tag, quarantine, delete, link")
    nowhere = tmp_path / "no.csv"
    dedup("apply", nowhere, "--action", "tag", "--index", gallery.index).must_fail(2, str(nowhere))
    dedup("apply", delete_list(gallery), "--action", "tag", "--index", tmp_path).must_fail(5)
    dedup("undo", tmp_path / "no.jsonl").must_fail(2, "no.jsonl")
    dedup("undo", delete_list(gallery)).must_fail(2, "journal")
    apply_to(dedup, gallery, "tag", "--tag", "a,b").must_fail(2, "--tag", "NAME=VALUE")


def test_prices_are_of_the_bytes_and_can_be_given(dedup, gallery, tmp_path):
    place = ("--quarantine", tmp_path / "q", "--json")
    plain = json.loads(apply_to(dedup, gallery, "quarantine", *place).must_succeed().out)
    assert plain["cost_per_month"] is None
    priced = json.loads(
        apply_to(dedup, gallery, "quarantine", *place, "--price-per-gb", "100").must_succeed().out
    )
    assert priced["cost_per_month"] == pytest.approx(plain["bytes"] / 2**30 * 100, abs=1e-6)


@pytest.fixture
def container(azurite: str, tmp_path: Path) -> str:
    """A container with the gallery; its name."""
    name = f"cli-{uuid.uuid4().hex}"
    fill_gallery(tmp_path / "pictures")
    client = BlobServiceClient.from_connection_string(azurite).create_container(name)
    for path in (tmp_path / "pictures").iterdir():
        client.upload_blob(
            f"album/{path.name}",
            path.read_bytes(),
            content_settings=ContentSettings(content_type="image/x", cache_control="no-cache"),
            metadata={"from": path.stem.replace("-", "")},
            tags={"album": "first"},
        )
    return name


def test_blobs_are_tagged_and_quarantined_and_come_back_and_no_key_is_shown(
    dedup, container, azurite, tmp_path
):
    index, lists = tmp_path / "index", tmp_path / "lists"
    environment = {"AZURE_STORAGE_CONNECTION_STRING": azurite}
    said = []

    def ran(*arguments: str | Path) -> str:
        outcome = dedup(*arguments, **environment).must_succeed()
        said.append(outcome.out + outcome.err)
        return outcome.out

    ran("index", f"az://{container}", "--index", index)
    ran("resolve", "--index", index, "--out", lists)
    acting = ("apply", lists / "delete.csv", "--index", index, "--max-requests-per-second", "500")
    client = BlobServiceClient.from_connection_string(azurite).get_container_client(container)

    def seen() -> dict[str, tuple[object, ...]]:
        return {
            one.name: (one.size, dict(one.content_settings), one.metadata, one.tags)
            for one in client.list_blobs(include=["metadata", "tags"])
        }

    before = seen()
    assert "5 would be tagged" in ran(*acting, "--action", "tag")
    assert "USD a month" in ran(*acting, "--action", "delete")
    assert seen() == before
    ran(*acting, "--action", "tag", "--yes")
    tagged = {name for name, what in seen().items() if what[3].get("dedup") == "delete"}
    assert {name.partition("/")[2] for name in tagged} == COPIES
    assert all(what[3]["album"] == "first" for what in seen().values())
    ran("undo", next(lists.glob("apply-tag-*")))
    assert seen() == before
    refused = dedup(*acting, "--action", "delete", "--yes", **environment)
    refused.must_fail(2, "soft delete or versioning")
    said.append(refused.out + refused.err)
    # The probe that found this out has left nothing.
    assert seen() == before
    ran(*acting, "--action", "quarantine", "--yes")
    assert {name.partition("/")[2] for name in before.keys() - seen().keys()} == COPIES
    ran("undo", next(lists.glob("apply-quarantine-*")))
    assert seen() == before
    written = "".join(path.read_text() for path in lists.glob("apply-*"))
    assert KEY not in "".join(said) + written
    assert "AccountKey" not in "".join(said) + written
