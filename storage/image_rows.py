"""What the catalog has of every image in the same length: rows, 64 neighbouring ids to a value.

    row     hashes and texture (44 bytes, `storage.codec`), checksums (16 bytes, `storage.sums`)

64 rows fill a page. Rows on their own took 98 bytes an image, and reading three million of them one
by one was what opening the hash index mostly did. The layout is that of `storage.vector_blocks`,
a row taking the place of 30 float16.

In an index of schema 2 hashes and checksums have values of their own (`hashes`, `sums`); what is
added to one goes into blocks. Ids ascend and are never reused, so all that have values of their own
are lower than those in blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from storage.codec import HASH_BYTES, LayoutError, encode_number
from storage.databases import Databases, Transaction
from storage.records import U8
from storage.sums import SUMS_BYTES
from storage.vector_blocks import (
    block_key,
    decode_block,
    decode_one,
    remove_vectors,
    write_vectors,
)

# Instead of the number of a model.
_NO_MODEL = b""

I64 = NDArray[np.int64]


def write_rows(txn: Transaction, databases: Databases, rows: Mapping[int, bytes]) -> None:
    """Add the rows of some images. Raises LayoutError."""
    vectors = {image_id: np.frombuffer(row, "<f2") for image_id, row in rows.items()}
    write_vectors(txn, databases.image_rows, _NO_MODEL, vectors)


def remove_rows(txn: Transaction, databases: Databases, image_ids: Sequence[int]) -> None:
    """Forget the rows of some images. Raises LayoutError."""
    for key in map(encode_number, image_ids):
        txn.delete(key, db=databases.hashes)
        txn.delete(key, db=databases.sums)
    remove_vectors(txn, databases.image_rows, _NO_MODEL, list(image_ids))


def hashes_of(txn: Transaction, databases: Databases, image_id: int) -> bytes | None:
    """Hashes and texture of one image; None without them. Raises LayoutError."""
    row = _row(txn, databases, image_id)
    return row[:HASH_BYTES] if row else txn.get(encode_number(image_id), db=databases.hashes)


def sums_of(txn: Transaction, databases: Databases, image_id: int) -> bytes | None:
    """Checksums of one image; None without them. Raises LayoutError."""
    row = _row(txn, databases, image_id)
    if row:
        return row[HASH_BYTES:]
    if databases.sums is None:
        return None
    return txn.get(encode_number(image_id), db=databases.sums)


def _row(txn: Transaction, databases: Databases, image_id: int) -> bytes:
    if databases.image_rows is None:
        return b""
    block = txn.get(block_key(_NO_MODEL, image_id), db=databases.image_rows)
    row = None if block is None else decode_one(block, image_id)
    return b"" if row is None else row.tobytes()


def decode_hash_blocks(rows: Sequence[tuple[bytes, bytes]]) -> tuple[I64, U8]:
    """Ids (n,), ascending, and their hashes and texture (n, 44). Raises LayoutError."""
    blocks = [decode_block(key, value) for key, value in rows]
    if any(2 * found.shape[1] != HASH_BYTES + SUMS_BYTES for _, found in blocks):
        raise LayoutError("not a block of rows of images")
    ids = np.concatenate([ids for ids, _ in blocks])
    found = np.concatenate([found for _, found in blocks]).view(np.uint8)
    return ids, np.ascontiguousarray(found[:, :HASH_BYTES])
