"""What a run has listed so far, kept in the index until the run is finished.

A killed run carries on: pages it listed are not listed again, blobs it had planned to read and did
not get to are read, and what is gone is told from all the names of all the pages. Nothing else may
write blobs below the listed source meanwhile, or a blob added to a stretch listed earlier would
pass for one that is gone: a run that does not carry a listing on drops it (`begin_listings`).

Names are kept as 64-bit hashes: 24 MB for three million. Two names with the same hash (one chance
in 10¹³ for each that goes) make a blob that is gone stay until it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from hashlib import blake2b
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from storage.blob import Blob
from storage.codec import LayoutError, encode_number, uri_bytes
from storage.databases import Databases, Transaction

_LAYOUT = 1
_SURROGATES = "surrogatepass"
_HEAD = encode_number(0)
_SOURCE_BYTES = 16
NAME_BYTES = 8


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing under way.

    Attributes:
        source: the canonical URI.
        scope: what the run looks at in it; a run with another scope cannot carry it on.
        begun_at: seconds since the epoch.
    """

    source: str
    scope: str
    begun_at: float


@dataclass(frozen=True, slots=True)
class PageCounts:
    """Blobs of a page that need no work, by why. See `indexer.run_report.RunCounts`."""

    unchanged: int = 0
    excluded: int = 0
    older: int = 0
    left_known: int = 0
    left_changed: int = 0


@dataclass(frozen=True, slots=True)
class ListedPage:
    """One page of a listing.

    Attributes:
        source: the canonical URI.
        number: from 1 on, in the order of the listing.
        marker: where the next page begins; "" when it cannot be carried on from here.
        is_last: whether the listing ends with it.
        names: `name_hash` of each blob, 8 bytes each.
        counts: of those that need no work.
        todo: those that do.
    """

    source: str
    number: int
    marker: str
    is_last: bool
    names: bytes
    counts: PageCounts = field(default_factory=PageCounts)
    todo: tuple[Blob, ...] = ()

    @property
    def listed(self) -> int:
        """How many blobs the page named."""
        return len(self.names) // NAME_BYTES


def name_hash(uri: str) -> bytes:
    """8 bytes that stand for a name."""
    return blake2b(uri_bytes(uri), digest_size=NAME_BYTES).digest()


def name_number(uri: str) -> np.uint64:
    """The same as a number."""
    return np.uint64(int.from_bytes(name_hash(uri), "little"))


def kept_names(pages: Iterator[ListedPage]) -> NDArray[np.uint64]:
    """uint64 (n,), sorted: the names of all these pages. 8 bytes a name."""
    collected = bytearray()
    for page in pages:
        collected += page.names
    names = np.frombuffer(collected, dtype="<u8")
    names.sort()
    return names.astype(np.uint64, copy=False)


def put_page(txn: Transaction, databases: Databases, page: ListedPage) -> None:
    """Keep a page. One of the same number is replaced."""
    key = _prefix(page.source) + encode_number(page.number)
    txn.put(key, _encode_page(page), db=databases.listings)


def begin_listings(
    txn: Transaction, databases: Databases, wanted: Sequence[Listing], oldest: float
) -> dict[str, Listing]:
    """Make place for the listings of a run; those that it carries on, by source.

    Args:
        wanted: one for each source of the run, begun now.
        oldest: listings begun before are not carried on by anybody; nor are those begun later than
            now, of which a clock that was put back does not tell how old they are.
    """
    by_source = {listing.source: listing for listing in wanted}
    carried_on: dict[str, Listing] = {}
    for old in _heads(txn, databases):
        new = by_source.get(old.source)
        is_timely = new is not None and oldest <= old.begun_at <= new.begun_at
        if new is not None and old.scope == new.scope and is_timely:
            carried_on[old.source] = old
        elif old.begun_at < oldest or any(_overlap(old.source, one.source) for one in wanted):
            drop_listing(txn, databases, old.source)
    for listing in wanted:
        if listing.source not in carried_on:
            txn.put(_prefix(listing.source) + _HEAD, _encode_head(listing), db=databases.listings)
    return carried_on


