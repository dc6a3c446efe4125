"""What a file has besides its bytes, and a copy of a file that has all of it."""

from __future__ import annotations

import base64
import errno
import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from storage.actions import Properties
from storage.durable import sync_path
from storage.errors import ActRefused

# Attributes in these namespaces are the system's business (labels, capabilities) and may not be
# copied by everybody. Those of a user are, or the file is not copied.
_USER_NAMESPACE = "user."
_UNSUPPORTED = frozenset((errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENODATA, errno.ENOSYS))


def read_properties(path: Path) -> Properties:
    """Mode, owner, time of modification and extended attributes of a file. Raises OSError."""
    found = path.stat()
    return Properties(
        mode=stat.S_IMODE(found.st_mode),
        owner=found.st_uid,
        group=found.st_gid,
        modified_ns=found.st_mtime_ns,
        attributes=_attributes(path),
    )


def write_properties(path: Path, wanted: Properties) -> None:
    """Set what differs; the time last.

    Owner, group and attributes of the system are set where this user may.

    Raises:
        OSError
        ActRefused: the file system cannot hold the attributes that the user gave the file.
    """
    found = path.stat()
    owners = (wanted.owner, wanted.group)
    if None not in owners and (found.st_uid, found.st_gid) != owners:
        with suppress(PermissionError):
            os.chown(path, wanted.owner or 0, wanted.group or 0)
    # chown clears the set-user-id bits, so the mode comes after it.
    if wanted.mode is not None and stat.S_IMODE(path.stat().st_mode) != wanted.mode:
        path.chmod(wanted.mode)
    _write_attributes(path, wanted.attributes)
    if wanted.modified_ns is not None and path.stat().st_mtime_ns != wanted.modified_ns:
        os.utime(path, ns=(path.stat().st_atime_ns, wanted.modified_ns))


def copy_file(source: Path, target: Path, properties: Properties) -> None:
    """The bytes of `source` in a new file with these properties, on disk when this returns.

    What has the name `target` is replaced: it must be a name that nobody else uses.

    Raises:
        OSError, ActRefused
    """
    target.unlink(missing_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as reader, os.fdopen(descriptor, "wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        write_properties(target, properties)
        os.fsync(descriptor)


def move_without_replacing(source: Path, target: Path) -> None:
    """Rename, but never over something. The new name is on the disk before the old one goes.

    A kill in between, or a loss of power, leaves both names, of one file.

    Raises:
        FileExistsError: the target is there.
        OSError: also EXDEV, for another device.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno == errno.EXDEV or isinstance(error, FileNotFoundError):
            raise
        # A file system without hard links, or a file of somebody else's.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "exists", str(target)) from error
        source.rename(target)
    else:
        sync_path(target.parent)
        source.unlink()


def _attributes(path: Path) -> dict[str, str]:
    if not hasattr(os, "listxattr"):
        return {}
    found = {}
    try:
        for name in os.listxattr(path):
            with suppress(PermissionError):
                found[name] = base64.b64encode(os.getxattr(path, name)).decode()
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    return found


def _write_attributes(path: Path, wanted: Mapping[str, str]) -> None:
    there = _attributes(path)
    for name, value in wanted.items():
        if there.get(name) == value:
            continue
        try:
            os.setxattr(path, name, base64.b64decode(value))
        except OSError as error:
            if name.startswith(_USER_NAMESPACE):
                raise ActRefused(
                    f"The attribute {name} cannot be set on {path} ({error.strerror or error}).",
                    "Use a folder on the same disk.",
                ) from error
