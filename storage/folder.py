"""A folder on a mounted file system as a source of images."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from storage.blob import Blob, looks_like_image
from storage.errors import (
    BlobChanged,
    BlobUnreadable,
    BlobVanished,
    SourceError,
    SourceNotFound,
    SourceUnavailable,
)
from storage.source import SourceTraffic

_KINDS = (
    (stat.S_ISFIFO, "a named pipe, not a file"),
    (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
    (stat.S_ISBLK, "a device, not a file"),
    (stat.S_ISDIR, "a directory, not a file"),
)
_BROKEN_LINK = "a symbolic link to nothing"
_GONE = (FileNotFoundError, NotADirectoryError)
# A network file system may answer again later; anything else it says of a file is final.
_PASSING = frozenset(
    (errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN)
)


class FolderSource:
    """The image files below a folder, found by their suffix.

    Symbolic links to files are followed for their content and keep their own name; symbolic links
    to directories are not followed. Safe to use from several threads.

    Args:
        root: the folder; its canonical URI is its resolved absolute path.

    Raises:
        SourceNotFound: no such folder, or not a folder.
    """

    def __init__(self, root: Path) -> None:
        try:
            mode = root.stat().st_mode
        except (OSError, ValueError) as error:
            why = "" if isinstance(error, _GONE) else f" ({getattr(error, 'strerror', error)})"
            raise SourceNotFound(f"There is no folder {root}{why}.", "Check the path.") from error
        if not stat.S_ISDIR(mode):
            raise SourceNotFound(
                f"{root} is not a folder.", f"Give the folder it is in: {root.parent}."
            )
        self._uri = str(root.resolve())
        self._traffic = SourceTraffic()
        self._guard = threading.Lock()

    @property
    def uri(self) -> str:
        """The absolute path of the folder, symbolic links resolved."""
        return self._uri

    @property
    def traffic(self) -> SourceTraffic:
        """Directories listed, files and bytes read so far."""
        return self._traffic

    def list(self) -> Iterator[Blob]:
        """Image files, in the order of their names within each directory.

        Pipes, sockets, devices and broken links with the name of an image come with a `refusal`.
        A directory below the root that may not be read is noted in `traffic.unlisted`.

        Raises:
            SourceNotFound: the folder has gone.
            SourceUnavailable: the folder itself cannot be listed.
        """
        self._traffic.unlisted.clear()
        # A stack of what is left to do in each directory on the way down: its memory is the names
        # of one directory per level.
        pending = [iter(self._entries(self._uri))]
        while pending:
            for path, is_directory in pending[-1]:
                if is_directory:
                    pending.append(iter(self._entries(path)))
                    break
                blob = _blob_at(path)
                if blob is not None:
                    yield blob
            else:
                pending.pop()

    def read(self, blob: Blob) -> bytes:
        """The content, checked to be of the listed modification time and size before and after.

        Raises:
            BlobVanished, BlobChanged, BlobUnreadable
            SourceUnavailable: a network file system does not answer.
        """
        if blob.refusal:
            raise BlobUnreadable(f"{blob.uri} is {blob.refusal}.")
        with self._guard:
            self._traffic.read_requests += 1
        try:
            content = _read_unchanged(blob)
        except OSError as error:
            raise _as_source_error(blob.uri, error) from error
        with self._guard:
            self._traffic.bytes_read += len(content)
        return content

    def stat(self, uri: str) -> Blob | None:
        """The file of that path as it is now; None when there is none."""
        return _blob_at(uri)

    def close(self) -> None:
        """Nothing is kept open."""

    def _entries(self, directory: str) -> Sequence[tuple[str, bool]]:
        """Path and is-a-directory of the subdirectories and image names, sorted."""
        with self._guard:
            self._traffic.list_requests += 1
        prefix = directory if directory.endswith("/") else directory + "/"
        try:
            with os.scandir(directory) as entries:
                found = [
                    (entry.name, entry.is_dir(follow_symlinks=False))
                    for entry in entries
                    if looks_like_image(entry.name) or entry.is_dir(follow_symlinks=False)
                ]
        except OSError as error:
            if directory == self._uri:
                raise self._root_error(error) from error
            if not isinstance(error, _GONE):
                with self._guard:
                    self._traffic.unlisted.append(directory)
            return []
        found.sort()
        return [(prefix + name, is_directory) for name, is_directory in found]

    def _root_error(self, error: OSError) -> SourceNotFound | SourceUnavailable:
        if isinstance(error, _GONE):
            return SourceNotFound(f"There is no folder {self._uri}.", "Check the path.")
        return SourceUnavailable(
            f"The folder {self._uri} cannot be listed: {error.strerror or error}.",
            "Allow this user to read it.",
        )


def _blob_at(path: str) -> Blob | None:
    """The blob of a path; None when nothing is there, or a directory."""
    try:
        found = Path(path).stat()
    except OSError as error:
        try:
            found = Path(path).lstat()
        except OSError:
            return None
        if not stat.S_ISLNK(found.st_mode):
            return None
        # The target may also be there and not be accessible: that is for the reader to find out.
        reason = _BROKEN_LINK if not isinstance(error, PermissionError) else "a link not permitted"
        return _blob(path, found, reason)
    if stat.S_ISDIR(found.st_mode):
        return None
    return _blob(path, found, _refusal(found.st_mode))


def _blob(path: str, found: os.stat_result, refusal: str) -> Blob:
    return Blob(
        uri=path,
        size=0 if refusal else found.st_size,
        etag=_etag(found),
        last_modified=found.st_mtime,
        object_id=f"{found.st_dev:x}:{found.st_ino:x}",
        refusal=refusal,
    )


def _etag(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"


def _refusal(mode: int) -> str:
    return next((reason for is_kind, reason in _KINDS if is_kind(mode)), "")


def _read_unchanged(blob: Blob) -> bytes:
    # O_NONBLOCK: a pipe that took the place of the file must not hang the run.
    descriptor = os.open(blob.uri, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        before = os.fstat(descriptor)
        refusal = _refusal(before.st_mode)
        if refusal:
            raise BlobUnreadable(f"{blob.uri} is {refusal}.")
        _require_same(blob, before)
        content = file.readall()
        _require_same(blob, os.fstat(descriptor))
    if len(content) != before.st_size:
        raise _changed(blob)
    return content


def _require_same(blob: Blob, found: os.stat_result) -> None:
    if _etag(found) != blob.etag:
        raise _changed(blob)


def _changed(blob: Blob) -> BlobChanged:
    return BlobChanged(f"{blob.uri} has changed since it was listed.", "Index again.")


def _as_source_error(uri: str, error: OSError) -> SourceError:
    why = error.strerror or str(error)
    if isinstance(error, _GONE):
        return BlobVanished(f"{uri} is gone since it was listed.", "Index again.")
    if error.errno in _PASSING:
        return SourceUnavailable(f"{uri} cannot be read now: {why}.", "Try again later.")
    return BlobUnreadable(f"{uri} cannot be read: {why}.")
