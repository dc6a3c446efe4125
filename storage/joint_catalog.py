"""An index and a reference index as one catalog, so that the one is resolved against the other.

Verdicts are read from and written to the index alone. The reference index is only ever read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from storage.catalog import Catalog
from storage.errors import IndexMismatch
from storage.joint_ids import JointIds
from storage.records import BlobEntry, Holder, ImageRecord


class JointCatalog:
    """A `CatalogView` of two open catalogs; valid while they are open.

    Args:
        index: the one that is resolved.
        reference: the other, opened to be read.
        ids: made from the two by `JointIds.matching`. With one that knows no shared images, records
            and previews of any joint id can still be read, which is all that a worker needs.
    """

    def __init__(self, index: Catalog, reference: Catalog, ids: JointIds) -> None:
        self._index = index
        self._reference = reference
        self.ids = ids

    @classmethod
    def open_readers(
        cls, index: Path, reference: Path, own_last: int, reference_last: int
    ) -> JointCatalog:
        """Both catalogs opened to be read in another process, for records and previews.

        Args:
            own_last, reference_last: of the `ids` there.
        """
        return cls(
            Catalog.open_reader(index),
            Catalog.open_reader(reference),
            JointIds(own_last, reference_last),
        )

    def require_agreement(self) -> None:
        """Check that blobs which both indexes list have the same content in both.

        A reference index that says otherwise than the index is out of date, or the index is, and an
        image could be deleted in favour of one that is no longer there.

        Raises:
            IndexMismatch: naming one of those that differ.
        """
        differing = 0
        first = ""
        for entry in self._index.blobs():
            other = self._reference.blob(entry.uri)
            # An image that could not be read is neither deleted nor a keeper.
            if other is None or not (entry.image_id and other.image_id):
                continue
            if self.ids.of_own(entry.image_id) != self._joint(other):
                differing += 1
                first = first or entry.uri
        if differing:
            raise IndexMismatch(
                f"{differing:,} of the files that both indexes list have another content in each, "
                f"such as {first}.",
                "One of the two is out of date: run `dedup index` on both again.",
            )

    def blobs(self) -> Iterator[BlobEntry]:
        """The blobs of the index, as `Catalog.blobs` orders them; then those that only the
        reference index lists."""
        for entry in self._index.blobs():
            yield self._own(entry)
        for entry in self._reference.blobs():
            if entry.image_id <= self.ids.reference_last and self._index.blob(entry.uri) is None:
                yield self._foreign(entry)

    def blobs_of(self, image_id: int) -> list[BlobEntry]:
        """The blobs of the index that hold this image, then those of the reference index."""
        own, reference = self.ids.to_own(image_id), self.ids.to_reference(image_id)
        found = [] if own is None else [self._own(each) for each in self._index.blobs_of(own)]
        if reference is not None:
            found += [
                self._foreign(entry)
                for entry in self._reference.blobs_of(reference)
                if self._index.blob(entry.uri) is None
            ]
        return found

    def image_id(self, digest: bytes) -> int | None:
        """The image with this SHA-256, in either index."""
        own = self._index.image_id(digest)
        if own is not None:
            return self.ids.of_own(own)
        reference = self._reference.image_id(digest)
        if reference is None or reference > self.ids.reference_last:
            return None
        return self.ids.own_last + reference

    def record(self, image_id: int) -> ImageRecord:
        """Raises KeyError when there is no such image."""
        catalog, own_id = self._where(image_id)
        return catalog.record(own_id)

    def preview(self, image_id: int) -> bytes:
        """A JPEG. Raises KeyError when there is no such image."""
        catalog, own_id = self._where(image_id)
        return catalog.preview(own_id)

    @property
    def image_count(self) -> int:
        """Images of the index."""
        return self._index.image_count

    @property
    def last_image_id(self) -> int:
        """No image that was there when the two were opened has a higher id."""
        return self.ids.last

    def verdict(self, digest_low: bytes, digest_high: bytes, verifier: str) -> bytes | None:
        """As `Catalog.verdict`, of the index."""
        return self._index.verdict(digest_low, digest_high, verifier)

    def put_verdicts(self, verifier: str, rows: Iterable[tuple[bytes, bytes, bytes]]) -> None:
        """As `Catalog.put_verdicts`, into the index."""
        self._index.put_verdicts(verifier, rows)

    def _where(self, image_id: int) -> tuple[Catalog, int]:
        own = self.ids.to_own(image_id)
        if own is not None:
            return self._index, own
        return self._reference, image_id - self.ids.own_last

    def _own(self, entry: BlobEntry) -> BlobEntry:
        is_in_both = self._reference.blob(entry.uri) is not None
        image_id = self.ids.of_own(entry.image_id)
        if not is_in_both and image_id == entry.image_id:
            return entry
        return replace(entry, image_id=image_id, holder=Holder.BOTH if is_in_both else Holder.OWN)

    def _foreign(self, entry: BlobEntry) -> BlobEntry:
        return replace(
            entry,
            image_id=self._joint(entry) if entry.image_id else 0,
            holder=Holder.REFERENCE,
        )

    def _joint(self, entry: BlobEntry) -> int:
        return int(self.ids.of_reference(np.array([entry.image_id], np.int64))[0])
