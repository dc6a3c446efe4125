"""Checksums of what the catalog holds of an image.

LMDB writes pages so that a crash tears none of them, and has no checksums: what a disk gives back
wrongly afterwards looks like any other value. A float with a flipped bit is a float.

    sums    CRC-32 of the record, of the hashes, of the preview, and of all vectors with
            the names of their models, in the order of the names: 4 × 4 bytes, big-endian
"""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

from storage.codec import encode_vector
from storage.records import F16

SUMS_BYTES = 16


def checksums(record: bytes, hashes: bytes, preview: bytes, vectors: Mapping[str, F16]) -> bytes:
    """16 bytes, of the values as they are stored."""
    of_vectors = 0
    for model in sorted(vectors):
        of_vectors = crc32(encode_vector(vectors[model]), crc32(model.encode(), of_vectors))
    parts = (crc32(record), crc32(hashes), crc32(preview), of_vectors)
    return b"".join(part.to_bytes(4, "big") for part in parts)
