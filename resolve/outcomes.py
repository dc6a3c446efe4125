"""What becomes of each blob of the index, in the order of the catalog."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from resolve.blobs import IN_REFERENCE, BlobPlan
from resolve.groups import Group, Member
from resolve.outlines import RAW_FORMAT
from resolve.raw_pairs import developed_beside
from resolve.resolution import Resolution, flags_of
from storage.blob import looks_like_raw
from storage.catalog_view import CatalogView
from storage.records import BlobEntry, BlobStatus, Holder
from verify.verdict import Relation

_PLANS_IN_MEMORY = 4096
_GROUP_ID_DIGITS = 16
SAME_BYTES = "the same bytes"
# Of blobs indexed with --trust-md5. `dedup apply` reads both, whatever --check says.
SAME_MD5 = "the same size and MD5: to be read before anything is done"
UNREAD = "known by size and MD5: to be read before anything is done"
# Where the index could not be locked, another process may be adding to it.
_SINCE = "indexed since this was resolved"
# Why an image stays that is neither a keeper nor deleted, as `Kept` has it.
_NO_COPIES, _LINKED = 1, 2
WHY_ALONE = {
    _NO_COPIES: ("no_copies", "no copies found"),
    _LINKED: ("not_covered", "like others, but none may stand for it"),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A blob that stays.

    Attributes:
        group: its id; "" when it is in none.
        leads_group: it is the one the deleted ones of the group point to.
        because: "keeper", "no_copies", "not_covered", "protected", "decided", "same_object",
            "reference" or "raw".
        reason: the same in words.
    """

    entry: BlobEntry
    group: str
    leads_group: bool
    because: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A blob to be deleted, and the blob that stays in its place."""

    entry: BlobEntry
    keep: str
    group: str
    relation: Relation
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A blob that is no image, or could not be read."""

    entry: BlobEntry


@dataclass(frozen=True, slots=True)
class ReferenceKeeper:
    """A blob that only the reference index has, and that deleted blobs of a group point to."""

    entry: BlobEntry
    group: str


Outcome: TypeAlias = Kept | Deleted | Unreadable


def evidence(reason: str, entry: BlobEntry, kept: BlobEntry) -> str:
    """Why a blob may go, and what is still to be looked at before."""
    if not (entry.is_unread or kept.is_unread):
        return reason
    return SAME_MD5 if reason == SAME_BYTES else f"{reason}; {UNREAD}"


