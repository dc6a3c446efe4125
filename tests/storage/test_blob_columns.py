"""Columns of blobs say what the entries say, and tell by one number that something has changed."""

from __future__ import annotations

import pytest

from storage.blob import Blob
from storage.blob_columns import BlobColumns
from storage.catalog import Catalog, CatalogBatch, UnreadableBlob
from storage.codec import LayoutError, blob_key, encode_entry
from storage.records import BlobEntry, BlobStatus, Limit, LimitKind
from tests.storage.conftest import MakeBatch

LONG = "/photos/" + "x" * 600 + ".jpg"
NOT_UTF8 = "/photos/\udcff.jpg"
ENTRY = BlobEntry("/photos/a.jpg", 7, "0x8D", 1.5, "inode", "/photos", BlobStatus.INDEXED, 3)


def row(entry: BlobEntry) -> tuple[bytes, bytes]:
    return blob_key(entry.uri), encode_entry(entry)


def test_columns_are_the_entries(catalog: Catalog, make_batch: MakeBatch) -> None:
    catalog.commit(make_batch({"/photos/a.jpg": 1, LONG: 2, NOT_UTF8: 3}))
    too_large = UnreadableBlob(
        Blob("/photos/b.jpg", 3, "new", 2.0, object_id="inode"),
        "/photos",
        "too large",
        Limit(LimitKind.PIXELS, 4.0),
    )
    catalog.commit(CatalogBatch(unreadable=[too_large]))
    entries = list(catalog.blobs())
    (columns,) = catalog.blob_columns()
    assert columns.uris == [entry.uri for entry in entries]
    assert list(columns.sizes) == [entry.size for entry in entries]
    assert list(columns.object_ids) == [entry.object_id for entry in entries]
    assert columns.image_ids.tolist() == [entry.image_id for entry in entries]
    assert [columns.entry(place) for place in range(len(columns))] == entries
    assert columns.sums().tolist() == BlobColumns.of_entries(entries).sums().tolist()
    assert sorted(columns.image_ids.tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "changed", [{"etag": "0x8E"}, {"last_modified": 2.0}, {"object_id": ""}, {"is_unread": True}]
)
def test_another_sum_tells_that_a_blob_has_changed(changed: dict[str, object]) -> None:
    fields = {name: getattr(ENTRY, name) for name in ENTRY.__slots__}
    before, after = (
        BlobColumns.of_rows([row(entry)]).sums() for entry in (ENTRY, BlobEntry(**fields | changed))
    )
    assert before != after


@pytest.mark.parametrize("damage", [b"", b"\x93\x01\x02\x03", b"\xc1", b"\x9a\x01\xc0"])
def test_what_is_no_entry_is_told(damage: bytes) -> None:
    with pytest.raises(LayoutError):
        BlobColumns.of_rows([row(ENTRY), (b"/photos/b.jpg", damage)])
