"""An index and a reference index as one catalog, so that the one is resolved against the other.

Verdicts are read from and written to the index alone. The reference index is only ever read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from storage.blob_columns import BlobColumns
from storage.catalog import Catalog
from storage.codec import blob_key
from storage.errors import IndexMismatch
from storage.joint_ids import JointIds
from storage.records import BlobEntry, Holder, ImageOutline, ImageRecord

_BLOBS_TOGETHER = 1024


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
        for own, other in self._listed():
            # An image that could not be read is neither deleted nor a keeper.
            if own is None or other is None or not (own.image_id and other.image_id):
                continue
            if self.ids.of_own(own.image_id) != self.ids.of_one_reference(other.image_id):
                differing += 1
                first = first or own.uri
        if differing:
            raise IndexMismatch(
                f"{differing:,} of the files that both indexes list have another content in each, "
                f"such as {first}.",
                "One of the two is out of date: run `dedup index` on both again.",
            )

    def blobs(self) -> Iterator[BlobEntry]:
        """The blobs of both, each once, in the order of `Catalog.blobs`."""
        for own, other in self._listed():
            if own is not None:
                yield self._own(own, is_in_both=other is not None)
            elif other is not None and other.image_id <= self.ids.reference_last:
                yield self._foreign(other)

    def blob_columns(self) -> Iterator[BlobColumns]:
        """The same as columns."""
        blobs = self.blobs()
        while together := list(islice(blobs, _BLOBS_TOGETHER)):
            yield BlobColumns.of_entries(together)

    def blob(self, uri: str) -> BlobEntry | None:
        """What is known of one URI, in either index."""
        own, other = self._index.blob(uri), self._reference.blob(uri)
        if own is not None:
            return self._own(own, is_in_both=other is not None)
        return None if other is None else self._foreign(other)

    def blobs_of(self, image_id: int) -> list[BlobEntry]:
        """The blobs of the index that hold this image, then those of the reference index."""
        own, reference = self.ids.to_own(image_id), self.ids.to_reference(image_id)
        found = []
        for entry in [] if own is None else self._index.blobs_of(own):
            is_in_both = self._reference.blob(entry.uri) is not None
            found.append(self._own(entry, is_in_both=is_in_both))
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

    def outline(self, image_id: int) -> ImageOutline:
        """Raises KeyError when there is no such image."""
        catalog, own_id = self._where(image_id)
        return catalog.outline(own_id)

    def digest(self, image_id: int) -> bytes:
        """SHA-256. Raises KeyError when there is no such image."""
        catalog, own_id = self._where(image_id)
        return catalog.digest(own_id)

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

    def _listed(self) -> Iterator[tuple[BlobEntry | None, BlobEntry | None]]:
        """Every URI with what the index and what the reference index know of it: one walk along
        both, which are in the same order."""
        mine, theirs = _with_keys(self._index), _with_keys(self._reference)
        own, other = next(mine, None), next(theirs, None)
        while own is not None or other is not None:
            if other is None or (own is not None and own[0] < other[0]):
                assert own is not None
                yield own[1], None
                own = next(mine, None)
            elif own is None or other[0] < own[0]:
                yield None, other[1]
                other = next(theirs, None)
            else:
                yield own[1], other[1]
                own, other = next(mine, None), next(theirs, None)

    def _own(self, entry: BlobEntry, *, is_in_both: bool) -> BlobEntry:
        image_id = self.ids.of_own(entry.image_id)
        if not is_in_both and image_id == entry.image_id:
            return entry
        return replace(entry, image_id=image_id, holder=Holder.BOTH if is_in_both else Holder.OWN)

    def _foreign(self, entry: BlobEntry) -> BlobEntry:
        return replace(
            entry,
            image_id=self.ids.of_one_reference(entry.image_id) if entry.image_id else 0,
            holder=Holder.REFERENCE,
        )


def _with_keys(catalog: Catalog) -> Iterator[tuple[bytes, BlobEntry]]:
    return ((blob_key(entry.uri), entry) for entry in catalog.blobs())
