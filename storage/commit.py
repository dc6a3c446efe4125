"""What one batch of results does to the catalog, inside one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.blob import Blob
from storage.codec import (
    blob_key,
    decode_entry,
    decode_number,
    decode_record,
    encode_entry,
    encode_hashes,
    encode_number,
    encode_record,
)
from storage.databases import (
    LAST_IMAGE_ID,
    REMOVALS,
    Databases,
    Transaction,
    read_number,
    write_number,
)
from storage.holders import HolderChanges
from storage.image_rows import hashes_of, remove_rows, write_rows
from storage.listings import ListedPage, put_page
from storage.md5s import note_md5
from storage.records import F16, BlobEntry, BlobStatus, ImageFeatures, Limit
from storage.sums import checksums
from storage.vector_blocks import remove_vectors, write_vectors

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class IndexedBlob:
    """A blob and the digest of its content.

    Attributes:
        source: the canonical URI that listed it.
        is_unread: it has the size and MD5 of one with this content, and was not read.
    """

    blob: Blob
    source: str
    digest: bytes
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class UnreadableBlob:
    """A blob that gave no image, and why; `limit` as in `BlobEntry`."""

    blob: Blob
    source: str
    reason: str
    limit: Limit | None = None


@dataclass(slots=True)
class CatalogBatch:
    """Results that become visible together.

    Attributes:
        images: contents seen for the first time; those the catalog has already are ignored.
        indexed: their digests are among `images` or in the catalog.
        unreadable: blobs without an image.
        removed: URIs that are gone. Unknown ones are ignored.
        pages: of the listings of the run.
    """

    images: list[ImageFeatures] = field(default_factory=list)
    indexed: list[IndexedBlob] = field(default_factory=list)
    unreadable: list[UnreadableBlob] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    pages: list[ListedPage] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (self.images or self.indexed or self.unreadable or self.removed or self.pages)


class Commit:
    """Applies one batch to an open write transaction."""

    def __init__(self, txn: Transaction, databases: Databases) -> None:
        self._txn = txn
        self._db = databases
        self._left: set[int] = set()
        self._holders = HolderChanges(txn, databases)
        self._counts = {
            status: read_number(txn, databases, status.encode()) for status in BlobStatus
        }

    def apply(self, batch: CatalogBatch) -> dict[bytes, int]:
        """Write everything; the image id of each digest in the batch.

        Raises:
            ValueError: an indexed blob whose digest nobody knows, or a digest that is not SHA-256.
        """
        ids = self._add_images(batch.images)
        for blob in batch.indexed:
            if blob.digest not in ids:
                ids[blob.digest] = self._known_id(blob.digest)
            image_id = ids[blob.digest]
            entry = _entry(blob.blob, blob.source, image_id=image_id, is_unread=blob.is_unread)
            self._put(entry)
            if not blob.is_unread:
                note_md5(self._txn, self._db, blob.blob, blob.digest)
        for refused in batch.unreadable:
            self._put(
                _entry(refused.blob, refused.source, reason=refused.reason, limit=refused.limit)
            )
        for uri in batch.removed:
            key = blob_key(uri)
            if self._forget(key):
                self._txn.delete(key, db=self._db.blobs)
        self._remove_orphans()
        self._holders.write()
        for page in batch.pages:
            put_page(self._txn, self._db, page)
        for status, count in self._counts.items():
            write_number(self._txn, self._db, status.encode(), count)
        return ids

    def _add_images(self, images: Iterable[ImageFeatures]) -> dict[bytes, int]:
        ids: dict[bytes, int] = {}
        vectors: dict[str, dict[int, F16]] = {}
        rows: dict[int, bytes] = {}
        last = read_number(self._txn, self._db, LAST_IMAGE_ID)
        for image in images:
            digest = image.record.digest
            if len(digest) != _DIGEST_BYTES:
                raise ValueError(f"a digest has {_DIGEST_BYTES} bytes, not {len(digest)}")
            known = self._txn.get(digest, db=self._db.digests)
            if known is not None:
                ids[digest] = decode_number(known)
                continue
            last += 1
            ids[digest] = last
            rows[last] = self._add_image(last, image)
            for model, vector in image.embeddings.items():
                vectors.setdefault(model, {})[last] = vector
        write_rows(self._txn, self._db, rows)
        for model, of_model in vectors.items():
            write_vectors(self._txn, self._db.vectors, self._model_number(model), of_model)
        write_number(self._txn, self._db, LAST_IMAGE_ID, last)
        return ids

    def _add_image(self, image_id: int, image: ImageFeatures) -> bytes:
        """Its row (`storage.image_rows`), which is written with those of the others."""
        txn, db, key = self._txn, self._db, encode_number(image_id)
        record, hashes = encode_record(image.record), encode_hashes(image.record)
        txn.put(image.record.digest, key, db=db.digests)
        # Ids ascend, so appending fills pages to the brim.
        txn.put(key, record, db=db.images, append=True)
        txn.put(key, image.preview, db=db.previews, append=True)
        return hashes + checksums(record, hashes, image.preview, image.embeddings)

    def _model_number(self, model: str) -> bytes:
        name = model.encode()
        number = self._txn.get(name, db=self._db.names)
        if number is None:
            number = (self._txn.stat(self._db.names)["entries"] + 1).to_bytes(2, "big")
            self._txn.put(name, number, db=self._db.names)
        return number

    def _known_id(self, digest: bytes) -> int:
        known = self._txn.get(digest, db=self._db.digests)
        if known is None:
            raise ValueError(f"no image with digest {digest.hex()} in the catalog or the batch")
        return decode_number(known)

    def _put(self, entry: BlobEntry) -> None:
        key = blob_key(entry.uri)
        self._forget(key)
        self._txn.put(key, encode_entry(entry), db=self._db.blobs)
        self._counts[entry.status] += 1
        if entry.status is BlobStatus.INDEXED:
            self._holders.add(entry.image_id, key)

    def _forget(self, key: bytes) -> bool:
        """Undo what an earlier entry left in the other databases and the counts."""
        value = self._txn.get(key, db=self._db.blobs)
        if value is None:
            return False
        old = decode_entry(key, value)
        self._counts[old.status] -= 1
        if old.status is BlobStatus.INDEXED:
            self._holders.remove(old.image_id, key)
            self._left.add(old.image_id)
        return True

    def _remove_orphans(self) -> None:
        txn, db = self._txn, self._db
        orphans = [image_id for image_id in sorted(self._left) if self._holders.has_none(image_id)]
        if not orphans:
            return
        with txn.cursor(db=db.names) as cursor:
            models = list(cursor.iternext(keys=False, values=True))
        for image_id in orphans:
            key = encode_number(image_id)
            record = txn.pop(key, db=db.images)
            if record is not None:
                known = decode_record(record, hashes_of(txn, db, image_id) or b"")
                txn.delete(known.digest, db=db.digests)
            txn.delete(key, db=db.previews)
        remove_rows(txn, db, orphans)
        for model in models:
            remove_vectors(txn, db.vectors, model, orphans)
        write_number(txn, db, REMOVALS, read_number(txn, db, REMOVALS) + len(orphans))


def _entry(
    blob: Blob,
    source: str,
    *,
    image_id: int = 0,
    reason: str = "",
    limit: Limit | None = None,
    is_unread: bool = False,
) -> BlobEntry:
    return BlobEntry(
        uri=blob.uri,
        size=blob.size,
        etag=blob.etag,
        last_modified=blob.last_modified,
        object_id=blob.object_id,
        source=source,
        status=BlobStatus.INDEXED if image_id else BlobStatus.UNREADABLE,
        image_id=image_id,
        reason=reason,
        limit=limit,
        is_unread=is_unread,
    )
