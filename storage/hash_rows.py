"""Wavelet hashes in the catalog: the rows of 64 neighbouring image ids to a value.

A row of its own takes 63 bytes of the file for 44, and reading three million of them one by one is
what opening the hash index would mostly do. The layout is that of `storage.vector_blocks`, a row
taking the place of 22 float16.

In an index of schema 2 each row has a value of its own; what is added to one goes into blocks. Ids
ascend and are never reused, so all rows of their own have lower ids than those in blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.codec import HASH_BYTES, LayoutError, encode_number
from storage.databases import Databases, Transaction
from storage.records import U8
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


def write_hashes(txn: Transaction, databases: Databases, rows: Mapping[int, bytes]) -> None:
    """Add the rows of some images. Raises LayoutError."""
    vectors = {image_id: np.frombuffer(row, "<f2") for image_id, row in rows.items()}
    write_vectors(txn, databases.hash_rows, _NO_MODEL, vectors)


def remove_hashes(txn: Transaction, databases: Databases, image_ids: Sequence[int]) -> None:
    """Forget the rows of some images. Raises LayoutError."""
    for image_id in image_ids:
        txn.delete(encode_number(image_id), db=databases.hashes)
    remove_vectors(txn, databases.hash_rows, _NO_MODEL, list(image_ids))


def hashes_of(txn: Any, databases: Databases, image_id: int) -> bytes | None:
    """The row of one image; None without one. Raises LayoutError.

    Args:
        txn: a transaction, with or without buffers.
    """
    if databases.hash_rows is not None:
        block = txn.get(block_key(_NO_MODEL, image_id), db=databases.hash_rows)
        row = None if block is None else decode_one(block, image_id)
        if row is not None:
            return row.tobytes()
    own = txn.get(encode_number(image_id), db=databases.hashes)
    return None if own is None else bytes(own)


def decode_hash_blocks(rows: Sequence[tuple[bytes, bytes]]) -> tuple[I64, U8]:
    """Ids (n,), ascending, and rows (n, 44) of some blocks. Raises LayoutError."""
    blocks = [decode_block(key, value) for key, value in rows]
    if any(2 * found.shape[1] != HASH_BYTES for _, found in blocks):
        raise LayoutError("not a block of hashes")
    ids = np.concatenate([ids for ids, _ in blocks])
    return ids, np.concatenate([found for _, found in blocks]).view(np.uint8)
