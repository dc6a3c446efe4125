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

_FIELDS = (10, 11)
_URI, _SIZE, _OBJECT_ID, _IMAGE_ID = 1, 2, 5, 8


@dataclass(frozen=True, slots=True, eq=False)
class BlobColumns:
    """Some blobs that follow each other in the catalog.

    Attributes:
        uris, object_ids: (n,), as in `BlobEntry`; sizes: (n,), bytes.
        image_ids: int64 (n,), 0 where it is unreadable.
        holders: (n,), which index lists each.
        sums: uint32 (n,): CRC-32 of all that the catalog knows of each. Another number tells that
            something of it has changed.
        entry: all that is known of the blob at a place.
    """

    uris: Sequence[str]
    sizes: Sequence[int]
    object_ids: Sequence[str]
    image_ids: NDArray[np.int64]
    holders: Sequence[Holder]
    sums: NDArray[np.uint32]
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
            if len(found) != len(rows) or any(
                row[0] != LAYOUT_VERSION or len(row) not in _FIELDS for row in found
            ):
                raise LayoutError("not blob entries")
            return cls(
                [
                    key.decode("utf-8", SURROGATES) if row[_URI] is None else row[_URI]
                    for (key, _), row in zip(rows, found, strict=True)
                ],
                [row[_SIZE] for row in found],
                [row[_OBJECT_ID] for row in found],
                np.array([row[_IMAGE_ID] for row in found], np.int64),
                [Holder.OWN] * len(rows),
                np.array([crc32(value, crc32(key)) for key, value in rows], np.uint32),
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
            np.array(
                [crc32(encode_entry(entry), crc32(blob_key(entry.uri))) for entry in entries],
                np.uint32,
            ),
            entries.__getitem__,
        )

    def __len__(self) -> int:
        return len(self.uris)
