"""Which content goes with a size and an MD5, as those blobs have shown that were read.

What a listing says of an MD5 a client may have set: it nominates, it proves nothing. Kept for every
blob that was read, at no cost, so that a later run may trust them. Two contents that claim one size
and MD5 end the trust in it for good.
"""

from __future__ import annotations

from storage.blob import Blob
from storage.codec import encode_number
from storage.databases import Databases, Transaction

_MD5_BYTES = 16
_DISPUTED = b""


def note_md5(txn: Transaction, databases: Databases, blob: Blob, digest: bytes) -> None:
    """Keep what was read from a blob, if its listing gave an MD5."""
    if blob.content_md5 is None or len(blob.content_md5) != _MD5_BYTES:
        return
    key = _key(blob.size, blob.content_md5)
    known = txn.get(key, db=databases.md5s)
    if known is None:
        txn.put(key, digest, db=databases.md5s)
    elif known != digest:
        txn.put(key, _DISPUTED, db=databases.md5s)


def digest_of_md5(txn: Transaction, databases: Databases, size: int, md5: bytes) -> bytes | None:
    """The content of an image of the catalog with this size and MD5; None when there is none, or
    more than one."""
    digest = txn.get(_key(size, md5), db=databases.md5s)
    # Those of images that have been removed stay: the content may come back.
    if not digest or txn.get(digest, db=databases.digests) is None:
        return None
    return digest


def _key(size: int, md5: bytes) -> bytes:
    return encode_number(size) + md5
