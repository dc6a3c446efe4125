"""What a listing says of one stored object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

IMAGE_SUFFIXES = frozenset(
    (
        *("jpg", "jpeg", "jpe", "jfif"),
        *("png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff"),
        *("heic", "heif", "hif", "avif"),
    )
)
# What cameras write beside them, or instead.
RAW_SUFFIXES = frozenset(
    (
        *("dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "srf", "sr2", "orf", "rw2", "rwl"),
        *("raf", "pef", "srw", "3fr", "fff", "iiq", "mrw", "x3f", "erf", "kdc", "dcr", "mos"),
    )
)

# The longest of them, and the dot.
_RAW_ENDING = 1 + max(map(len, RAW_SUFFIXES))


def looks_like_image(name: str) -> bool:
    """Whether a listing takes this name for an image: by its suffix, in either case."""
    return _suffix(name) in IMAGE_SUFFIXES or looks_like_raw(name)


def looks_like_raw(name: str) -> bool:
    """Whether this is how cameras name RAW files: by its suffix, in either case."""
    return _suffix(name) in RAW_SUFFIXES


def raw_among(names: Sequence[str]) -> list[int]:
    """The places of those of many names for which `looks_like_raw` is true."""
    # Names by the million end in a handful of ways.
    endings = [name[-_RAW_ENDING:] for name in names]
    raw = {ending for ending in set(endings) if looks_like_raw(ending)}
    return [place for place, ending in enumerate(endings) if ending in raw] if raw else []


def _suffix(name: str) -> str:
    _, dot, suffix = name.rpartition(".")
    return suffix.lower() if dot else ""


@dataclass(frozen=True, slots=True)
class Blob:
    """One stored object.

    Attributes:
        uri: the absolute path of a file, or `az://account/container/name`. Never holds a secret.
        size: bytes.
        etag: changes whenever the content does. For a file, its modification time and size.
        last_modified: seconds since the epoch, UTC.
        content_md5: 16 bytes where the service gives one. It nominates, it proves nothing:
            clients can set it.
        object_id: the same for two names of one object (hard links, symbolic links); "" where
            the source has no such thing.
        refusal: why the source will not read this blob (archived tier, a FIFO, a broken link);
            "" when it can be read.
    """

    uri: str
    size: int
    etag: str
    last_modified: float
    content_md5: bytes | None = None
    object_id: str = ""
    refusal: str = ""
