"""Whether what a catalog holds of one image is what was stored."""

from __future__ import annotations

from storage.catalog import Catalog
from storage.codec import encode_hashes, encode_number
from storage.errors import IndexStorageError
from storage.sums import checksums

_JPEG = b"\xff\xd8\xff"


def damage_of(catalog: Catalog, image_id: int, models: tuple[str, ...]) -> str | None:
    """What is wrong with the values of an image, in words.

    "" for nothing, by their checksums; None for nothing that can be seen, of an image that an
    earlier version stored without them.

    Args:
        models: those of the catalog.
    """
    key = encode_number(image_id)
    try:
        record = catalog.record(image_id)
        preview = catalog.preview(image_id)
        vectors = {name: catalog.embedding(name, image_id) for name in models}
        hashes, sums = catalog.row(image_id)
        stored = catalog.get_raw("images", key)
        named_by_digest = catalog.image_id(record.digest)
    except KeyError:
        return "a part of an image is missing"
    except IndexStorageError:
        return "a part of an image cannot be read"
    if named_by_digest != image_id:
        return "an image is not found by its digest"
    if sums is None:
        is_sensible = hashes == encode_hashes(record) and preview.startswith(_JPEG)
        return None if is_sensible else "a part of an image makes no sense"
    if sums != checksums(stored or b"", hashes or b"", preview, vectors):
        return "a part of an image is not what was stored"
    return ""
