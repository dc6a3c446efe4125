"""What is asked of every blob of a catalog, as columns.

A resolve walks along all blobs, of which hardly any have changed since the last one. To make an
object of each row takes several times as long as to read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

import msgpack
import numpy as np
from numpy.typing import NDArray

from storage.codec import (
    LAYOUT_VERSION,
    SURROGATES,
    LayoutError,
    blob_key,
    decode_entry,
    encode_entry,
)
from storage.records import BlobEntry, Holder

_FIELDS = frozenset((10, 11))
_VERSION, _URI, _SIZE, _OBJECT_ID, _IMAGE_ID = 0, 1, 2, 5, 8


@dataclass(frozen=True, slots=True, eq=False)
class BlobColumns:
    """Some blobs that follow each other in the catalog.

    Attributes:
        uris, object_ids: (n,), as in `BlobEntry`; sizes: (n,), bytes.
        image_ids: int64 (n,), 0 where it is unreadable.
        holders: (n,), which index lists each.
        sums: gives uint32 (n,): CRC-32 of all that the catalog knows of each. Another number tells
            that something of it has changed.
        entry: all that is known of the blob at a place.
    """

    uris: Sequence[str]
    sizes: Sequence[int]
    object_ids: Sequence[str]
    image_ids: NDArray[np.int64]
    holders: Sequence[Holder]
    sums: Callable[[], NDArray[np.uint32]]
    entry: Callable[[int], BlobEntry]

    @classmethod
    def of_rows(
        cls,
        rows: Sequence[tuple[bytes, bytes]],
        decode: Callable[[bytes, bytes], BlobEntry] = decode_entry,
    ) -> BlobColumns:
        """Of blob entries and their keys as they are stored. Raises LayoutError.

        Args:
            decode: makes an entry of a key and what is stored.
        """
        unpacker = msgpack.Unpacker(unicode_errors=SURROGATES, use_list=False)
        unpacker.feed(b"".join([value for _, value in rows]))
        try:
            found = list(unpacker)
            is_known = set(map(len, found)) <= _FIELDS and len(found) == len(rows)
            columns = list(zip(*found, strict=False)) if found else [()] * min(_FIELDS)
            if not is_known or not set(columns[_VERSION]) <= {LAYOUT_VERSION}:
                raise LayoutError("not blob entries")
            return cls(
                [
                    key.decode("utf-8", SURROGATES) if uri is None else uri
                    for (key, _), uri in zip(rows, columns[_URI], strict=True)
                ],
                columns[_SIZE],
                columns[_OBJECT_ID],
                np.array(columns[_IMAGE_ID], np.int64),
                [Holder.OWN] * len(rows),
                lambda: np.array([crc32(value, crc32(key)) for key, value in rows], np.uint32),
                lambda place: decode(*rows[place]),
            )
        except (TypeError, ValueError, OverflowError, msgpack.UnpackException) as error:
            raise LayoutError(f"not blob entries: {error}") from error

    @classmethod
    def of_entries(cls, entries: Sequence[BlobEntry]) -> BlobColumns:
        """The same of entries that are decoded already."""
        return cls(
            [entry.uri for entry in entries],
            [entry.size for entry in entries],
            [entry.object_id for entry in entries],
            np.array([entry.image_id for entry in entries], np.int64),
            [entry.holder for entry in entries],
            lambda: np.array(
                [crc32(encode_entry(entry), crc32(blob_key(entry.uri))) for entry in entries],
                np.uint32,
            ),
            entries.__getitem__,
        )

    def __len__(self) -> int:
        return len(self.uris)
