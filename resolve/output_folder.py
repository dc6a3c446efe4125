"""Files that appear in the folder for the lists together, or not at all."""

from __future__ import annotations

import errno
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.durable import make_folders, sync_path
from storage.errors import IndexStorageError

_TEMPORARY = ".dedup-tmp"
# Nothing takes this long to write: a temporary file this old was left by a kill.
_ABANDONED_AFTER = 86_400.0
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@contextmanager
def replacing_files(folder: Path, names: Sequence[str]) -> Iterator[dict[str, Path]]:
    """Temporary paths by name; at the end of the block they take the names, in the order given.

    The last name of `names` is removed before the others are replaced and put in place last: after
    a kill or a loss of power in between it is missing, never one that does not belong to the
    others.

    Raises:
        IndexStorageError: the folder cannot be made or written to, or the disk is full.
    """
    temporary = {name: folder / f".{name}.{secrets.token_hex(4)}{_TEMPORARY}" for name in names}
    try:
        with output_faults(folder):
            make_folders(folder)
            _remove_abandoned(folder)
            yield temporary
            for path in temporary.values():
                sync_path(path)
            *others, last = temporary
            if others:
                (folder / last).unlink(missing_ok=True)
                sync_path(folder)
                for name in others:
                    temporary[name].replace(folder / name)
                sync_path(folder)
            temporary[last].replace(folder / last)
            sync_path(folder)
    finally:
        for path in temporary.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)


@contextmanager
def output_faults(folder: Path) -> Iterator[None]:
    """Turn faults of the file system into one line about the folder.

    Raises:
        IndexStorageError: full, read-only, not permitted, or a file in the way.
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in _FULL:
            raise IndexStorageError(
                f"The disk with {folder} is full: the lists were not written.",
                "Free some space and resolve again, or name another folder with --out DIR.",
            ) from error
        raise IndexStorageError(
            f"The lists cannot be written to {folder} ({why}).",
            "Make the folder writable, or name another with --out DIR.",
        ) from error


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(f".*{_TEMPORARY}"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                path.unlink()
