"""The binary layout of every value in the catalog.

Structured values are msgpack arrays whose first element is the version of their layout. Fields are
in the order of the dataclass; fields appended to `Quality` or `Metadata` later take their defaults
when an older value is read. Strings are UTF-8 with lone surrogates let through: names of files
that are not valid UTF-8 survive.

    record      [2, digest, byte_size, format, width, height, orientation, colour_histogram,
                 colour_layout (48 bytes), measures of quality (little-endian float32 each),
                 [jpeg_quality, chroma_subsampling], [metadata…]]; of the histogram which of its 64
                 bins are not 0 (8 bytes, a bit each), and those; of the metadata nothing after the
                 last that is not the default. The hashes are those of the image's row of hashes.
                 [1, digest, byte_size, format, width, height, orientation, hash64, hash256,
                 texture, colour_histogram (64 bytes), colour_layout, [quality…], [metadata…]] in
                 indexes of schema 2
    blob entry  [1, uri or nil, size, etag, last_modified, object_id, source, status, image_id,
                 reason]; uri is nil when the key holds all of it; source is the number of bytes of
                 the key that it takes up when it is the beginning of it, else a string; etag is a
                 number when it is written as 0x and that number in hexadecimal, else a string;
                 status is 0 for indexed and 1 for unreadable. Where a limit makes it unreadable, an
                 eleventh: [kind, value]; and where nobody has read what is indexed: true
    run         [1, run_id, started_at, finished_at or nil, [source…], {count…}]
    parameters  [1, schema_version, descriptor_version, preview_size,
                 [[name, dimension, fingerprint, runtime, input_size]…]]
    vector      little-endian float16, no header; in blocks, see `storage.vector_blocks`
    hashes      hash64 (8 bytes), hash256 (32 bytes), texture (little-endian float32): 44 bytes
    numbers     8 bytes, big-endian, so that keys sort by number
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from hashlib import sha256
from operator import attrgetter, itemgetter
from struct import Struct, unpack, unpack_from
from struct import error as error_of_struct
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from storage.parameters import IndexParameters, ModelParameters
from storage.records import (
    F16,
    F32,
    U8,
    BlobEntry,
    BlobStatus,
    ImageOutline,
    ImageRecord,
    Limit,
    LimitKind,
    Metadata,
    Quality,
)
from storage.runs import Run

LAYOUT_VERSION = 1
# LMDB takes keys of at most 511 bytes, and a URI's key is also used with an image id before it.
LONGEST_WHOLE_KEY = 480
_KEPT_OF_A_LONG_URI = 440
# Of 64 bits, in hexadecimal with 0x.
_LONGEST_NUMBER = 18
SURROGATES = "surrogatepass"
_HASH_ROW = np.dtype([("hash64", "u1", (8,)), ("hash256", "u1", (32,)), ("texture", "<f4")])
HASH_BYTES = _HASH_ROW.itemsize
_RECORD_LAYOUT = 2
_NO_METADATA = astuple(Metadata())
# Eight digits of a measure are kept: two copies of one picture differ in the third.
_MEASURES = tuple(f.name for f in fields(Quality) if f.type == "float")
_BANDWIDTH_AT = 4 * _MEASURES.index("bandwidth")
_FACTS = tuple(f.name for f in fields(Quality) if f.type != "float")
_MEASURES_OF, _FACTS_OF = attrgetter(*_MEASURES), attrgetter(*_FACTS)
_IN_ORDER = itemgetter(*((*_MEASURES, *_FACTS).index(f.name) for f in fields(Quality)))
_HASHES = Struct("<8s32sf")
_METADATA = attrgetter(*(f.name for f in fields(Metadata)))
_STATUSES = (BlobStatus.INDEXED, BlobStatus.UNREADABLE)


class LayoutError(ValueError):
    """The bytes are not a value of the layout, or of a newer version of it."""


def encode_number(number: int) -> bytes:
    return number.to_bytes(8, "big")


def decode_number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def uri_bytes(uri: str) -> bytes:
    """UTF-8 with lone surrogates let through; no two strings give the same bytes."""
    return uri.encode("utf-8", SURROGATES)


def blob_key(uri: str) -> bytes:
    """The key of a URI: its bytes, or the first 440 of them and a SHA-256 when over 480.

    Keys sort as the URIs do by code point, except among URIs with the same first 440 bytes.
    """
    raw = uri_bytes(uri)
    if len(raw) <= LONGEST_WHOLE_KEY:
        return raw
    return raw[:_KEPT_OF_A_LONG_URI] + sha256(raw).digest()


def prefix_key(uri: str) -> bytes:
    """What the keys of all URIs that start with this one start with."""
    return uri_bytes(uri)[:_KEPT_OF_A_LONG_URI]


def encode_record(record: ImageRecord) -> bytes:
    """All of the record but its hashes and texture, which `encode_hashes` has."""
    metadata = _METADATA(record.metadata)
    known = len(metadata)
    while known and metadata[known - 1] == _NO_METADATA[known - 1]:
        known -= 1
    histogram = np.ascontiguousarray(record.colour_histogram, np.uint8)
    return _pack(
        [
            _RECORD_LAYOUT,
            record.digest,
            record.byte_size,
            record.format,
            record.width,
            record.height,
            record.orientation,
            np.packbits(histogram != 0).tobytes() + histogram[histogram != 0].tobytes(),
            np.ascontiguousarray(record.colour_layout, np.uint8).tobytes(),
            np.array(_MEASURES_OF(record.quality), "<f4").tobytes(),
            _FACTS_OF(record.quality),
            metadata[:known],
        ]
    )


def decode_record(value: bytes, hashes: bytes = b"") -> ImageRecord:
    """The record; `hashes` is the row of hashes of its image. Raises LayoutError."""
    row = _unpack(value, 12, optional=2, newest=_RECORD_LAYOUT)
    try:
        return _old_record(row) if row[0] == LAYOUT_VERSION else _record(row, hashes)
    except (TypeError, ValueError, IndexError, error_of_struct) as error:
        raise LayoutError(f"not a record: {error}") from error


def decode_digest(value: bytes) -> bytes:
    """The digest in a record; the rest of it is left alone. Raises LayoutError."""
    digest = _unpack(value, 12, optional=2, newest=_RECORD_LAYOUT)[1]
    if not isinstance(digest, bytes):
        raise LayoutError("not a record: no digest")
    return digest


def decode_outline(value: bytes) -> ImageOutline:
    """The outline of a record; the rest of it is left alone. Raises LayoutError."""
    row = _unpack(value, 12, optional=2, newest=_RECORD_LAYOUT)
    try:
        if row[0] == LAYOUT_VERSION:
            bandwidth = Quality(*row[12]).bandwidth
        else:
            (bandwidth,) = unpack_from("<f", row[9], _BANDWIDTH_AT)
        return ImageOutline(row[1], row[3], row[4], row[5], bandwidth)
    except (TypeError, ValueError, IndexError, error_of_struct) as error:
        raise LayoutError(f"not a record: {error}") from error


def _record(row: list[Any], hashes: bytes) -> ImageRecord:
    hash64, hash256, texture = _HASHES.unpack(hashes)
    coded = np.frombuffer(row[7], np.uint8)
    histogram = np.zeros(64, np.uint8)
    histogram[np.unpackbits(coded[:8]).view(np.bool_)] = coded[8:]
    measures = unpack(f"<{len(row[9]) // 4}f", row[9])
    return ImageRecord(
        digest=row[1],
        byte_size=row[2],
        format=row[3],
        width=row[4],
        height=row[5],
        orientation=row[6],
        hash64=hash64,
        hash256=hash256,
        texture=texture,
        colour_histogram=histogram,
        colour_layout=np.frombuffer(row[8], np.uint8).reshape(4, 4, 3),
        quality=_quality(measures, row[10]),
        metadata=Metadata(*row[11]),
    )


def _quality(measures: Sequence[float], facts: Sequence[object]) -> Quality:
    if len(measures) == len(_MEASURES) and len(facts) == len(_FACTS):
        return Quality(*_IN_ORDER((*measures, *facts)))
    # Of a version that knew fewer.
    known = [*zip(_MEASURES, measures, strict=False), *zip(_FACTS, facts, strict=False)]
    return Quality(**dict(known))  # type: ignore[arg-type]


def _old_record(row: list[Any]) -> ImageRecord:
    return ImageRecord(
        digest=row[1],
        byte_size=row[2],
        format=row[3],
        width=row[4],
        height=row[5],
        orientation=row[6],
        hash64=row[7],
        hash256=row[8],
        texture=row[9],
        colour_histogram=np.frombuffer(row[10], np.uint8).reshape(64),
        colour_layout=np.frombuffer(row[11], np.uint8).reshape(4, 4, 3),
        quality=Quality(*row[12]),
        metadata=Metadata(*row[13]),
    )


def encode_entry(entry: BlobEntry) -> bytes:
    key = blob_key(entry.uri)
    source = uri_bytes(entry.source)
    row: list[object] = [
        LAYOUT_VERSION,
        None if key == uri_bytes(entry.uri) else entry.uri,
        entry.size,
        _etag_code(entry.etag),
        _shortest(entry.last_modified),
        entry.object_id,
        len(source) if key.startswith(source) else entry.source,
        _STATUSES.index(entry.status),
        entry.image_id,
        entry.reason,
    ]
    if entry.limit is not None:
        row.append([entry.limit.kind.value, entry.limit.value])
    elif entry.is_unread:
        row.append(True)
    return _pack(row)


def decode_entry(key: bytes, value: bytes) -> BlobEntry:
    """Raises LayoutError."""
    row = _unpack(value, 10, optional=1)
    try:
        source = row[6]
        limit, is_unread = None, False
        if len(row) > 10:
            is_unread = row[10] is True
            if not is_unread:
                kind, most = row[10]
                limit = Limit(LimitKind(kind), float(most))
        if isinstance(source, int):
            source = key[:source].decode("utf-8", SURROGATES)
        # By place, in the order of the dataclass: every row of a collection passes here twice.
        return BlobEntry(
            key.decode("utf-8", SURROGATES) if row[1] is None else row[1],
            row[2],
            row[3] if isinstance(row[3], str) else f"0x{row[3]:X}",
            float(row[4]),
            row[5],
            source,
            _STATUSES[row[7]],
            row[8],
            row[9],
            limit,
            is_unread,
        )
    except (TypeError, ValueError, IndexError) as error:
        raise LayoutError(f"not a blob entry: {error}") from error


def encode_run(run: Run) -> bytes:
    return _pack(
        [LAYOUT_VERSION, run.run_id, run.started_at, run.finished_at, run.sources, run.counts]
    )


def decode_run(value: bytes) -> Run:
    """Raises LayoutError."""
    row = _unpack(value, 6)
    try:
        return Run(row[1], row[2], row[3], tuple(row[4]), row[5])
    except TypeError as error:
        raise LayoutError(f"not a run: {error}") from error


def encode_parameters(parameters: IndexParameters) -> bytes:
    return _pack(
        [
            LAYOUT_VERSION,
            parameters.schema_version,
            parameters.descriptor_version,
            parameters.preview_size,
            [
                [m.name, m.dimension, m.fingerprint, m.runtime, m.input_size]
                for m in parameters.models
            ],
        ]
    )


def decode_parameters(value: bytes) -> IndexParameters:
    """Raises LayoutError."""
    row = _unpack(value, 5)
    try:
        return IndexParameters(
            row[1], row[2], row[3], tuple(ModelParameters(*model) for model in row[4])
        )
    except TypeError as error:
        raise LayoutError(f"not index parameters: {error}") from error


def encode_vector(vector: F16) -> bytes:
    return np.ascontiguousarray(vector, dtype="<f2").tobytes()


def decode_vector(value: bytes) -> F16:
    """float16, (dimension,), read-only."""
    return np.frombuffer(value, dtype="<f2").astype(np.float16, copy=False)


def encode_hashes(record: ImageRecord) -> bytes:
    row = np.zeros((), _HASH_ROW)
    row["hash64"] = np.frombuffer(record.hash64, np.uint8)
    row["hash256"] = np.frombuffer(record.hash256, np.uint8)
    row["texture"] = record.texture
    return row.tobytes()


def decode_hashes(values: Sequence[bytes]) -> tuple[U8, U8, F32]:
    """uint8 (n, 8), uint8 (n, 32) and float32 (n,). Raises LayoutError."""
    try:
        rows: NDArray[np.void] = np.frombuffer(b"".join(values), _HASH_ROW)
    except ValueError as error:
        raise LayoutError(f"not rows of hashes: {error}") from error
    return (
        np.ascontiguousarray(rows["hash64"]),
        np.ascontiguousarray(rows["hash256"]),
        np.ascontiguousarray(rows["texture"], dtype=np.float32),
    )


def _etag_code(etag: str) -> str | int:
    """An ETag as Azure gives them, 0x8D…, as the number that it is: 9 bytes instead of 18."""
    if etag.startswith("0x") and len(etag) <= _LONGEST_NUMBER:
        try:
            number = int(etag, 16)
        except ValueError:
            return etag
        if f"0x{number:X}" == etag:
            return number
    return etag


def _shortest(seconds: float) -> float:
    """Whole seconds, as object stores give them, as an integer: 5 bytes instead of 9."""
    return int(seconds) if 0 <= seconds < 1 << 32 and float(seconds).is_integer() else seconds


def _pack(row: list[Any]) -> bytes:
    packed: bytes = msgpack.packb(row, unicode_errors=SURROGATES, default=_plain)
    return packed


def _plain(value: object) -> object:
    # Measurements arrive as numpy scalars, which msgpack does not know.
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in the catalog")


def _unpack(
    value: bytes, length: int, optional: int = 0, newest: int = LAYOUT_VERSION
) -> list[Any]:
    try:
        row = msgpack.unpackb(value, unicode_errors=SURROGATES, use_list=True)
    except (ValueError, msgpack.UnpackException) as error:
        raise LayoutError(f"not msgpack: {error}") from error
    if not isinstance(row, list) or not row:
        raise LayoutError("not an array")
    if row[0] not in range(LAYOUT_VERSION, newest + 1):
        raise LayoutError(f"version {row[0]!r} of the layout, this program knows {newest}")
    if not length <= len(row) <= length + optional:
        raise LayoutError(f"{len(row)} fields where {length} belong")
    return row
