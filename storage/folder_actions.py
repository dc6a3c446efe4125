"""Changing the files of a folder: moving, deleting, linking, each only as it was indexed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from storage.actions import Action, BlobState, LinkKind, Properties
from storage.blob import Blob
from storage.durable import make_folders, sync_path
from storage.errors import (
    ActRefused,
    BlobChanged,
    BlobConflict,
    BlobUnreadable,
    BlobVanished,
    DedupError,
    SourceUnavailable,
)
from storage.file_properties import (
    copy_file,
    move_without_replacing,
    read_properties,
    write_properties,
)
from storage.folder import FolderSource

_NO_TAGS = "files have no index tags: use --action quarantine or link"
_A_LINK = "a symbolic link: it takes no space, and what it points to is another file"
_GONE = (FileNotFoundError, NotADirectoryError)
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EIO))
_PIECE = 1 << 20
# What an act needs beside a file for a moment: its copy until it is complete, the link until it
# takes its place, the file itself until it is certain to be the right one.
_PART, _LINK, _KEPT, _GOING = _BESIDE = ("part", "link", "kept", "gone")


class FolderActions:
    """Files by their absolute paths. Safe to use from several threads.

    A name that a file has for a moment is derived from its own, so that the same act, repeated
    after a kill, finds what the first left.
    """

    moves_by_copying = False

    def __init__(self) -> None:
        # The ETag of a file is what the index says it is, so the same code makes it.
        self._source = FolderSource(Path("/"))

    def cannot(self, action: Action) -> str:
        """Everything but tags."""
        return _NO_TAGS if action is Action.TAG else ""

    def stat(self, uri: str, *, with_properties: bool = False) -> BlobState | None:
        """The file as it is now; a symbolic link comes with a refusal."""
        blob = self._source.stat(uri)
        if blob is None:
            return None
        path = Path(uri)
        properties = None
        if with_properties and not blob.refusal:
            with _faults(uri):
                properties = read_properties(path)
        return BlobState(
            uri=uri,
            size=blob.size,
            etag=blob.etag,
            object_id=blob.object_id,
            refusal=blob.refusal or (_A_LINK if path.is_symlink() else ""),
            resolved=str(path.resolve()) if path.is_symlink() else "",
            properties=properties,
        )

    def digest(self, state: BlobState) -> bytes:
        """SHA-256 of the content, read in pieces."""
        found = sha256()
        with _faults(state.uri), Path(state.uri).open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                found.update(piece)
        self._require(state.uri, state.etag)
        return found.digest()

    def probe(self, state: BlobState) -> None:
        """Reads a byte."""
        if state.refusal and not Path(state.uri).is_symlink():
            raise BlobUnreadable(f"{state.uri} is {state.refusal}.")
        with _faults(state.uri), Path(state.uri).open("rb", buffering=0) as file:
            file.read(1)
        self._require(state.uri, state.etag)

    def set_tags(self, uri: str, tags: Mapping[str, str]) -> None:
        """Raises ActRefused."""
        raise ActRefused(f"{uri} cannot be tagged: {_NO_TAGS}.")

    def rename(self, state: BlobState, target: str) -> bool:
        """Moves the file, unless the target is on another device."""
        source, new = Path(state.uri), Path(target)
        with _faults(state.uri):
            make_folders(new.parent)
            # Asked first: of a target that exists, the system says so even on another device.
            if source.stat().st_dev != new.parent.stat().st_dev:
                return False
            try:
                move_without_replacing(source, new)
            except FileExistsError as error:
                if not (source.exists() and new.exists() and source.samefile(new)):
                    raise BlobConflict(f"{target} exists already.", "Move it away.") from error
                source.unlink()
            except OSError as error:
                if error.errno == errno.EXDEV:
                    return False
                raise
            moved = self.stat(target)
            if moved is None or moved.etag != state.etag:
                # It was written to between the check and the move: it goes back.
                move_without_replacing(new, source)
                raise _changed(state.uri)
            # A file system that renames has the new name on the disk only now.
            sync_path(new.parent)
            sync_path(source.parent)
        return True

    def copy(self, state: BlobState, target: str) -> BlobState:
        """Copies to another device: under a name of its own, and under `target` when complete."""
        source, new = Path(state.uri), Path(target)
        partial = _beside(new, _PART)
        properties = state.properties
        with _faults(state.uri):
            make_folders(new.parent)
            copy_file(source, partial, properties or read_properties(source))
            self._require(state.uri, state.etag)
            try:
                move_without_replacing(partial, new)
            except FileExistsError as error:
                partial.unlink()
                raise BlobConflict(f"{target} exists already.", "Move it away.") from error
            sync_path(new.parent)
            copied = self.stat(target)
        if copied is None:
            raise BlobVanished(f"{target} was removed as soon as it was written.")
        return copied

    def delete(self, states: Sequence[BlobState]) -> list[DedupError | None]:
        """One after another."""
        outcomes: list[DedupError | None] = []
        for state in states:
            try:
                self._delete(state)
                outcomes.append(None)
            except DedupError as error:
                outcomes.append(error)
        return outcomes

    def link(self, state: BlobState, keeper: BlobState, kind: LinkKind) -> None:
        """Puts a link in the place of the file, which has its name at every moment."""
        path, target = Path(state.uri), Path(keeper.uri)
        backup = _beside(path, _KEPT)
        with _faults(state.uri):
            if _is_link(path, target):
                return
            self._require(state.uri, state.etag)
            has_backup = _hard_link(path, backup)
            _make_link(path, target, kind)
            if has_backup:
                found = self.stat(str(backup))
                if found is None or found.etag != state.etag:
                    backup.replace(path)
                    raise _changed(state.uri)
                backup.unlink()
            sync_path(path.parent)

    def unlink(self, uri: str, keeper: str, digest: bytes, properties: Properties) -> None:
        """Copies the keeper's bytes over the link."""
        path, source = Path(uri), Path(keeper)
        partial = _beside(path, _PART)
        with _faults(keeper):
            if os.path.lexists(path) and not _is_link(path, source):
                own = self.stat(uri)
                if own is not None and not own.refusal and self.digest(own) == digest:
                    write_properties(path, properties)
                    return
                raise BlobConflict(f"{uri} is another file now.", "Nothing was changed.")
            make_folders(path.parent)
            copy_file(source, partial, properties)
            copied = self.stat(str(partial))
            if copied is None or self.digest(copied) != digest:
                partial.unlink(missing_ok=True)
                raise _changed(keeper)
            partial.replace(path)
            sync_path(path.parent)

    def keeps_deleted(self, uri: str) -> bool:
        """No: a file that is removed is gone."""
        return False

    def restore(self, uri: str, version_id: str) -> bool:
        """Only a file whose deletion was cut off before its end."""
        path = Path(uri)
        doomed = _beside(path, _GOING)
        with _faults(uri):
            if not doomed.exists():
                return path.exists()
            try:
                move_without_replacing(doomed, path)
            except FileExistsError as error:
                raise BlobConflict(f"{uri} exists again.", f"Its file is {doomed}.") from error
            sync_path(path.parent)
        return True

    def set_properties(self, uri: str, wanted: Properties) -> None:
        """Mode, owner, attributes, times."""
        with _faults(uri):
            write_properties(Path(uri), wanted)

    def quarantine_uri(self, place: str, run: str, uri: str) -> str:
        """`PLACE/RUN/` and the whole path of the file."""
        return f"{place.rstrip('/')}/{run}{uri}"

    def prepare_quarantine(self, place: str) -> None:
        """Makes the folder."""
        with _faults(place):
            make_folders(Path(place))

    def settle(self, uri: str) -> None:
        """Removes the names of `_beside`."""
        with _faults(uri):
            for what in _BESIDE:
                _beside(Path(uri), what).unlink(missing_ok=True)

    def tidy_quarantine(self, place: str) -> None:
        """Removes what is empty, from below."""
        for folder, _, _ in os.walk(place, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()

    def close(self) -> None:
        """Nothing is kept open."""

    def _delete(self, state: BlobState) -> None:
        path = Path(state.uri)
        doomed = _beside(path, _GOING)
        with _faults(state.uri):
            if not doomed.exists():
                if not path.exists():
                    return
                self._require(state.uri, state.etag)
                # Under a name that nobody writes to, it is looked at once more.
                path.replace(doomed)
            found = self.stat(str(doomed))
            if found is None:
                return
            if found.etag != state.etag:
                move_without_replacing(doomed, path)
                raise _changed(state.uri)
            doomed.unlink()
            sync_path(path.parent)

    def _require(self, uri: str, etag: str) -> None:
        blob: Blob | None = self._source.stat(uri)
        if blob is None:
            raise BlobVanished(f"{uri} is gone.", "Index again.")
        if blob.etag != etag:
            raise _changed(uri)


def _beside(path: Path, what: str) -> Path:
    # From the digest: the name itself may be as long as names can be.
    digest = sha256(os.fsencode(path)).hexdigest()[:16]
    return path.with_name(f".dedup-{digest}.{what}")


def _is_link(path: Path, target: Path) -> bool:
    return path.exists() and target.exists() and path.samefile(target)


def _hard_link(path: Path, backup: Path) -> bool:
    """Whether the file has a second name now."""
    backup.unlink(missing_ok=True)
    try:
        os.link(path, backup, follow_symlinks=False)
    except OSError:
        return False
    return True


def _make_link(path: Path, target: Path, kind: LinkKind) -> None:
    temporary = _beside(path, _LINK)
    temporary.unlink(missing_ok=True)
    if kind is LinkKind.SYMBOLIC:
        # Relative: it holds when the folder is mounted elsewhere.
        temporary.symlink_to(os.path.relpath(target.resolve(), path.parent.resolve()))
    else:
        try:
            os.link(target, temporary)
        except OSError as error:
            raise ActRefused(
                f"{path} cannot be a hard link to {target} ({error.strerror or error}).",
                "Use --link symbolic.",
            ) from error
    temporary.replace(path)


def _changed(uri: str) -> BlobChanged:
    return BlobChanged(f"{uri} has changed since it was indexed.", "Index again.")


@contextmanager
def _faults(uri: str) -> Iterator[None]:
    """Turns faults of the file system into errors about this file."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if isinstance(error, _GONE):
            raise BlobVanished(f"{error.filename or uri} is gone.", "Index again.") from error
        if error.errno in _FULL:
            raise SourceUnavailable(
                f"{uri}: the disk is full or faulty ({why}).", "Free some space and run it again."
            ) from error
        raise ActRefused(f"{uri} cannot be changed or read ({why}).") from error
