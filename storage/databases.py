"""The named databases inside catalog.lmdb, and how they are walked.

    meta         name → number or value: schema, parameters, last_image_id, removals, identity (16
                 random bytes, others in each catalog that gives ids), and the number of blobs with
                 each status
    blobs        key of the URI → blob entry
    holders      image id // 16 → the keys of the blobs that hold these images (`storage.holders`)
    image_blobs  image id, key of the URI → nothing: the same, of images indexed with schema 2
    images       image id → record
    digests      SHA-256 of the content → image id
    image_rows   image id // 64 → wavelet hashes and texture, for scans that need nothing else, and
                 checksums of what is stored of the image (`storage.image_rows`)
    hashes       image id → wavelet hashes and texture, of images indexed with schema 2
    previews     image id → JPEG
    names        name of a model → its number (2 bytes, big-endian)
    vectors      number of a model, image id // 64 → vectors (`storage.vector_blocks`)
    verdicts     first 16 bytes of the SHA-256 of the verifier's version, lower digest, higher
                 digest → verdict, as its owner encoded it
    runs         run id → run
    sums         image id → checksums of what is stored of it, of images indexed with schema 2
    listings     16 bytes of the BLAKE2b of a source's URI, page → what an unfinished run has listed
                 (`storage.listings`). Only the writer opens it.
    md5s         size, MD5 → SHA-256 of the content that goes with them, or nothing where there are
                 two (`storage.md5s`). Only the writer opens it.

Keys and values are laid out as `storage.codec` says. Image ids ascend from 1 and are never reused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, TypeAlias

import lmdb

from storage.codec import decode_number, encode_number
from storage.errors import IndexMismatch, NotAnIndex
from storage.faults import storage_faults
from storage.held_read import Environment
from storage.parameters import OLDEST_SCHEMA, SCHEMA_VERSION

SCHEMA = b"schema"
PARAMETERS = b"parameters"
LAST_IMAGE_ID = b"last_image_id"
REMOVALS = b"removals"
IDENTITY = b"identity"

# Quoted: only the type stubs know that transactions without buffers give bytes.
Transaction: TypeAlias = "lmdb.Transaction[bytes]"


@dataclass(frozen=True, slots=True)
class Databases:
    """Handles of the named databases; what each holds is in the docstring of the module."""

    meta: Any
    blobs: Any
    image_blobs: Any
    images: Any
    digests: Any
    hashes: Any
    previews: Any
    names: Any
    vectors: Any
    verdicts: Any
    runs: Any
    # Not in indexes of earlier versions, until somebody writes to them.
    sums: Any = None
    listings: Any = None
    md5s: Any = None
    image_rows: Any = None
    holders: Any = None


def open_databases(environment: lmdb.Environment, path: Path, *, is_writable: bool) -> Databases:
    """Open the databases, and make them when the catalog is new.

    Raises:
        NotAnIndex: an LMDB file without them.
        IndexMismatch: of another schema.
        IndexStorageError: damaged, or the disk is full.
    """
    with storage_faults(path):
        try:
            # What an index holds goes with its schema, so that is asked for before anything else.
            meta = environment.open_db(b"meta", create=is_writable)
            with environment.begin() as txn:
                schema = decode_number(txn.get(SCHEMA, b"", db=meta))
            _require_known(schema, path)
            # A transaction of its own each, because handles opened in a read transaction do not
            # outlive it. Making a catalog is a few small commits, each of which may be the last:
            # the next opening makes what is missing.
            databases = Databases(
                **{
                    f.name: _opened(environment, f.name, is_writable, f.default is None)
                    for f in fields(Databases)
                }
            )
        except (lmdb.NotFoundError, lmdb.ReadonlyError) as error:
            raise NotAnIndex(
                f"The file in {path} holds no catalog.", "Make one with `dedup index`."
            ) from error
        if is_writable and schema < SCHEMA_VERSION:
            # From now on an earlier version would not see all that is there.
            with environment.begin(write=True) as txn:
                write_number(txn, databases, SCHEMA, SCHEMA_VERSION)
                txn.put(IDENTITY, os.urandom(16), db=meta)
    return databases


def _opened(environment: lmdb.Environment, name: str, is_writable: bool, is_optional: bool) -> Any:
    try:
        return environment.open_db(name.encode(), create=is_writable)
    except (lmdb.NotFoundError, lmdb.ReadonlyError):
        # An index of an earlier version is still to be read by those who cannot add to it.
        if is_optional and not is_writable:
            return None
        raise


def _require_known(schema: int, path: Path) -> None:
    if schema > SCHEMA_VERSION:
        raise IndexMismatch(
            f"The catalog in {path} has schema {schema}, this version knows {SCHEMA_VERSION}.",
            "Use the version of dedup that made it, or index into a new directory.",
        )
    if 0 < schema < OLDEST_SCHEMA:
        raise IndexMismatch(
            f"The catalog in {path} was made by an earlier version (schema {schema}, not "
            f"{SCHEMA_VERSION}).",
            "Index into a new directory with --index DIR.",
        )


def read_number(txn: Transaction, databases: Databases, name: bytes) -> int:
    """A counter of the meta database; 0 when it was never written."""
    return decode_number(txn.get(name, b"", db=databases.meta))


def write_number(txn: Transaction, databases: Databases, name: bytes, number: int) -> None:
    txn.put(name, encode_number(number), db=databases.meta)


def scan(
    environment: Environment,
    path: Path,
    database: Any,
    *,
    start: bytes = b"",
    prefix: bytes = b"",
    rows: int,
) -> Iterator[list[tuple[bytes, bytes]]]:
    """Keys and values in key order, from `start`, while they begin with `prefix`.

    Each list comes from a transaction of its own: one held open by a slow consumer would keep the
    writer from reusing pages. What is committed meanwhile further along is therefore seen, but not
    in a snapshot.
    """
    position = max(start, prefix)
    while True:
        found: list[tuple[bytes, bytes]] = []
        with (
            storage_faults(path),
            environment.begin() as txn,
            txn.cursor(db=database) as cursor,
        ):
            if cursor.set_range(position):
                found = list(islice(cursor, rows))
        is_last = len(found) < rows
        if found and not found[-1][0].startswith(prefix):
            # They are in order, so those that begin so come first.
            found = list(takewhile(lambda row: row[0].startswith(prefix), found))
            is_last = True
        if found:
            yield found
        if is_last:
            return
        position = found[-1][0] + b"\0"
