"""What the operating system and LMDB report about an index directory, in words for its owner."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType

import lmdb

from storage.codec import LayoutError
from storage.errors import IndexStorageError

_FULL = "The disk with the index {path} is full."
_FREE = "Free some space and run the same command again: what was committed is kept."
_NOT_WRITABLE = "The index directory {path} cannot be written to: {why}."
_ALLOW = "Make it writable for this user, or choose another directory with --index DIR."
_DAMAGED = "The catalog in {path} is damaged: {why}."
_RESTORE = "Keep what is sound of it with `dedup repair --index DIR`, or restore it from a copy."
_FULL_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_DENIED_ERRORS = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))
_DAMAGE = (
    lmdb.InvalidError,
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.PanicError,
    LayoutError,
)


def damaged(path: Path, why: str) -> IndexStorageError:
    """The error for a catalog whose contents make no sense."""
    return IndexStorageError(_DAMAGED.format(path=path, why=why), _RESTORE)


class storage_faults:  # noqa: N801  used like a function: it stands around every read of the catalog
    """Turn faults of the file system and of LMDB into one line about the directory `path`.

    A class, and not a generator with `contextmanager`, which takes a microsecond more each time.

    Raises:
        IndexStorageError: full, read-only, damaged or faulty.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, (lmdb.Error, LayoutError, OSError)):
            raise _in_words(self._path, error) from error


def _in_words(path: Path, error: lmdb.Error | LayoutError | OSError) -> IndexStorageError:
    if isinstance(error, OSError):
        return _from_os_error(path, error)
    if isinstance(error, lmdb.MapFullError):
        return IndexStorageError(
            f"The catalog in {path} has reached the largest size this process may map.",
            "Lift the limit on address space (ulimit -v unlimited) and run it again.",
        )
    if isinstance(error, lmdb.DiskError):
        return IndexStorageError(_FULL.format(path=path), _FREE)
    if isinstance(error, lmdb.ReadonlyError):
        return _not_writable(path, _reason(error))
    if isinstance(error, lmdb.MemoryError):
        return IndexStorageError(
            f"Not enough memory for the catalog in {path}.",
            "Free memory or lift the limit on address space (ulimit -v unlimited).",
        )
    if isinstance(error, _DAMAGE):
        return damaged(path, _reason(error))
    if os.strerror(errno.EROFS) in str(error):
        return _not_writable(path, _reason(error))
    if os.strerror(errno.EIO) in str(error):
        # What LMDB says of a write that the disk took in part, which is how most fill up.
        return IndexStorageError(
            f"The disk with the index {path} is full, or a quota is used up, or it is faulty.",
            _FREE,
        )
    return IndexStorageError(
        f"The catalog in {path} cannot be used: {_reason(error)}.",
        "Check the disk; the index must be on a local one.",
    )


def _from_os_error(path: Path, error: OSError) -> IndexStorageError:
    if error.errno in _FULL_ERRORS:
        return IndexStorageError(_FULL.format(path=path), _FREE)
    if error.errno in _DENIED_ERRORS:
        return _not_writable(path, error.strerror or str(error))
    return IndexStorageError(
        f"The index directory {path} cannot be used: {error.strerror or error}.",
        "Check the path and the disk.",
    )


def _not_writable(path: Path, why: str) -> IndexStorageError:
    return IndexStorageError(_NOT_WRITABLE.format(path=path, why=why.lower()), _ALLOW)


def _reason(error: Exception) -> str:
    # LMDB's own messages begin with the path.
    return str(error).rpartition(": ")[2].rstrip(".") or type(error).__name__
