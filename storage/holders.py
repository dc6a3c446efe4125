"""Which blobs hold an image: those of 16 neighbouring image ids to a value.

The key of a blob is its whole URI, which the catalog has already as the key of the blob's entry.
Those of images that were indexed together are much alike: compressed together a key takes some 15
bytes instead of 70.

    key     image id // 16
    value   zlib of msgpack: for each id that has any, in their order, [id % 16, key…], keys sorted

In an index of schema 2 the keys of an image are keys of their own (`image_blobs`); what is added to
one goes here.
"""

from __future__ import annotations

import zlib
from typing import TypeAlias

import msgpack

from storage.codec import LayoutError, encode_number
from storage.databases import Databases, Transaction

IDS_PER_VALUE = 16
# The keys of one value differ in a few letters: more effort finds no more.
_EFFORT = 1

Held: TypeAlias = dict[int, list[bytes]]


def blob_keys_of(txn: Transaction, databases: Databases, image_id: int) -> list[bytes]:
    """The keys of the blobs that hold this image, sorted. Raises LayoutError."""
    found = _own_keys(txn, databases, image_id)
    if databases.holders is not None:
        group, place = divmod(image_id, IDS_PER_VALUE)
        value = txn.get(encode_number(group), db=databases.holders)
        if value is not None:
            found += decode_holders(value).get(place, [])
    if not all(isinstance(key, bytes) for key in found):
        raise LayoutError("not the holders of images")
    return sorted(found)


def decode_holders(value: bytes) -> Held:
    """Place of an image in its value to the keys of its blobs. Raises LayoutError."""
    try:
        rows = msgpack.unpackb(zlib.decompress(value))
        held = {place: keys for place, *keys in rows}
    except (zlib.error, ValueError, TypeError, msgpack.UnpackException) as error:
        raise LayoutError(f"not the holders of images: {error}") from error
    return held


def encode_holders(held: Held) -> bytes:
    rows = [[place, *sorted(held[place])] for place in sorted(held)]
    return zlib.compress(msgpack.packb(rows), _EFFORT)


def number_of_holders(txn: Transaction, databases: Databases) -> int:
    """All of them, counted one by one. Raises LayoutError."""
    count = int(txn.stat(databases.image_blobs)["entries"])
    if databases.holders is not None:
        with txn.cursor(db=databases.holders) as cursor:
            for value in cursor.iternext(keys=False, values=True):
                count += sum(map(len, decode_holders(value).values()))
    return count


class HolderChanges:
    """What a commit changes, written at its end: each value once."""

    def __init__(self, txn: Transaction, databases: Databases) -> None:
        self._txn = txn
        self._db = databases
        self._changed: dict[int, Held] = {}

    def add(self, image_id: int, key: bytes) -> None:
        """This blob holds this image."""
        keys = self._of(image_id).setdefault(image_id % IDS_PER_VALUE, [])
        if key not in keys:
            keys.append(key)

    def remove(self, image_id: int, key: bytes) -> None:
        """It does no more."""
        self._txn.delete(encode_number(image_id) + key, db=self._db.image_blobs)
        held = self._of(image_id)
        keys = held.get(image_id % IDS_PER_VALUE, [])
        if key in keys:
            keys.remove(key)
        if not keys:
            held.pop(image_id % IDS_PER_VALUE, None)

    def has_none(self, image_id: int) -> bool:
        """Whether no blob holds this image, all changes counted."""
        in_value = self._of(image_id).get(image_id % IDS_PER_VALUE)
        return not in_value and not _own_keys(self._txn, self._db, image_id)

    def write(self) -> None:
        """Put everything into the catalog."""
        for group, held in sorted(self._changed.items()):
            key = encode_number(group)
            if held:
                self._txn.put(key, encode_holders(held), db=self._db.holders)
            else:
                self._txn.delete(key, db=self._db.holders)

    def _of(self, image_id: int) -> Held:
        group = image_id // IDS_PER_VALUE
        if group not in self._changed:
            value = self._txn.get(encode_number(group), db=self._db.holders)
            self._changed[group] = {} if value is None else decode_holders(value)
        return self._changed[group]


def _own_keys(txn: Transaction, databases: Databases, image_id: int) -> list[bytes]:
    found: list[bytes] = []
    if not txn.stat(databases.image_blobs)["entries"]:
        return found
    prefix = encode_number(image_id)
    with txn.cursor(db=databases.image_blobs) as cursor:
        if cursor.set_range(prefix):
            for key in cursor.iternext(keys=True, values=False):
                if not key.startswith(prefix):
                    break
                found.append(key[len(prefix) :])
    return found
