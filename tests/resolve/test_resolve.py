"""From candidates to lists, on invented images: nothing is lost, whatever the verdicts say."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from resolve.blobs import BlobCensus
from resolve.decisions import Decisions
from resolve.lists import write_lists
from resolve.preferences import Prefixes
from resolve.resolution import Resolution, ResolveOptions
from resolve.resolve import ResolveProgress, resolve
from storage.catalog import Catalog
from storage.errors import UsageError
from storage.records import Metadata
from tests.resolve.invented import (
    DAY,
    UNRELATED,
    ToldVerdicts,
    blob,
    candidates,
    copy,
    fill,
    image,
    record,
)
from verify.verdict import Relation, Verdict

Told = dict[tuple[int, int], Verdict]
Make = Callable[..., Catalog]


def _resolve(catalog: Catalog, told: Told, **options: object) -> Resolution:
    wanted = ResolveOptions(**options)  # type: ignore[arg-type]
    return resolve(catalog, candidates(told), ToldVerdicts(told), wanted)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def _lists(catalog: Catalog, told: Told, out: Path, **options: object) -> dict[str, str]:
    """Path to the path kept in its place; to "" for those that stay."""
    write_lists(_resolve(catalog, told, **options), catalog, out)
    kept = {row["path"]: "" for row in _rows(out / "keep.csv")}
    return kept | {row["path"]: row["keep"] for row in _rows(out / "delete.csv")}


def test_byte_identical_files_leave_one(invented: Make, tmp_path: Path) -> None:
    catalog = invented(image("/p/copy of a.jpg", "/p/a.jpg"), image("/p/other.jpg"))
    outcome = _lists(catalog, {}, tmp_path)
    assert outcome == {"/p/a.jpg": "", "/p/copy of a.jpg": "/p/a.jpg", "/p/other.jpg": ""}
    (row,) = _rows(tmp_path / "delete.csv")
    assert (row["relation"], float(row["score"])) == ("exact", 1.0)


def test_an_older_file_stays_for_its_byte_identical_copy(invented: Make, tmp_path: Path) -> None:
    old = blob("/backup/a rather long name.jpg", last_modified=0.0)
    catalog = invented(image(blob("/p/a.jpg", last_modified=9 * DAY), old))
    assert _lists(catalog, {}, tmp_path)["/p/a.jpg"] == old.uri


def test_minutes_between_two_files_do_not_make_one_the_original(
    invented: Make, tmp_path: Path
) -> None:
    late = blob("/p/a.jpg", last_modified=600.0)
    catalog = invented(image(late, blob("/p/copy of a.jpg", last_modified=0.0)))
    assert _lists(catalog, {}, tmp_path)[late.uri] == ""


def test_copies_of_a_deleted_image_point_to_the_file_that_finally_stays(
    invented: Make, tmp_path: Path
) -> None:
    catalog = invented(
        image("/p/whole.jpg", "/p/x/whole.jpg"), image("/p/crop.jpg", "/p/x/crop.jpg")
    )
    told = {(1, 2): copy(b_covers_a=False, relation=Relation.CROPPED, score=0.97)}
    outcome = _lists(catalog, told, tmp_path)
    assert outcome["/p/whole.jpg"] == ""
    assert {outcome[p] for p in outcome if p != "/p/whole.jpg"} == {"/p/whole.jpg"}
    relations = {row["path"]: row["relation"] for row in _rows(tmp_path / "delete.csv")}
    assert relations == {
        "/p/x/whole.jpg": "exact", "/p/crop.jpg": "cropped", "/p/x/crop.jpg": "cropped",
    }  # fmt: skip


def test_two_names_of_one_object_are_never_offered_for_deletion(
    invented: Make, tmp_path: Path
) -> None:
    catalog = invented(
        image(
            blob("/p/link.jpg", object_id="1:7"),
            blob("/p/target.jpg", object_id="1:7"),
            blob("/p/real copy.jpg", object_id="1:8"),
        ),
        image("/p/original.jpg"),
    )
    # The linked image is a lesser copy of the original, and still its names stay.
    told = {(1, 2): copy(a_covers_b=False, relation=Relation.CROPPED)}
    outcome = _lists(catalog, told, tmp_path)
    assert outcome["/p/link.jpg"] == outcome["/p/target.jpg"] == outcome["/p/original.jpg"] == ""
    assert outcome["/p/real copy.jpg"] in ("/p/link.jpg", "/p/target.jpg")
    reasons = [row["reason"] for row in _rows(tmp_path / "keep.csv")]
    assert any(reason.startswith("same object as /p/") for reason in reasons)


def test_a_link_and_its_target_under_different_images_both_stay(
    invented: Make, tmp_path: Path
) -> None:
    # The file changed between the two reads of one pass.
    catalog = invented(
        image(blob("/p/link.jpg", object_id="1:7")), image(blob("/p/target.jpg", object_id="1:7"))
    )
    assert set(_lists(catalog, {(1, 2): copy()}, tmp_path).values()) == {""}


def test_a_protected_folder_loses_nothing_and_its_images_are_keepers(
    invented: Make, tmp_path: Path
) -> None:
    catalog = invented(
        image("/ref/small.jpg", record_=record("small", width=500, height=400)),
        image("/ref/small again.jpg", record_=record("again", width=500, height=400)),
        image("/in/large.jpg", record_=record("large", width=1000, height=800)),
    )
    told = {(1, 2): copy(), (1, 3): copy(), (2, 3): copy()}
    outcome = _lists(catalog, told, tmp_path, protect=("/ref",))
    assert outcome["/ref/small.jpg"] == outcome["/ref/small again.jpg"] == ""
    assert outcome["/in/large.jpg"].startswith("/ref/")


def test_a_protected_folder_is_a_folder_and_no_beginning_of_a_name(
    invented: Make, tmp_path: Path
) -> None:
    catalog = invented(image("/ref/a.jpg", "/reference/a.jpg"))
    outcome = _lists(catalog, {}, tmp_path, protect=("/ref/",))
    assert outcome == {"/ref/a.jpg": "", "/reference/a.jpg": "/ref/a.jpg"}


def test_a_misspelt_protected_folder_is_an_error(invented: Make) -> None:
    catalog = invented(image("/ref/a.jpg"))
    with pytest.raises(UsageError, match="/reff"):
        _resolve(catalog, {}, protect=("/reff",))


def test_a_rule_that_does_not_exist_is_an_error_that_names_the_others() -> None:
    with pytest.raises(UsageError, match=r"prettiest.*folder:PREFIX"):
        ResolveOptions(prefer=("prettiest",))


def test_pictures_that_somebody_said_are_not_the_same_both_stay_and_are_not_verified_again(
    invented: Make, tmp_path: Path
) -> None:
    a, b = record("a"), record("b")
    catalog = invented(image("/p/a.jpg", record_=a), image("/p/b.jpg", record_=b))
    low, high = sorted((a.digest, b.digest))
    source = ToldVerdicts({(1, 2): copy()})
    options = ResolveOptions(decisions=Decisions(not_same=frozenset({(low, high)})))
    resolution = resolve(catalog, candidates(source.told), source, options)
    assert source.asked == []
    assert resolution.pairs_passed_over == 1
    assert write_lists(resolution, catalog, tmp_path).delete == 0


def test_an_image_that_somebody_decided_to_keep_stays_and_takes_the_place_of_others(
    invented: Make, tmp_path: Path
) -> None:
    small = record("small", width=300, height=240)
    catalog = invented(image("/p/large.jpg"), image("/p/small.jpg", record_=small))
    decisions = Decisions(keep=frozenset({small.digest}))
    outcome = _lists(catalog, {(1, 2): copy()}, tmp_path, decisions=decisions)
    assert outcome == {"/p/small.jpg": "", "/p/large.jpg": "/p/small.jpg"}
    (row,) = _rows(tmp_path / "keep.csv")
    assert "you decided" in row["reason"]


@pytest.mark.parametrize(
    ("rule", "stays"),
    [
        ("folder:/second", "/second/b.png"),
        ("folder:/first", "/first/a.jpg"),
        ("format:png", "/second/b.png"),
        ("format:JPG", "/first/a.jpg"),
        ("oldest", "/second/b.png"),
        ("newest", "/first/a.jpg"),
        ("largest", "/first/a.jpg"),
        ("smallest", "/second/b.png"),
    ],
)
def test_what_is_preferred_stays(invented: Make, tmp_path: Path, rule: str, stays: str) -> None:
    catalog = invented(
        image(
            blob("/first/a.jpg", last_modified=9 * DAY),
            record_=record("a", width=1000, height=800, byte_size=900),
        ),
        image(
            blob("/second/b.png", last_modified=0.0),
            record_=record("b", image_format="PNG", width=900, height=720, byte_size=800),
        ),
    )
    outcome = _lists(catalog, {(1, 2): copy()}, tmp_path, prefer=(rule,))
    assert outcome[stays] == ""
    assert set(outcome.values()) == {"", stays}


@pytest.mark.parametrize(
    "best", [{"width": 2000, "height": 1600}, {"jpeg_quality": 98}, {"metadata": True}]
)
@pytest.mark.parametrize("place", [1, 37, 60])
def test_the_best_of_many_that_cover_each_other_stays_wherever_it_is(
    invented: Make, best: dict[str, object], place: int
) -> None:
    plain: dict[str, object] = {"width": 1500, "height": 1200, "jpeg_quality": 60}
    if "metadata" in best:
        best = {"metadata": Metadata(taken_at="2020:01:01", camera="Canon", has_exif=True)}
    # The digest orders the pool: the best is made to come at that place.
    names = sorted((str(n) for n in range(60)), key=lambda name: record(name).digest)
    images = [
        image(f"/p/{name}.jpg", record_=record(name, **(plain | (best if n == place else {}))))  # type: ignore[arg-type]
        for n, name in enumerate(names, start=1)
    ]
    told = {(a, b): copy() for a in range(1, 61) for b in range(a + 1, 61)}
    resolution = _resolve(invented(*images), told)
    assert [group.keeper for group in resolution.groups] == [place]


def test_a_preferred_crop_does_not_stand_for_the_whole(invented: Make, tmp_path: Path) -> None:
    catalog = invented(image("/good/crop.jpg"), image("/p/whole.jpg"))
    told = {(1, 2): copy(a_covers_b=False, relation=Relation.CROPPED)}
    outcome = _lists(catalog, told, tmp_path, prefer=("folder:/good",))
    assert outcome == {"/p/whole.jpg": "", "/good/crop.jpg": "/p/whole.jpg"}


def test_what_another_process_indexes_meanwhile_stays(invented: Make, tmp_path: Path) -> None:
    # Where the index cannot be locked, it may grow between the resolution and the lists.
    whole, crop = record("whole"), record("crop", width=500)
    catalog = invented(
        image(blob("/p/whole.jpg", object_id="1:1"), record_=whole),
        image("/p/crop.jpg", record_=crop),
        image("/p/safe/other.jpg"),
    )
    told = {(1, 2): copy(b_covers_a=False, relation=Relation.CROPPED)}
    resolution = _resolve(catalog, told, protect=("/p/safe",))
    fill(
        catalog,
        [
            # Another name of the object that stays, which comes first by its name.
            image(blob("/p/a.jpg", object_id="1:1"), record_=whole),
            image("/p/safe/crop.jpg", record_=crop),
            image("/p/new.jpg", "/p/new again.jpg", record_=record("new")),
        ],
    )
    write_lists(resolution, catalog, tmp_path)
    deleted = [row["path"] for row in _rows(tmp_path / "delete.csv")]
    kept = [row["path"] for row in _rows(tmp_path / "keep.csv")]
    assert deleted == ["/p/crop.jpg"]
    assert sorted(kept + deleted) == sorted(entry.uri for entry in catalog.blobs())


def test_the_census_counts_no_image_that_it_was_not_told_of(invented: Make) -> None:
    catalog = invented(image("/p/a.jpg"), image("/p/safe/b.jpg"))
    census = BlobCensus(catalog.blob_columns(), 1, Prefixes(("/p/safe",)))
    assert census.blobs_of_image.tolist() == [0, 1]
    assert len(census.protected_images) == 0


def test_the_listener_hears_of_every_stage(invented: Make) -> None:
    catalog = invented(*(image(f"/p/{n}.jpg") for n in range(1, 21)))
    told = {(n, n + 1): copy() if n < 3 else UNRELATED for n in range(1, 20)}
    heard: list[ResolveProgress] = []

    class Listener:
        def on_progress(self, progress: ResolveProgress) -> None:
            heard.append(progress)

    resolve(catalog, candidates(told), ToldVerdicts(told), ResolveOptions(), Listener())
    assert {progress.stage for progress in heard} == {"verifying", "grouping"}
    assert heard[-1].done == heard[-1].total == 2
    # The keeper of the three was compared with the fourth, which only the third was alike.
    assert dict(heard[-1].relations) == {"reencoded": 2, "different": 18}


def test_the_same_pictures_indexed_in_another_order_give_the_same_lists(
    invented: Make, tmp_path: Path
) -> None:
    images = [image(f"/p/{n}.jpg", record_=record(f"{n}", noise=2.0 + n / 9)) for n in range(1, 6)]
    told = {(a, b): copy() for a in range(1, 6) for b in range(a + 1, 6)}
    del told[1, 4], told[2, 5]
    renumbered = {(6 - a, 6 - b): verdict.reversed() for (a, b), verdict in told.items()}
    one, other = invented(*images), invented(*reversed(images))
    _lists(one, told, tmp_path / "one")
    _lists(other, renumbered, tmp_path / "other")
    for name in ("keep.csv", "delete.csv", "groups.jsonl"):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "other" / name).read_text()
