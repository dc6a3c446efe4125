"""The laws of the lists, under any verdicts, links, names, protections and decisions.

Whatever search proposes and verification says, contradictory, one-sided or missing: a deleted file
has direct evidence against a file that stays, and what must stay does.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resolve.decisions import Decisions
from resolve.lists import write_lists
from resolve.resolution import ResolveOptions
from resolve.resolve import resolve
from resolve.summary import Summary
from search.candidates import CandidatePair
from storage.blob import Blob
from storage.catalog import Catalog
from storage.catalog_view import CatalogView
from storage.joint_catalog import JointCatalog
from storage.joint_ids import JointIds
from storage.records import BlobEntry, Holder, ImageRecord
from tests.resolve.invented import (
    CONTRADICTION,
    DAY,
    LIMITS,
    UNRELATED,
    InventedImage,
    ToldVerdicts,
    blob,
    copy,
    fill,
    image,
    record,
    unreadable,
)
from verify.verdict import Relation, Verdict

FOLDERS = ("/a", "/b", "/c")
VERDICTS = st.sampled_from(
    [
        UNRELATED,
        CONTRADICTION,
        copy(),
        copy(score=0.9),
        copy(b_covers_a=False),
        copy(a_covers_b=False, relation=Relation.CROPPED),
        copy(a_covers_b=False, b_covers_a=False, relation=Relation.EDITED),
    ]
)


@dataclass(frozen=True)
class World:
    """Everything a resolution depends on.

    Attributes:
        images: of the index. references: of the reference index; None when there is none.
        told: by the digests of an ordered pair, which need not agree with its reverse.
        proposed: pairs of digests that search gives.
        limits: of `resolve.groups`.
    """

    images: list[InventedImage]
    references: list[InventedImage] | None
    told: dict[tuple[bytes, bytes], Verdict]
    proposed: list[tuple[bytes, bytes]]
    decisions: Decisions
    protect: tuple[str, ...]
    prefer: tuple[str, ...]
    limits: dict[str, int]


def _blobs(draw: st.DrawFn, folders: Sequence[str], name: str) -> list[Blob]:
    return [
        blob(
            f"{draw(st.sampled_from(folders))}/{name}-{k}.jpg",
            # No object id, as in a cloud; one that others may share: links; one of its own.
            object_id=draw(st.sampled_from(["", "1:1", "1:2", f"1:{name}{k}"])),
            last_modified=draw(st.sampled_from([0.0, 3 * DAY])),
        )
        for k in range(draw(st.integers(1, 3)))
    ]


@st.composite
def _worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(1, 6))
    records = [record(f"{n}", width=draw(st.sampled_from([400, 800]))) for n in range(1, count + 1)]
    images = [image(*_blobs(draw, FOLDERS, str(n)), record_=each) for n, each in enumerate(records)]
    references: list[InventedImage] | None = None
    if draw(st.booleans()):
        references = []
        for invented in images:
            # The same file in both indexes, another file with the same bytes, or neither.
            both = [each for each in invented.blobs if draw(st.integers(0, 3)) == 0]
            if draw(st.integers(0, 3)) == 0:
                both += _blobs(draw, ("/ref",), f"twin-{invented.blobs[0].uri[3:]}")
            if both:
                references.append(image(*both, record_=invented.record))
        for n in range(draw(st.integers(0, 3))):
            records.append(record(f"reference {n}", width=600))
            references.append(image(*_blobs(draw, ("/ref",), f"r{n}"), record_=records[-1]))
        references.append(unreadable("/ref/broken.jpg"))
    images.append(unreadable("/a/broken.jpg"))

    digests = [each.digest for each in records]
    pairs = [(a, b) for a in digests for b in digests if a != b]
    some = st.sampled_from(digests)
    decisions = Decisions(
        not_same=frozenset(
            (min(pair), max(pair))
            for pair in draw(st.lists(st.tuples(some, some), max_size=3))
            if pair[0] != pair[1]
        ),
        keep=frozenset(draw(st.lists(some, max_size=2))),
    )
    present = sorted({each.uri[:2] for made in images for each in made.blobs})
    return World(
        images=images,
        references=references,
        told={pair: draw(VERDICTS) for pair in pairs if draw(st.booleans())},
        proposed=[(a, b) for a, b in pairs if a < b and draw(st.integers(0, 3))],
        decisions=decisions,
        protect=tuple(draw(st.lists(st.sampled_from(present), max_size=1))),
        prefer=tuple(
            draw(st.lists(st.sampled_from(["oldest", "folder:/b", "largest"]), max_size=2))
        ),
        limits=draw(LIMITS),
    )


class Lists:
    """What a resolution of a world wrote, beside what it knew."""

    def __init__(self, world: World, folder: Path, stack: ExitStack) -> None:
        index = stack.enter_context(Catalog.open_writer(folder / "index"))
        fill(index, world.images)
        catalog: CatalogView = index
        if world.references is not None:
            reference = stack.enter_context(Catalog.open_writer(folder / "reference"))
            fill(reference, world.references)
            catalog = JointCatalog(index, reference, JointIds.matching(index, reference))
        self.world = world
        self.catalog = catalog
        self.entries: dict[str, BlobEntry] = {entry.uri: entry for entry in catalog.blobs()}
        self.verdicts = ToldVerdicts(
            {(self._id(a), self._id(b)): verdict for (a, b), verdict in world.told.items()}
        )
        options = ResolveOptions(
            prefer=world.prefer, protect=world.protect, decisions=world.decisions
        )
        with patch.multiple("resolve.groups", **world.limits):
            resolution = resolve(catalog, self._candidates(), self.verdicts, options)
        out = folder / "out"
        self.summary: Summary = write_lists(resolution, catalog, out)
        self.kept = [row["path"] for row in _rows(out / "keep.csv")]
        self.deleted = _rows(out / "delete.csv")
        self.broken = [row["path"] for row in _rows(out / "unreadable.csv")]
        self.groups: list[dict[str, Any]] = [
            json.loads(line) for line in (out / "groups.jsonl").read_text().splitlines()
        ]

    def _id(self, digest: bytes) -> int:
        image_id = self.catalog.image_id(digest)
        assert image_id is not None
        return image_id

    def _candidates(self) -> list[CandidatePair]:
        """As search proposes them: in order, and none between two reference images."""
        pairs = sorted({tuple(sorted((self._id(a), self._id(b)))) for a, b in self.world.proposed})
        own = {entry.image_id for entry in self.entries.values() if _is_listed(entry)}
        return [CandidatePair(low, high, 0, {}) for low, high in pairs if low in own]

    def record(self, uri: str) -> ImageRecord:
        return self.catalog.record(self.entries[uri].image_id)


def _is_listed(entry: BlobEntry) -> bool:
    return entry.holder is not Holder.REFERENCE


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _every_file_of_the_index_is_in_one_list(lists: Lists) -> None:
    listed = lists.kept + [row["path"] for row in lists.deleted] + lists.broken
    own = [uri for uri, entry in lists.entries.items() if _is_listed(entry)]
    assert sorted(listed) == sorted(own)
    counts = (lists.summary.keep, lists.summary.delete, lists.summary.unreadable)
    assert counts == (len(lists.kept), len(lists.deleted), len(lists.broken))


def _a_keeper_stays(lists: Lists) -> None:
    gone = {row["path"] for row in lists.deleted}
    for row in lists.deleted:
        assert row["keep"] not in gone
        keeper = lists.entries[row["keep"]]
        assert keeper.uri in lists.kept or keeper.holder is Holder.REFERENCE


def _a_deleted_file_has_direct_evidence_against_its_keeper(lists: Lists) -> None:
    for row in lists.deleted:
        entry, keeper = lists.entries[row["path"]], lists.entries[row["keep"]]
        if entry.image_id == keeper.image_id:
            assert (row["relation"], float(row["score"])) == ("exact", 1.0)
            continue
        direct = lists.verdicts.verdict(keeper.image_id, entry.image_id)
        assert direct.is_copy
        assert direct.a_covers_b
        assert (row["relation"], float(row["score"])) == (direct.relation.value, direct.score)


def _what_must_stay_is_not_offered(lists: Lists) -> None:
    names = Counter(entry.object_id for entry in lists.entries.values())
    for row in lists.deleted:
        entry = lists.entries[row["path"]]
        assert entry.holder is Holder.OWN
        assert not any(entry.uri.startswith(f"{prefix}/") for prefix in lists.world.protect)
        assert not entry.object_id or names[entry.object_id] == 1
    left = {lists.record(uri).digest for uri in lists.kept}
    left |= {
        lists.record(uri).digest
        for uri, entry in lists.entries.items()
        if entry.holder is Holder.REFERENCE and entry.image_id
    }
    assert lists.world.decisions.keep <= left


def _pictures_said_to_differ_are_never_in_one_group(lists: Lists) -> None:
    together: dict[str, set[bytes]] = {}
    for row in lists.deleted:
        digests = together.setdefault(row["keep"], {lists.record(row["keep"]).digest})
        digests.add(lists.record(row["path"]).digest)
    for digests in together.values():
        for low, high in lists.world.decisions.not_same:
            assert not {low, high} <= digests


def _groups_tell_the_same_as_the_lists(lists: Lists) -> None:
    assert lists.summary.groups == len(lists.groups)
    in_groups = [
        (member["path"], group["keeper"]["path"])
        for group in lists.groups
        for member in group["members"]
    ]
    assert sorted(in_groups) == sorted((row["path"], row["keep"]) for row in lists.deleted)
    assert all(group["members"] for group in lists.groups)
    keepers = [group["keeper"]["path"] for group in lists.groups]
    assert len(set(keepers)) == len(keepers)
    for group in lists.groups:
        holder = lists.entries[group["keeper"]["path"]].holder
        assert group["keeper"]["in_reference"] == (holder is not Holder.OWN)
        also_kept = {each["path"] for each in group["also_kept"]}
        assert also_kept <= set(lists.kept)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_worlds())
def test_the_laws_hold_whatever_the_verdicts(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        lists = Lists(world, Path(folder), stack)
        _every_file_of_the_index_is_in_one_list(lists)
        _a_keeper_stays(lists)
        _a_deleted_file_has_direct_evidence_against_its_keeper(lists)
        _what_must_stay_is_not_offered(lists)
        _pictures_said_to_differ_are_never_in_one_group(lists)
        _groups_tell_the_same_as_the_lists(lists)
