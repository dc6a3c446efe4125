"""The catalog: the truth about every blob and every image, in LMDB.

One process writes (see `IndexDirectory.write_lock`), any number read. Each commit is one
transaction: a process killed at any moment leaves the catalog as its last commit made it. What is
stored where is told in `storage.databases`, how in `storage.codec`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.blob_columns import BlobColumns
from storage.catalog_listings import CatalogListings
from storage.codec import (
    blob_key,
    decode_digest,
    decode_entry,
    decode_hashes,
    decode_number,
    decode_outline,
    decode_parameters,
    decode_record,
    decode_run,
    encode_number,
    encode_parameters,
    encode_run,
    prefix_key,
)
from storage.commit import CatalogBatch, Commit, IndexedBlob, UnreadableBlob
from storage.databases import (
    IDENTITY,
    LAST_IMAGE_ID,
    PARAMETERS,
    REMOVALS,
    scan,
)
from storage.faults import storage_faults
from storage.fingerprint import content_fingerprint
from storage.holders import blob_keys_of, number_of_holders
from storage.image_rows import decode_hash_blocks, hashes_of, sums_of
from storage.md5s import digest_of_md5
from storage.parameters import OLDEST_SCHEMA, SCHEMA_VERSION, IndexParameters
from storage.records import F16, F32, U8, BlobEntry, BlobStatus, ImageOutline, ImageRecord
from storage.runs import Json, Run
from storage.vector_blocks import (
    IDS_PER_BLOCK,
    block_key,
    decode_block,
    decode_one,
    read_vectors,
    stacked,
)

__all__ = ["Catalog", "CatalogBatch", "IndexedBlob", "UnreadableBlob"]

_ROWS = 1024
_HASHES_AT_ONCE = 65_536


class Catalog(CatalogListings):
    """Open with `open_writer` or `open_reader`; use as a context manager.

    Every method raises IndexStorageError when the disk is full or faulty or the file damaged.
    Iterators read a stretch at a time and see what is committed ahead of them meanwhile.
    """

    @classmethod
    def open_writer(cls, path: Path) -> Catalog:
        """The catalog in the directory `path`, made when absent.

        Raises:
            IndexMismatch: of a newer schema.
            IndexStorageError: not permitted, damaged, or the disk is full.
        """
        return cls(path, is_writable=True)

    @classmethod
    def open_reader(cls, path: Path) -> Catalog:
        """The catalog in the directory `path`, which may be read-only.

        Raises:
            NotAnIndex: there is none.
            IndexMismatch, IndexStorageError: as for `open_writer`.
        """
        return cls(path, is_writable=False)

    @classmethod
    def open_snapshot(cls, path: Path) -> Catalog:
        """The catalog as it is now, whatever is committed later; safe in several threads.

        Close it before long: until then the file grows with every commit.

        Raises:
            NotAnIndex, IndexMismatch, IndexStorageError: as for `open_reader`.
        """
        catalog = cls(path, is_writable=False)
        try:
            catalog._hold()
        except BaseException:
            catalog.close()
            raise
        return catalog

    def commit(self, batch: CatalogBatch) -> dict[bytes, int]:
        """Store a batch in one transaction; the image id of every digest in it.

        A known digest keeps its id and its record. An image whose last blob went away is removed
        with all that belongs to it, and counted in `removals`; verdicts on it stay, for it may
        come back.

        Raises:
            ValueError: an indexed blob whose digest nobody knows.
        """
        with self._write() as txn:
            return Commit(txn, self._db).apply(batch)

    def blob(self, uri: str) -> BlobEntry | None:
        """What is known of one URI."""
        key = blob_key(uri)
        with storage_faults(self._path):
            value = self._get(self._db.blobs, key)
            return None if value is None else decode_entry(key, value)

    def blobs(self, source: str | None = None) -> Iterator[BlobEntry]:
        """All blobs, or those that `source` (a canonical URI) listed last.

        They come in the order of the UTF-8 of their URIs; those with the same first 440 bytes, in
        any order.
        """
        prefix = b"" if source is None else prefix_key(source)
        for rows in scan(self._environment, self._path, self._db.blobs, prefix=prefix, rows=_ROWS):
            with storage_faults(self._path):
                entries = [decode_entry(key, value) for key, value in rows]
            for entry in entries:
                if source is None or entry.source == source:
                    yield entry

    def blob_columns(self) -> Iterator[BlobColumns]:
        """What is asked of every blob, of all blobs, in the order of `blobs`."""
        for rows in scan(self._environment, self._path, self._db.blobs, rows=_ROWS):
            with storage_faults(self._path):
                columns = BlobColumns.of_rows(rows, self._entry)
            yield columns

    def _entry(self, key: bytes, value: bytes) -> BlobEntry:
        with storage_faults(self._path):
            return decode_entry(key, value)

    def blobs_of(self, image_id: int) -> list[BlobEntry]:
        """The blobs whose content is this image, in the order of `blobs`."""
        found = self.blob_keys_of(image_id)
        with self._read() as txn:
            return [decode_entry(key, txn.get(key, b"", db=self._db.blobs)) for key in found]

    def blob_keys_of(self, image_id: int) -> list[bytes]:
        """The keys of the blobs whose content is this image."""
        with self._read() as txn:
            return blob_keys_of(txn, self._db, image_id)

    def holder_count(self) -> int:
        """How many blobs images know of, counted one by one."""
        with self._read() as txn:
            return number_of_holders(txn, self._db)

    def image_id(self, digest: bytes) -> int | None:
        """The image with this SHA-256."""
        value = self._get(self._db.digests, digest)
        return None if value is None else decode_number(value)

    def digest_of_md5(self, size: int, md5: bytes) -> bytes | None:
        """The SHA-256 of the image whose blobs have this size and, by their listing, this MD5.

        For the writer. None when there is none, or blobs with other contents claim them too.
        """
        with self._read() as txn:
            return digest_of_md5(txn, self._db, size, md5)

    def record(self, image_id: int) -> ImageRecord:
        """Raises KeyError when there is no such image."""
        with self._read() as txn:
            value = txn.get(encode_number(image_id), db=self._db.images)
            if value is None:
                raise KeyError(image_id)
            return decode_record(value, hashes_of(txn, self._db, image_id) or b"")

    def outline(self, image_id: int) -> ImageOutline:
        """Of its record. Raises KeyError when there is no such image."""
        value = self._require(self._db.images, encode_number(image_id), image_id)
        with storage_faults(self._path):
            return decode_outline(value)

    def digest(self, image_id: int) -> bytes:
        """SHA-256. Raises KeyError when there is no such image."""
        value = self._require(self._db.images, encode_number(image_id), image_id)
        with storage_faults(self._path):
            return decode_digest(value)

    def records(self, start_id: int = 0) -> Iterator[tuple[int, ImageRecord]]:
        """Ids from `start_id` on, ascending, with their records."""
        for rows in self._scan_ids(self._db.images, start_id, _ROWS):
            ids = [decode_number(key) for key, _ in rows]
            with self._read() as txn:
                records = [
                    decode_record(value, hashes_of(txn, self._db, image_id) or b"")
                    for image_id, (_, value) in zip(ids, rows, strict=True)
                ]
            yield from zip(ids, records, strict=True)

    def row(self, image_id: int) -> tuple[bytes | None, bytes | None]:
        """Hashes with the texture, and checksums, of an image, as they are stored."""
        with self._read() as txn:
            return hashes_of(txn, self._db, image_id), sums_of(txn, self._db, image_id)

    def preview(self, image_id: int) -> bytes:
        """A JPEG. Raises KeyError when there is no such image."""
        return self._require(self._db.previews, encode_number(image_id), image_id)

    def embedding(self, model: str, image_id: int) -> F16:
        """float16, (dimension,). Raises KeyError when there is no such image or model."""
        value = self._require(self._db.vectors, block_key(self._model(model), image_id), image_id)
        with storage_faults(self._path):
            vector = decode_one(value, image_id)
        if vector is None:
            raise KeyError(image_id)
        return vector

    def embeddings(
        self, model: str, start_id: int = 0, batch: int = 4096
    ) -> Iterator[tuple[NDArray[np.int64], F16]]:
        """Ids from `start_id` on, int64 (n,), ascending, and float16 (n, dimension); n ≤ batch.

        Nothing when no image has an embedding of this model.
        """
        try:
            number = self._model(model)
        except KeyError:
            return
        for rows in scan(
            self._environment,
            self._path,
            self._db.vectors,
            start=block_key(number, start_id),
            prefix=number,
            rows=max(batch // IDS_PER_BLOCK, 1),
        ):
            with storage_faults(self._path):
                blocks = [decode_block(key, value) for key, value in rows]
                ids = np.concatenate([block_ids for block_ids, _ in blocks])
                vectors = stacked([block_vectors for _, block_vectors in blocks])
            wanted = ids >= start_id
            for start in range(0, int(wanted.sum()), batch):
                part = slice(start, start + batch)
                yield ids[wanted][part], vectors[wanted][part]

    def embeddings_of(self, model: str, image_ids: Sequence[int]) -> F16:
        """float16 (n, dimension), in the order asked for. Raises KeyError."""
        vectors, found = self.stored_embeddings(model, np.array(image_ids, np.int64))
        if not found.all():
            raise KeyError(int(image_ids[int(np.argmin(found))]))
        return vectors

    def stored_embeddings(
        self, model: str, image_ids: NDArray[np.int64]
    ) -> tuple[F16, NDArray[np.bool_]]:
        """float16 (n, dimension), in the order asked for, and bool (n,), whether there is one.

        Zeros where there is none; (n, 0) when there is none at all. KeyError: no such model.
        """
        number = self._model(model)
        with storage_faults(self._path):
            if self._held_vectors is not None:
                return self._held_vectors.read(number, image_ids)
            with self._environment.begin(buffers=True) as txn:
                return read_vectors(txn, self._db.vectors, number, image_ids)

    def hashes(
        self, start_id: int = 0, batch: int = 65536
    ) -> Iterator[tuple[NDArray[np.int64], U8, U8, F32]]:
        """Ids (n,), hash64 (n, 8), hash256 (n, 32) and texture (n,); n ≤ batch."""
        for rows in self._scan_ids(self._db.hashes, start_id, batch):
            with storage_faults(self._path):
                columns = decode_hashes([value for _, value in rows])
            yield _ids([key for key, _ in rows]), *columns
        for ids, found in self._hash_blocks(start_id, batch):
            with storage_faults(self._path):
                columns = decode_hashes([found.tobytes()])
            yield ids, *columns

    def image_ids(self) -> NDArray[np.int64]:
        """int64 (n,), ascending."""
        with self._read() as txn, txn.cursor(db=self._db.hashes) as cursor:
            own = _ids(list(cursor.iternext(keys=True, values=False)))
        return np.concatenate([own, *(ids for ids, _ in self._hash_blocks(0, _HASHES_AT_ONCE))])

    def _hash_blocks(self, start_id: int, batch: int) -> Iterator[tuple[NDArray[np.int64], U8]]:
        """Ids from `start_id` on, ascending, and rows of hashes (n, 44); n ≤ batch."""
        if self._db.image_rows is None:
            return
        blocks = max(batch // IDS_PER_BLOCK, 1)
        for rows in self._scan_ids(self._db.image_rows, start_id // IDS_PER_BLOCK, blocks):
            with storage_faults(self._path):
                ids, found = decode_hash_blocks(rows)
            wanted = ids >= start_id
            ids, found = ids[wanted], found[wanted]
            for start in range(0, len(ids), batch):
                yield ids[start : start + batch], found[start : start + batch]

    @property
    def image_count(self) -> int:
        """Images in the catalog."""
        with self._read() as txn:
            return int(txn.stat(self._db.images)["entries"])

    @property
    def preview_bytes(self) -> int:
        """What all previews take in the file, by whole pages, as LMDB keeps them."""
        with self._read() as txn:
            kept = txn.stat(self._db.previews)
        pages = kept["branch_pages"] + kept["leaf_pages"] + kept["overflow_pages"]
        return int(pages * kept["psize"])

    @property
    def blob_counts(self) -> dict[BlobStatus, int]:
        """How many blobs have each status."""
        return {status: self._number(status.encode()) for status in BlobStatus}

    @property
    def last_image_id(self) -> int:
        """The highest id given so far, its image removed or not; 0 when none was."""
        return self._number(LAST_IMAGE_ID)

    @property
    def removals(self) -> int:
        """Images removed so far."""
        return self._number(REMOVALS)

    @property
    def identity(self) -> bytes:
        """16 bytes that tell this catalog, and what is derived of its ids, from every other."""
        return self._get(self._db.meta, IDENTITY) or b""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models with embeddings, sorted."""
        with self._read() as txn, txn.cursor(db=self._db.names) as cursor:
            return tuple(name.decode() for name in cursor.iternext(keys=True, values=False))

    def parameters(self) -> IndexParameters | None:
        """What the index was made with; None when nothing was written yet."""
        value = self._get(self._db.meta, PARAMETERS)
        if value is None:
            return None
        with storage_faults(self._path):
            parameters = decode_parameters(value)
        if parameters.schema_version >= OLDEST_SCHEMA:
            # What is added to an index of an earlier schema is of this one.
            parameters = replace(parameters, schema_version=SCHEMA_VERSION)
        return parameters

    def set_parameters(self, parameters: IndexParameters) -> None:
        self._put_all(self._db.meta, [(PARAMETERS, encode_parameters(parameters))])

    def verdict(self, digest_low: bytes, digest_high: bytes, verifier: str) -> bytes | None:
        """The stored verdict of this version of the verifier.

        Raises:
            ValueError: the digests are not in byte order.
        """
        return self._get(self._db.verdicts, _verdict_key(digest_low, digest_high, verifier))

    def put_verdicts(self, verifier: str, rows: Iterable[tuple[bytes, bytes, bytes]]) -> None:
        """Store verdicts, in one transaction: lower digest, higher digest, value.

        Raises:
            ValueError: the digests of a row are not in byte order.
        """
        self._put_all(
            self._db.verdicts,
            [(_verdict_key(low, high, verifier), value) for low, high, value in rows],
        )

    def start_run(self, sources: Sequence[str], started_at: float) -> int:
        """Note the beginning of a run (seconds since the epoch); its id."""
        with self._write() as txn:
            with txn.cursor(db=self._db.runs) as cursor:
                run_id = decode_number(cursor.key()) + 1 if cursor.last() else 1
            run = Run(run_id, started_at, None, tuple(sources))
            txn.put(encode_number(run_id), encode_run(run), db=self._db.runs)
            return run_id

    def finish_run(self, run_id: int, finished_at: float, counts: Mapping[str, Json]) -> None:
        """Note the end of a run and its outcome. Raises KeyError when it was never started."""
        key = encode_number(run_id)
        run = decode_run(self._require(self._db.runs, key, run_id))
        finished = Run(run_id, run.started_at, finished_at, run.sources, dict(counts))
        self._put_all(self._db.runs, [(key, encode_run(finished))])

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        found: list[Run] = []
        for rows in self._scan_ids(self._db.runs, 0, _ROWS):
            with storage_faults(self._path):
                found += [decode_run(value) for _, value in rows]
        return found

    def content_fingerprint(self) -> str:
        """SHA-256, hex, over what is known, whatever the order in which it became known.

        It covers URIs, sizes, status, reasons, digests, records, previews and embeddings; not
        image ids, nor times. It reads the whole catalog.
        """
        return content_fingerprint(self)

    def digests(self) -> Iterator[tuple[bytes, int]]:
        """SHA-256 and image id of every image, in the order of the digests."""
        for rows in scan(self._environment, self._path, self._db.digests, rows=_ROWS):
            yield from ((key, decode_number(value)) for key, value in rows)

    def _model(self, name: str) -> bytes:
        number = self._get(self._db.names, name.encode())
        if number is None:
            raise KeyError(name)
        return number


def _ids(keys: Sequence[bytes]) -> NDArray[np.int64]:
    return np.frombuffer(b"".join(keys), ">i8").astype(np.int64)


def _verdict_key(digest_low: bytes, digest_high: bytes, verifier: str) -> bytes:
    if digest_low > digest_high:
        raise ValueError("the digests of a verdict are given in byte order")
    return sha256(verifier.encode()).digest()[:16] + digest_low + digest_high
