"""Which of the blobs of one image stay: byte-identical copies, and two names of one object."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resolve.preferences import Preference, PreferenceKind, Prefixes
from storage.records import BlobEntry, BlobStatus

# Uploading or copying a collection takes hours and orders its files by chance; a file that is
# older than its copy by more than this was there first.
SAME_AGE_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class BlobPlan:
    """What becomes of the blobs of an image that stays.

    Attributes:
        kept: the blob that stands for the image; deleted ones point to it.
        also_kept: those that stay too, each with why.
        deleted: the others.
    """

    kept: BlobEntry
    also_kept: tuple[tuple[BlobEntry, str], ...]
    deleted: tuple[BlobEntry, ...]


class BlobCensus:
    """What one pass over all blobs tells: how many an image has, which are one object.

    Takes 12 bytes for an id and 8 for a blob.
    """

    def __init__(self, entries: Iterable[BlobEntry], last_image_id: int, protect: Prefixes) -> None:
        self.blobs_of_image: NDArray[np.int32] = np.zeros(last_image_id + 1, np.int32)
        self.protected_images: set[int] = set()
        self.linked_images: set[int] = set()
        self.protected_prefixes: set[str] = set()
        self._protect = protect
        objects = array("q")
        owners = array("q")
        for entry in entries:
            if entry.object_id:
                objects.append(hash(entry.object_id))
                owners.append(entry.image_id)
            if entry.status is BlobStatus.INDEXED:
                self.blobs_of_image[entry.image_id] += 1
            prefix = protect.match(entry.uri)
            if prefix is not None:
                self.protected_prefixes.add(prefix)
                self.protected_images.add(entry.image_id)
        # Two objects with the same 64-bit hash would both be kept, which is safe.
        found = np.frombuffer(objects, np.int64) if objects else np.empty(0, np.int64)
        values, counts = np.unique(found, return_counts=True)
        self._shared: frozenset[int] = frozenset(values[counts > 1].tolist())
        if self._shared:
            self.linked_images = {
                owner
                for owner, number in zip(owners, objects, strict=True)
                if number in self._shared
            } - {0}
        self.protected_images.discard(0)

    def is_shared(self, entry: BlobEntry) -> bool:
        """True when another blob is a name of the same object: a hard link, a symbolic link."""
        return bool(entry.object_id) and hash(entry.object_id) in self._shared

    def is_protected(self, entry: BlobEntry) -> bool:
        """True when it lies under a protected prefix."""
        return self._protect.match(entry.uri) is not None

    def stays(self, entry: BlobEntry) -> bool:
        """True when it is never offered for deletion."""
        return self.is_protected(entry) or self.is_shared(entry)


def plan_blobs(
    entries: Sequence[BlobEntry], census: BlobCensus, prefer: Sequence[Preference]
) -> BlobPlan:
    """Chooses among the blobs of one image, which all hold the same bytes.

    The order: protected; kept in any case because it is one object under two names; what --prefer
    says; older by more than a day; the shorter path; the name.

    Args:
        entries: at least one.
    """
    oldest = min(entry.last_modified for entry in entries)
    newest = max(entry.last_modified for entry in entries)

    def rank(entry: BlobEntry) -> tuple[object, ...]:
        wishes: list[bool] = []
        for wish in prefer:
            if wish.kind is PreferenceKind.FOLDER:
                wishes.append(Prefixes((wish.value,)).match(entry.uri) is None)
            elif wish.kind is PreferenceKind.NEWEST:
                wishes.append(newest - entry.last_modified > SAME_AGE_SECONDS)
        is_later = entry.last_modified - oldest > SAME_AGE_SECONDS
        return (
            not census.is_protected(entry),
            not census.is_shared(entry),
            *wishes,
            is_later,
            len(entry.uri),
            entry.uri,
        )

    kept, *rest = sorted(entries, key=rank)
    also_kept: list[tuple[BlobEntry, str]] = []
    deleted: list[BlobEntry] = []
    for entry in rest:
        if census.is_protected(entry):
            also_kept.append((entry, "in a protected folder"))
        elif census.is_shared(entry):
            also_kept.append((entry, _same_object(entry, entries)))
        else:
            deleted.append(entry)
    return BlobPlan(kept, tuple(also_kept), tuple(deleted))


def _same_object(entry: BlobEntry, entries: Sequence[BlobEntry]) -> str:
    for other in entries:
        if other.uri != entry.uri and other.object_id == entry.object_id:
            return f"same object as {other.uri}"
    return "same object as another file"
