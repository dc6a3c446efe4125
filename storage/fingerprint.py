"""One number for the contents of a catalog, so that two ways of making it can be compared."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from storage.codec import encode_hashes, encode_record, encode_vector, uri_bytes

if TYPE_CHECKING:
    from hashlib import _Hash

    from storage.catalog import Catalog


def content_fingerprint(catalog: Catalog) -> str:
    """SHA-256, hex; see `Catalog.content_fingerprint`."""
    total = sha256()
    for blob in catalog.blobs():
        digest = catalog.record(blob.image_id).digest if blob.image_id else b""
        for part in (
            uri_bytes(blob.uri),
            b"%d" % blob.size,
            blob.status.encode(),
            uri_bytes(blob.reason),
            digest,
        ):
            _add(total, part)
    models = catalog.models
    for _, image_id in catalog.digests():
        record = catalog.record(image_id)
        _add(total, encode_record(record) + encode_hashes(record))
        _add(total, catalog.preview(image_id))
        for model in models:
            _add(total, model.encode())
            try:
                vector = encode_vector(catalog.embedding(model, image_id))
            except KeyError:
                vector = b""
            _add(total, vector)
    return total.hexdigest()


def _add(total: _Hash, part: bytes) -> None:
    # The length first, so that no two lists of parts run together into the same bytes.
    total.update(len(part).to_bytes(8, "big"))
    total.update(part)