def drop_overlapping(txn: Transaction, databases: Databases, source: str) -> None:
    """Forget the listings of this source, of those in it and of those it is in."""
    for old in _heads(txn, databases):
        if _overlap(old.source, source):
            drop_listing(txn, databases, old.source)


def drop_listing(txn: Transaction, databases: Databases, source: str) -> None:
    """Forget one listing, head and pages."""
    prefix = _prefix(source)
    with txn.cursor(db=databases.listings) as cursor:
        # Deleting moves the cursor on to the next key.
        while cursor.set_range(prefix) and cursor.key().startswith(prefix):
            cursor.delete()


def page_after(
    txn: Transaction, databases: Databases, source: str, number: int
) -> ListedPage | None:
    """The kept page with the lowest number above this one. Raises LayoutError."""
    prefix = _prefix(source)
    with txn.cursor(db=databases.listings) as cursor:
        if cursor.set_range(prefix + encode_number(number + 1)) and cursor.key().startswith(prefix):
            return decode_page(source, cursor.key(), cursor.value())
    return None


def _heads(txn: Transaction, databases: Databases) -> list[Listing]:
    found = []
    with txn.cursor(db=databases.listings) as cursor:
        is_there = cursor.first()
        while is_there:
            key, value = cursor.item()
            if key[_SOURCE_BYTES:] == _HEAD:
                found.append(decode_head(value))
            # On to the next source: the pages between are not looked at.
            is_there = cursor.set_range(_next_prefix(key[:_SOURCE_BYTES]))
    return found


def _next_prefix(prefix: bytes) -> bytes:
    return prefix + b"\xff" * (_SOURCE_BYTES + 1)


def _overlap(one: str, other: str) -> bool:
    first, second = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return first.startswith(second) or second.startswith(first)


def _prefix(source: str) -> bytes:
    return blake2b(uri_bytes(source), digest_size=_SOURCE_BYTES).digest()


def _encode_head(listing: Listing) -> bytes:
    packed: bytes = msgpack.packb(
        [_LAYOUT, listing.source, listing.scope, listing.begun_at], unicode_errors=_SURROGATES
    )
    return packed


def decode_head(value: bytes) -> Listing:
    _, source, scope, begun_at = _unpack(value, 4)
    return Listing(source, scope, begun_at)


def _encode_page(page: ListedPage) -> bytes:
    blobs = [
        [b.uri, b.size, b.etag, b.last_modified, b.content_md5, b.object_id, b.refusal]
        for b in page.todo
    ]
    packed: bytes = msgpack.packb(
        [_LAYOUT, page.marker, page.is_last, page.names, astuple(page.counts), blobs],
        unicode_errors=_SURROGATES,
    )
    return packed


def decode_page(source: str, key: bytes, value: bytes) -> ListedPage:
    _, marker, is_last, names, counts, blobs = _unpack(value, 6)
    try:
        return ListedPage(
            source=source,
            number=int.from_bytes(key[_SOURCE_BYTES:], "big"),
            marker=marker,
            is_last=is_last,
            names=names,
            counts=PageCounts(*counts),
            todo=tuple(Blob(*blob) for blob in blobs),
        )
    except TypeError as error:
        raise LayoutError(f"not a page of a listing: {error}") from error


def check_listing(key: bytes, value: bytes) -> None:
    """Whether this key and value of the database are a head or a page. Raises LayoutError."""
    if key[_SOURCE_BYTES:] == _HEAD:
        decode_head(value)
    else:
        decode_page("", key, value)


def _unpack(value: bytes, length: int) -> list[Any]:
    try:
        row = msgpack.unpackb(value, unicode_errors=_SURROGATES, use_list=True)
    except (ValueError, msgpack.UnpackException) as error:
        raise LayoutError(f"not msgpack: {error}") from error
    if not isinstance(row, list) or len(row) != length or row[0] != _LAYOUT:
        raise LayoutError("no page of a listing of this layout")
    return row
