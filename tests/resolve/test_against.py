"""One index resolved against another: the reference index loses nothing and its images stay."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from resolve.decisions import Decisions
from resolve.lists import write_lists
from resolve.report import write_report
from resolve.resolution import ResolveOptions
from resolve.resolve import resolve
from resolve.summary import Summary
from resolve.verdicts import CachedVerdicts
from storage.catalog import Catalog
from storage.errors import UsageError
from storage.joint_catalog import JointCatalog
from storage.joint_ids import JointIds
from tests.resolve.invented import (
    DAY,
    UNRELATED,
    InventedImage,
    ToldVerdicts,
    blob,
    candidates,
    copy,
    image,
    record,
    unreadable,
)
from verify.verdict import Relation, Verdict

if TYPE_CHECKING:
    from verify.evidence import VerifyImage

Told = dict[tuple[int, int], Verdict]
Make = Callable[..., Catalog]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Against:
    """Writes the lists of some images against others. Joint ids: first the one, then the others."""

    def __init__(self, make: Make, out: Path) -> None:
        self._make = make
        self.out = out
        self.source = ToldVerdicts({})
        self.catalog: JointCatalog

    def lists(
        self,
        images: list[InventedImage],
        references: list[InventedImage],
        told: Told | None = None,
        **options: object,
    ) -> dict[str, str]:
        """Path to the path kept in its place; to "" for those that stay."""
        self.write(images, references, told, **options)
        kept = {row["path"]: "" for row in _rows(self.out / "keep.csv")}
        return kept | {row["path"]: row["keep"] for row in _rows(self.out / "delete.csv")}

    def write(
        self,
        images: list[InventedImage],
        references: list[InventedImage],
        told: Told | None = None,
        **options: object,
    ) -> Summary:
        index, reference = self._make(*images), self._make(*references)
        self.catalog = JointCatalog(index, reference, JointIds.matching(index, reference))
        self.source = ToldVerdicts(told or {})
        wanted = ResolveOptions(**options)  # type: ignore[arg-type]
        resolution = resolve(self.catalog, candidates(told or {}), self.source, wanted)
        summary = write_lists(resolution, self.catalog, self.out)
        write_report(self.out, self.catalog, summary)
        return summary

    def groups(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "groups.jsonl").read_text().splitlines()]


@pytest.fixture
def against(invented: Make, tmp_path: Path) -> Against:
    return Against(invented, tmp_path / "lists")


def test_a_copy_of_a_reference_image_is_deleted_and_the_reference_is_named_as_keeper(
    against: Against,
) -> None:
    outcome = against.lists(
        [image("/new/copy.jpg"), image("/new/other.jpg")],
        [image("/ref/whole.jpg")],
        {(1, 3): copy(a_covers_b=False, relation=Relation.CROPPED)},
    )
    assert outcome == {"/new/copy.jpg": "/ref/whole.jpg", "/new/other.jpg": ""}
    (group,) = against.groups()
    assert group["keeper"]["path"] == "/ref/whole.jpg"
    assert group["keeper"]["in_reference"] is True
    assert [member["path"] for member in group["members"]] == ["/new/copy.jpg"]
    page = (against.out / "report.html").read_text()
    assert "/ref/whole.jpg" in page
    assert "Stays, in the reference index" in page


def test_the_same_bytes_in_both_leave_the_reference(against: Against) -> None:
    same = record("same")
    outcome = against.lists(
        [image("/a.jpg", "/b.jpg", record_=same)],
        # Older, shorter names would stay, were they equals.
        [image(blob("/ref/a rather long name.jpg", last_modified=9 * DAY), record_=same)],
    )
    assert outcome == dict.fromkeys(("/a.jpg", "/b.jpg"), "/ref/a rather long name.jpg")
    assert {row["relation"] for row in _rows(against.out / "delete.csv")} == {"exact"}


def test_a_better_copy_goes_for_a_lesser_reference_that_shows_as_much(against: Against) -> None:
    outcome = against.lists(
        [image("/new/large.jpg", record_=record("large", width=4000, height=3200))],
        [image("/ref/small.jpg", record_=record("small", width=400, height=320))],
        {(1, 2): copy()},
    )
    assert outcome == {"/new/large.jpg": "/ref/small.jpg"}


def test_a_fuller_picture_does_not_go_for_a_crop_in_the_reference(against: Against) -> None:
    outcome = against.lists(
        [image("/new/whole.jpg")],
        [image("/ref/crop.jpg")],
        {(1, 2): copy(b_covers_a=False, relation=Relation.CROPPED)},
    )
    assert outcome == {"/new/whole.jpg": ""}
    (row,) = _rows(against.out / "keep.csv")
    assert row["reason"] == "like others, but none may stand for it"


def test_copies_within_the_index_are_found_as_usual(against: Against) -> None:
    outcome = against.lists(
        [image("/new/a.jpg"), image("/new/b.jpg", record_=record("b", width=500, height=400))],
        [image("/ref/other.jpg")],
        {(1, 2): copy()},
    )
    assert outcome == {"/new/a.jpg": "", "/new/b.jpg": "/new/a.jpg"}
    (group,) = against.groups()
    assert group["keeper"]["in_reference"] is False


def test_copies_within_the_reference_index_are_left_alone(against: Against) -> None:
    same = record("same")
    outcome = against.lists(
        [image("/new/a.jpg")],
        [image("/ref/a.jpg", "/ref/again.jpg", record_=same), image("/ref/b.jpg")],
        {(2, 3): copy()},
    )
    assert outcome == {"/new/a.jpg": ""}
    assert against.groups() == []


def test_every_copy_of_one_reference_goes_for_it_also_those_found_only_through_each_other(
    against: Against,
) -> None:
    told = {(1, 2): copy(), (1, 3): copy(a_covers_b=False), (2, 3): copy(a_covers_b=False)}
    index = [image("/new/a.jpg"), image("/new/b.jpg")]
    outcome = against.lists(index, [image("/ref/c.jpg")], told)
    assert outcome == dict.fromkeys(("/new/a.jpg", "/new/b.jpg"), "/ref/c.jpg")


def test_two_reference_images_are_never_compared_with_each_other(against: Against) -> None:
    against.lists(
        [image("/new/a.jpg"), image("/new/b.jpg")],
        [image("/ref/a.jpg"), image("/ref/b.jpg"), image("/ref/c.jpg")],
        {(1, 3): copy(), (1, 4): copy(), (2, 4): copy(), (2, 5): copy(), (1, 2): copy()},
    )
    assert all(min(pair) <= 2 for pair in against.source.asked)


def test_a_file_that_both_indexes_list_is_not_deleted_for_itself(against: Against) -> None:
    photo = record("photo")
    outcome = against.lists(
        [image("/photos/ref/a.jpg", "/photos/copy.jpg", record_=photo), image("/photos/b.jpg")],
        [image("/photos/ref/a.jpg", record_=photo)],
        {(1, 2): copy()},
    )
    assert outcome == {
        "/photos/ref/a.jpg": "",
        "/photos/copy.jpg": "/photos/ref/a.jpg",
        "/photos/b.jpg": "/photos/ref/a.jpg",
    }


def test_a_file_that_both_list_and_that_has_no_copies_says_so(against: Against) -> None:
    summary = against.write([image("/photos/a.jpg")], [image("/photos/a.jpg")])
    (row,) = _rows(against.out / "keep.csv")
    assert row["reason"] == "the reference index has this file too"
    assert summary.kept == {"reference": 1}


def test_two_files_with_the_same_bytes_that_both_list_both_stay(against: Against) -> None:
    photo = record("photo")
    names = ("/photos/a.jpg", "/photos/b.jpg")
    summary = against.write(
        [image(*names, "/photos/c.jpg", record_=photo)], [image(*names, record_=photo)]
    )
    reasons = {row["path"]: row["reason"] for row in _rows(against.out / "keep.csv")}
    assert set(reasons) == set(names)
    assert reasons["/photos/b.jpg"] == "the reference index has this file too"
    assert summary.kept == {"keeper": 1, "reference": 1}


def test_another_name_of_a_reference_file_is_never_offered(against: Against) -> None:
    photo = record("photo")
    outcome = against.lists(
        [
            image(blob("/new/link.jpg", object_id="1:7"), record_=photo),
            # Another picture under a name of the same object: one of them was read too early.
            image(blob("/new/old link.jpg", object_id="1:7")),
            image(blob("/new/true copy.jpg", object_id="1:9"), record_=record("true")),
        ],
        [image(blob("/ref/photo.jpg", object_id="1:7"), record_=photo)],
        {(1, 2): copy(), (1, 3): copy()},
    )
    assert outcome == {
        "/new/link.jpg": "",
        "/new/old link.jpg": "",
        "/new/true copy.jpg": "/ref/photo.jpg",
    }
    reasons = {row["path"]: row["reason"] for row in _rows(against.out / "keep.csv")}
    assert reasons["/new/link.jpg"] == "same object as /ref/photo.jpg"


def test_protected_files_and_the_reference_both_stay_and_the_reference_is_the_keeper(
    against: Against,
) -> None:
    outcome = against.lists(
        [
            image("/new/safe/a.jpg", record_=record("a", width=4000, height=3000)),
            image("/new/b.jpg"),
        ],
        [image("/ref/c.jpg")],
        {(1, 2): copy(), (1, 3): copy(), (2, 3): copy()},
        protect=("/new/safe",),
    )
    assert outcome == {"/new/safe/a.jpg": "", "/new/b.jpg": "/ref/c.jpg"}
    reasons = {row["path"]: row["reason"] for row in _rows(against.out / "keep.csv")}
    assert reasons["/new/safe/a.jpg"] == "in a protected folder"


def test_the_same_bytes_in_a_protected_folder_stay_beside_the_reference(against: Against) -> None:
    same = record("same")
    outcome = against.lists(
        [image("/new/safe/a.jpg", "/new/b.jpg", record_=same)],
        [image("/ref/a rather long name.jpg", record_=same)],
        protect=("/new/safe",),
    )
    assert outcome == {"/new/safe/a.jpg": "", "/new/b.jpg": "/ref/a rather long name.jpg"}


def test_a_protected_prefix_that_only_the_reference_has_is_misspelt(against: Against) -> None:
    with pytest.raises(UsageError, match="/ref"):
        against.lists([image("/new/a.jpg")], [image("/ref/a.jpg")], protect=("/ref",))


def test_decisions_hold_across_the_two(against: Against) -> None:
    a, b = record("a"), record("b")
    low, high = sorted((a.digest, b.digest))
    outcome = against.lists(
        [image("/new/a.jpg", record_=a)],
        [image("/ref/b.jpg", record_=b)],
        {(1, 2): copy()},
        decisions=Decisions(not_same=frozenset({(low, high)})),
    )
    assert outcome == {"/new/a.jpg": ""}
    assert against.source.asked == []


def test_the_counts_are_those_of_the_index_and_add_up(against: Against) -> None:
    summary = against.write(
        [
            image("/new/a.jpg", "/new/a again.jpg"),
            image("/new/b.jpg"),
            unreadable("/new/no.jpg"),
        ],
        [image("/ref/c.jpg"), image("/ref/d.jpg"), unreadable("/ref/no.jpg")],
        {(1, 3): copy(), (2, 3): UNRELATED},
        against="/indexes/ref",
    )
    assert (summary.blobs, summary.keep, summary.delete, summary.unreadable) == (4, 1, 2, 1)
    assert (summary.images, summary.groups, summary.reference_keepers) == (2, 1, 1)
    assert sum(summary.kept.values()) == summary.keep
    assert summary.options["against"] == "/indexes/ref"
    assert [row["path"] for row in _rows(against.out / "unreadable.csv")] == ["/new/no.jpg"]


def test_groups_come_in_the_order_of_their_keepers_whichever_index_has_them(
    against: Against,
) -> None:
    against.lists(
        [image("/new/a.jpg"), image("/new/b.jpg"), image("/x/c.jpg"), image("/x/d.jpg")],
        [image("/ref/2.jpg"), image("/ref/1.jpg")],
        {(3, 4): copy(b_covers_a=False), (1, 5): copy(), (2, 6): copy()},
    )
    keepers = [group["keeper"]["path"] for group in against.groups()]
    assert keepers == ["/ref/1.jpg", "/ref/2.jpg", "/x/c.jpg"]


class _Counting:
    version = "counting"

    def __init__(self) -> None:
        self.asked = 0

    def verify(self, a: VerifyImage, b: VerifyImage) -> Verdict:
        self.asked += 1
        return copy()


def test_verdicts_across_are_paid_for_once_and_kept_in_the_index(
    invented: Make,
) -> None:
    index, reference = invented(image("/new/a.jpg")), invented(image("/ref/b.jpg"))
    joint = JointCatalog(index, reference, JointIds.matching(index, reference))
    verifier = _Counting()
    for _ in range(2):
        with CachedVerdicts(joint, verifier, is_writable=True) as verdicts:
            assert verdicts.verdict(1, 2).is_copy
    assert verifier.asked == 1
    low, high = sorted((joint.record(1).digest, joint.record(2).digest))
    assert index.verdict(low, high, "counting") is not None
    assert reference.verdict(low, high, "counting") is None
