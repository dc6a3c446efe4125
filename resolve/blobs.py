"""Which of the blobs of one image stay: byte-identical copies, and two names of one object."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resolve.id_flags import IdFlags
from resolve.preferences import Preference, PreferenceKind, Prefixes
from storage.blob import raw_among
from storage.blob_columns import BlobColumns
from storage.records import BlobEntry, Holder

# Uploading or copying a collection takes hours and orders its files by chance; a file that is
# older than its copy by more than this was there first.
SAME_AGE_SECONDS = 86_400.0
IN_REFERENCE = "the reference index has this file too"


@dataclass(frozen=True, slots=True)
class BlobPlan:
    """What becomes of the blobs of an image that stays.

    Attributes:
        kept: the blob that stands for the image; deleted ones point to it.
        also_kept: those of the index that stay too, each with why.
        deleted: the others.
        why: what sets the kept one apart from them, as "has the shortest path"; "" without them.
    """

    kept: BlobEntry
    also_kept: tuple[tuple[BlobEntry, str], ...]
    deleted: tuple[BlobEntry, ...]
    why: str


# By place in the rank of a blob; the last ones counted from the end.
_WHY = {
    0: "is in the reference index",
    1: "is in a protected folder",
    2: "stays as one object under several names",
    3: "was read itself",
    -4: "is the oldest",  # by more than a day
    -3: "has the shortest path",
    -2: "is the oldest with so short a path",
    -1: "comes first by name",
}


class BlobCensus:
    """What one pass over all blobs tells: how many an image has, which are one object.

    Takes 12 bytes for an id, and 16 for a blob whose source tells which object it is.

    Attributes:
        blobs_of_image: int32 (last id + 1,), those of the reference index included.
        of_image: uint32 (last id + 1,): the sums of the blobs of each image; 0 for one without any.
            Another number tells that they have changed.
        protected_images: with a blob under a protected prefix, or in the reference index.
        reference_images: with a blob in the reference index.
        linked_images: with a blob that is one object with another.
        named_raw: with a blob that has the name of a RAW file.
        protected_prefixes: those that some blob of the index lies under.
    """

    def __init__(self, blobs: Iterable[BlobColumns], last_image_id: int, protect: Prefixes) -> None:
        self.protected_images = IdFlags(last_image_id)
        self.reference_images = IdFlags(last_image_id)
        self.linked_images = IdFlags(last_image_id)
        self.named_raw = IdFlags(last_image_id)
        self.protected_prefixes: set[str] = set()
        self._protect = protect
        objects = array("q")
        owners = array("q")
        self.blobs_of_image: NDArray[np.int32] = np.zeros(last_image_id + 1, np.int32)
        self.of_image: NDArray[np.uint32] = np.zeros(last_image_id + 1, np.uint32)
        for part in blobs:
            # Another process may have indexed more since: what it added stays.
            known = (part.image_ids > 0) & (part.image_ids <= last_image_id)
            np.add.at(self.blobs_of_image, part.image_ids[known], 1)
            np.add.at(self.of_image, part.image_ids[known], part.sums()[known])
            image_ids = part.image_ids.tolist()
            if any(part.object_ids):
                for image_id, object_id in zip(image_ids, part.object_ids, strict=True):
                    if object_id:
                        objects.append(hash(object_id))
                        owners.append(image_id)
            for place in raw_among(part.uris):
                if image_ids[place]:
                    self.named_raw.add(image_ids[place])
            if not protect and part.holders.count(Holder.OWN) == len(part):
                continue
            for image_id, uri, holder in zip(image_ids, part.uris, part.holders, strict=True):
                prefix = protect.match(uri)
                if prefix is not None and holder is not Holder.REFERENCE:
                    self.protected_prefixes.add(prefix)
                if image_id and holder is not Holder.OWN:
                    self.reference_images.add(image_id)
                if image_id and (prefix is not None or holder is not Holder.OWN):
                    self.protected_images.add(image_id)
        # Two objects with the same 64-bit hash would both be kept, which is safe.
        found = np.frombuffer(objects, np.int64) if objects else np.empty(0, np.int64)
        values, counts = np.unique(found, return_counts=True)
        self._shared: frozenset[int] = frozenset(values[counts > 1].tolist())
        if self._shared:
            for owner, number in zip(owners, objects, strict=True):
                if owner and number in self._shared:
                    self.linked_images.add(owner)

    def is_shared(self, entry: BlobEntry) -> bool:
        """True when another blob is a name of the same object: a hard link, a symbolic link."""
        return bool(entry.object_id) and hash(entry.object_id) in self._shared

    def is_under_prefix(self, entry: BlobEntry) -> bool:
        """True when it lies under a protected prefix."""
        return self._protect.match(entry.uri) is not None

    def is_protected(self, entry: BlobEntry) -> bool:
        """True when it lies under a protected prefix or in the reference index."""
        return entry.holder is not Holder.OWN or self.is_under_prefix(entry)

    def stays(self, entry: BlobEntry) -> bool:
        """True when it is never offered for deletion."""
        return self.is_protected(entry) or self.is_shared(entry)


def plan_blobs(
    entries: Sequence[BlobEntry], census: BlobCensus, prefer: Sequence[Preference]
) -> BlobPlan:
    """Chooses among the blobs of one image, which all hold the same bytes.

    The order: in the reference index; protected; kept in any case because it is one object under
    two names; read, and not only known by size and MD5; what --prefer says; older by more than a
    day; the shorter path; older at all; the name.

    Args:
        entries: at least one.
    """
    # The census cannot know a name that another process has indexed since.
    wants_newest = any(wish.kind is PreferenceKind.NEWEST for wish in prefer)
    names = Counter(entry.object_id for entry in entries if entry.object_id)
    oldest = min(entry.last_modified for entry in entries)
    newest = max(entry.last_modified for entry in entries)

    def is_shared(entry: BlobEntry) -> bool:
        return census.is_shared(entry) or names[entry.object_id] > 1

    def rank(entry: BlobEntry) -> tuple[object, ...]:
        wishes: list[bool] = []
        for wish in prefer:
            if wish.kind is PreferenceKind.FOLDER:
                wishes.append(Prefixes((wish.value,)).match(entry.uri) is None)
            elif wish.kind is PreferenceKind.NEWEST:
                wishes.append(newest - entry.last_modified > SAME_AGE_SECONDS)
        is_later = entry.last_modified - oldest > SAME_AGE_SECONDS
        return (
            entry.holder is Holder.OWN,
            not census.is_protected(entry),
            not is_shared(entry),
            entry.is_unread,
            *wishes,
            is_later,
            len(entry.uri),
            # A name says less than even a second does.
            -entry.last_modified if wants_newest else entry.last_modified,
            entry.uri,
        )

    kept, *rest = sorted(entries, key=rank)
    also_kept: list[tuple[BlobEntry, str]] = []
    deleted: list[BlobEntry] = []
    for entry in rest:
        if entry.holder is Holder.REFERENCE:
            continue
        if entry.holder is Holder.BOTH:
            also_kept.append((entry, IN_REFERENCE))
        elif census.is_protected(entry):
            also_kept.append((entry, "in a protected folder"))
        elif is_shared(entry):
            also_kept.append((entry, _same_object(entry, entries)))
        else:
            deleted.append(entry)
    why = ""
    if deleted:
        ours, theirs = rank(kept), rank(deleted[0])
        place = next(
            n for n, (mine, other) in enumerate(zip(ours, theirs, strict=True)) if mine != other
        )
        # Between the first and the last four stands what --prefer says.
        words = _WHY | {len(ours) + n: text for n, text in _WHY.items() if n < 0}
        if wants_newest:
            words[len(ours) - 2] = "is the newest with so short a path"
        why = words.get(place, "is preferred")
    return BlobPlan(kept, tuple(also_kept), tuple(deleted), why)


def _same_object(entry: BlobEntry, entries: Sequence[BlobEntry]) -> str:
    for other in entries:
        if other.uri != entry.uri and other.object_id == entry.object_id:
            return f"same object as {other.uri}"
    return "same object as another file"