class Outcomes:
    """Every blob's outcome, for one resolution of one catalog."""

    def __init__(self, resolution: Resolution, catalog: CatalogView) -> None:
        self._resolution = resolution
        self._catalog = catalog
        self._plans: OrderedDict[int, BlobPlan | None] = OrderedDict()
        self._members: OrderedDict[int, dict[int, Member]] = OrderedDict()
        self._is_alone = self._images_alone()

    def why_alone(self, image_id: int) -> tuple[str, str] | None:
        """Why the only blob of an image stays, as `Kept` has it, where nothing else has to be
        looked at: most images are in no group and nobody's concern. None for others."""
        place = self._is_alone[image_id] if image_id < len(self._is_alone) else 0
        return WHY_ALONE[place] if place else None

    def whys_alone(self, image_ids: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The same of many images: keys of `WHY_ALONE`, 0 for the others; uint8 (n,)."""
        return np.frombuffer(self._is_alone, np.uint8)[image_ids]

    def of_listed(self, entry: BlobEntry) -> Outcome | ReferenceKeeper | None:
        """What becomes of a blob that either index lists; None for one that only the reference
        index has, and that nothing points to."""
        if entry.holder is Holder.REFERENCE:
            is_keeper = self._leads(entry)
            return ReferenceKeeper(entry, self.group_id(entry.image_id)) if is_keeper else None
        if entry.status is BlobStatus.UNREADABLE:
            return Unreadable(entry)
        return self.of(entry)

    def of(self, entry: BlobEntry) -> Kept | Deleted:
        """What becomes of an indexed blob."""
        resolution, image_id = self._resolution, entry.image_id
        keeper = resolution.keeper(image_id)
        if not keeper:
            return self._of_staying_image(entry)
        plan = self.plan(keeper)
        if plan is None:
            # The index changed since: without its keeper an image stays.
            return Kept(entry, "", False, "not_covered", "its keeper has gone from the index")
        if resolution.census.stays(entry):
            return Kept(entry, "", False, self._why_in_any_case(entry), _SINCE)
        member = self._member(image_id)
        return Deleted(
            entry,
            keep=plan.kept.uri,
            group=self.group_id(keeper),
            relation=member.relation,
            score=member.score,
            reason=evidence(member.verdict.reason, entry, plan.kept),
        )

    def plan(self, image_id: int) -> BlobPlan | None:
        """What becomes of the blobs of an image that stays."""
        if image_id in self._plans:
            self._plans.move_to_end(image_id)
            return self._plans[image_id]
        plan = self._plans[image_id] = self._resolution.plan(self._catalog, image_id)
        while len(self._plans) > _PLANS_IN_MEMORY:
            self._plans.popitem(last=False)
        return plan

    def group_id(self, keeper: int) -> str:
        """The same on every run and in every store, for it comes from the keeper's content."""
        return self._catalog.digest(keeper).hex()[:_GROUP_ID_DIGITS]

    def reasons(self, group: Group) -> list[str]:
        """Why the keeper of a group stays, and why this one of the files with its bytes."""
        plan = self.plan(group.keeper)
        if plan is None or not plan.deleted:
            return [*group.reasons]
        files = f"one of {len(plan.deleted) + 1} files with these bytes: it "
        return [*group.reasons, f"{files if group.members else 'it '}{plan.why}"]

    def _leads(self, entry: BlobEntry) -> bool:
        group = self._resolution.group(entry.image_id) if entry.image_id else None
        if group is None or group.keeper != entry.image_id:
            return False
        plan = self.plan(entry.image_id)
        return plan is not None and plan.kept.uri == entry.uri

    def _of_staying_image(self, entry: BlobEntry) -> Kept | Deleted:
        resolution, image_id = self._resolution, entry.image_id
        if image_id >= len(resolution.group_of):
            return Kept(entry, "", False, "no_copies", _SINCE)
        group = resolution.group(image_id)
        group_id = self.group_id(image_id) if group is not None else ""
        if group is None and not self._has_several_blobs(image_id):
            return self._alone(entry)
        plan = self.plan(image_id)
        if plan is None or entry.uri == plan.kept.uri:
            if group is None:
                return self._alone(entry)
            return Kept(entry, group_id, True, "keeper", "; ".join(self.reasons(group)))
        for other, why in plan.also_kept:
            if other.uri == entry.uri:
                return Kept(entry, group_id, False, self._why_in_any_case(entry), why)
        if all(other.uri != entry.uri for other in plan.deleted):
            return Kept(entry, group_id, False, "not_covered", _SINCE)
        reason = evidence(SAME_BYTES, entry, plan.kept)
        return Deleted(entry, plan.kept.uri, group_id, Relation.EXACT, 1.0, reason)

    def _why_in_any_case(self, entry: BlobEntry) -> str:
        if entry.holder is Holder.BOTH:
            return "reference"
        return "protected" if self._resolution.census.is_protected(entry) else "same_object"

    def _has_several_blobs(self, image_id: int) -> bool:
        return bool(self._resolution.census.blobs_of_image[image_id] > 1)

    def _alone(self, entry: BlobEntry) -> Kept:
        """The reason of an image that is neither a keeper nor deleted."""
        resolution, image_id = self._resolution, entry.image_id
        if entry.holder is Holder.BOTH:
            return Kept(entry, "", False, "reference", IN_REFERENCE)
        if resolution.census.is_protected(entry):
            return Kept(entry, "", False, "protected", "in a protected folder")
        if image_id in resolution.constraints.favoured:
            return Kept(entry, "", False, "decided", "you decided to keep it")
        if resolution.census.is_shared(entry):
            return Kept(entry, "", False, "same_object", "one of several names of one file")
        if looks_like_raw(entry.uri) and self._catalog.record(image_id).format == RAW_FORMAT:
            return Kept(entry, "", False, "raw", self._why_raw(entry))
        if image_id < len(resolution.was_linked) and resolution.was_linked[image_id]:
            return Kept(entry, "", False, *WHY_ALONE[_LINKED])
        return Kept(entry, "", False, *WHY_ALONE[_NO_COPIES])

    def _images_alone(self) -> bytes:
        """For each image id a place in `WHY_ALONE`, or 0."""
        resolution, census = self._resolution, self._resolution.census
        size = len(resolution.group_of)
        is_alone = (resolution.group_of == 0) & (resolution.keeper_of == 0)
        is_alone &= census.blobs_of_image[:size] <= 1
        others = (
            census.protected_images,
            census.reference_images,
            census.linked_images,
            census.named_raw,
            resolution.constraints.favoured,
        )
        for ids in others:
            is_alone &= ~flags_of(ids, size)
        # That of blobs without an image.
        is_alone[0] = False
        linked = resolution.was_linked
        return np.where(is_alone, np.where(linked, _LINKED, _NO_COPIES), 0).astype("u1").tobytes()

    def _why_raw(self, entry: BlobEntry) -> str:
        beside = developed_beside(self._catalog, entry)
        if beside:
            return f"a RAW file; one shot with {beside[0].uri.rpartition('/')[2]}"
        return "a RAW file: only one with the same bytes stands for it"

    def _member(self, image_id: int) -> Member:
        group = self._resolution.group(image_id)
        assert group is not None
        place = int(self._resolution.group_of[image_id])
        if place not in self._members:
            self._members[place] = {member.image_id: member for member in group.members}
            while len(self._members) > _PLANS_IN_MEMORY:
                self._members.popitem(last=False)
        return self._members[place][image_id]
