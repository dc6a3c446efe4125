"""Embeddings in the catalog: 64 neighbouring image ids to a value.

LMDB gives a value of more than half a page whole pages of its own. A vector of 1280 float16, 2,560
bytes, would take 4,096; in blocks it takes 2,624. A scan asks for one value instead of 64, and one
vector is read out of a block without touching the rest of it.

    key     number of the model, image id // 64
    value   8 bytes, little-endian: which of the 64 ids have a vector, the lowest bit for the lowest
            id; then a slot for each id up to the highest that has one, little-endian float16

The slot of an id without a vector is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import lmdb
import numpy as np
from numpy.typing import NDArray

from storage.codec import LayoutError, decode_number, encode_number
from storage.records import F16
from storage.resident import stay_within_bound

IDS_PER_BLOCK = 64
_FLAG_BYTES = 8
# Read one after the other between two looks at how much is mapped: 84 MB of 1280 float16.
_BLOCKS_BETWEEN_LOOKS = 512
_BITS = np.arange(IDS_PER_BLOCK, dtype=np.uint64)

I64 = NDArray[np.int64]
# Bytes, or what a transaction with buffers gives in their place.
Raw: TypeAlias = bytes | memoryview
# Which slots are taken, the lowest bit for the lowest id, and all slots.
Block: TypeAlias = tuple[int, F16]
Flags: TypeAlias = NDArray[np.bool_]
T = TypeVar("T")


def block_key(model: bytes, image_id: int) -> bytes:
    """The key of the block that this image is in; `model` is its number."""
    return model + encode_number(image_id // IDS_PER_BLOCK)


def decode_block(key: bytes, value: Raw) -> tuple[I64, F16]:
    """Ids (n,), ascending, and vectors (n, dimension) of a block; a copy. Raises LayoutError."""
    first = decode_number(bytes(key[-8:])) * IDS_PER_BLOCK
    flags, slots = _parsed(value)
    places = np.flatnonzero((np.uint64(flags) >> _BITS) & np.uint64(1))
    return first + places, slots[places]


def decode_one(value: Raw, image_id: int) -> F16 | None:
    """The vector of an image out of its block, a copy; None without one. Raises LayoutError."""
    flags, slots = _parsed(value)
    place = image_id % IDS_PER_BLOCK
    return slots[place].copy() if flags >> place & 1 else None


def stacked(parts: Sequence[F16]) -> F16:
    """The vectors of several blocks as one array. Raises LayoutError when lengths differ."""
    try:
        return np.concatenate(parts)
    except ValueError as error:
        raise LayoutError(f"not vectors of one model: {error}") from error


def block_of(txn: lmdb.Transaction[Any], database: Any, model: bytes, block: int) -> Block | None:
    """A block by its number, image id // 64; None where there is none. Raises LayoutError.

    Where values are buffers, it is valid as long as the transaction.
    """
    value = txn.get(model + encode_number(block), db=database)
    return None if value is None else _parsed(value)


def read_vectors(
    txn: lmdb.Transaction[Any], database: Any, model: bytes, image_ids: I64
) -> tuple[F16, Flags]:
    """Vectors (n, dimension), in the order asked for, and (n,) whether there is one.

    Those that are absent are zero; the dimension is 0 when all are. Raises LayoutError.
    """
    return gather(image_ids, partial(block_of, txn, database, model))


def gather(image_ids: I64, find: Callable[[int], Block | None]) -> tuple[F16, Flags]:
    """The same, out of the blocks that `find` returns by their numbers."""
    order = np.argsort(image_ids, kind="stable")
    blocks = image_ids[order] // IDS_PER_BLOCK
    starts = np.flatnonzero(np.r_[True, blocks[1:] != blocks[:-1]][: len(blocks)])
    vectors: F16 = np.zeros((len(image_ids), 0), np.float16)
    found = np.zeros(len(image_ids), bool)
    stops = [*starts[1:].tolist(), len(order)]
    numbers = blocks[starts].tolist()
    for count, (block, start, stop) in enumerate(
        zip(numbers, starts.tolist(), stops, strict=True), start=1
    ):
        if count % _BLOCKS_BETWEEN_LOOKS == 0:
            stay_within_bound()
        stored = find(block)
        if stored is None:
            continue
        flags, slots = stored
        rows = order[start:stop]
        places = image_ids[rows] % IDS_PER_BLOCK
        is_there = ((np.uint64(flags) >> places.astype(np.uint64)) & np.uint64(1)).astype(bool)
        if not vectors.shape[1]:
            vectors = np.zeros((len(image_ids), slots.shape[1]), np.float16)
        if slots.shape[1] != vectors.shape[1]:
            raise LayoutError("vectors of one model differ in length")
        vectors[rows[is_there]] = slots[places[is_there]]
        found[rows[is_there]] = True
    return vectors, found


def write_vectors(
    txn: lmdb.Transaction[bytes], database: Any, model: bytes, vectors: Mapping[int, F16]
) -> None:
    """Add or replace the vectors of some images. Raises LayoutError when lengths differ."""
    for key, in_block in _by_block(model, vectors):
        value = txn.get(key, db=database)
        flags, slots = _parsed(value) if value is not None else (0, None)
        last = max(max(in_block), flags.bit_length() - 1)
        dimension = len(next(iter(in_block.values())))
        merged = np.zeros((last + 1, dimension), "<f2")
        if slots is not None:
            if slots.shape[1] != dimension:
                raise LayoutError("vectors of one model differ in length")
            merged[: len(slots)] = slots
        for place, vector in in_block.items():
            merged[place] = vector
            flags |= 1 << place
        txn.put(key, _encoded(flags, merged), db=database)


def remove_vectors(
    txn: lmdb.Transaction[bytes], database: Any, model: bytes, image_ids: list[int]
) -> None:
    """Forget the vectors of some images; those that have none are ignored. Raises LayoutError."""
    for key, in_block in _by_block(model, dict.fromkeys(image_ids)):
        value = txn.get(key, db=database)
        if value is None:
            continue
        flags, slots = _parsed(value)
        left = flags
        for place in in_block:
            left &= ~(1 << place)
        if not left:
            txn.delete(key, db=database)
        elif left != flags:
            kept = slots[: left.bit_length()].copy()
            kept[[place for place in in_block if place < len(kept)]] = 0
            txn.put(key, _encoded(left, kept), db=database)


def _by_block(model: bytes, by_id: Mapping[int, T]) -> Iterator[tuple[bytes, dict[int, T]]]:
    """The keys of blocks, each with what belongs to its slots."""
    blocks: dict[int, dict[int, T]] = {}
    for image_id, item in by_id.items():
        block, place = divmod(image_id, IDS_PER_BLOCK)
        blocks.setdefault(block, {})[place] = item
    for block, in_block in sorted(blocks.items()):
        yield model + encode_number(block), in_block


def _encoded(flags: int, slots: NDArray[np.float16]) -> bytes:
    return flags.to_bytes(_FLAG_BYTES, "little") + slots.tobytes()


def _parsed(value: Raw) -> Block:
    """Which slots are taken, and all slots: a view of the value."""
    flags = int.from_bytes(value[:_FLAG_BYTES], "little")
    slots, rest = flags.bit_length(), (len(value) - _FLAG_BYTES) // 2
    if not slots or rest < slots or rest % slots or len(value) != _FLAG_BYTES + 2 * rest:
        raise LayoutError("not a block of vectors")
    vectors: F16 = np.frombuffer(value, "<f2", offset=_FLAG_BYTES).reshape(slots, -1)
    return flags, vectors.astype(np.float16, copy=False)
