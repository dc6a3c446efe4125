"""An account in memory that can do what the emulator cannot: soft delete, versions, faults, kills.

It answers as the blob service does, and passes the same contract suite as the real stores.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import md5, sha256
from itertools import count

from storage.actions import Action, BlobState, LinkKind, Properties
from storage.errors import (
    ActRefused,
    BlobChanged,
    BlobConflict,
    BlobVanished,
    DedupError,
)

Hook = Callable[[str, str, str], None]


class Killed(BaseException):
    """The process is no more."""


@dataclass(frozen=True)
class Stored:
    """One blob as it is kept."""

    content: bytes
    etag: str
    properties: Properties
    version_id: str = ""
    is_leased: bool = False


def _nothing(operation: str, uri: str, moment: str) -> None:
    """No fault."""


class FakeBlobs:
    """All blobs of one account.

    Args:
        soft_delete, versioning: what is switched on.

    Attributes:
        hook: called with the operation, the URI, and "before" or "after" each change takes place;
            what it raises, the caller gets.
        calls: operations and URIs, in order; reads included.
    """

    moves_by_copying = True

    def __init__(self, *, soft_delete: bool = False, versioning: bool = False) -> None:
        self._soft_delete = soft_delete
        self._versioning = versioning
        self._numbers = count(1)
        self._guard = threading.RLock()
        self.blobs: dict[str, Stored] = {}
        self.deleted: dict[str, Stored] = {}
        self.versions: dict[tuple[str, str], Stored] = {}
        self.hook: Hook = _nothing
        self.calls: list[tuple[str, str]] = []

    def put(self, uri: str, content: bytes, properties: Properties | None = None) -> None:
        """As a client of the account would."""
        with self._guard:
            self._keep_version(uri)
            number = next(self._numbers)
            self.blobs[uri] = Stored(
                content,
                f"0x{number:X}",
                properties or Properties(headers={"content_type": "image/jpeg"}),
                f"v{number:06}" if self._versioning else "",
            )

    def lease(self, uri: str, *, is_leased: bool = True) -> None:
        """Take or break a lease."""
        self.blobs[uri] = replace(self.blobs[uri], is_leased=is_leased)

    def purge(self) -> None:
        """The days of retention are over."""
        self.deleted.clear()
        self.versions.clear()

    def cannot(self, action: Action) -> str:
        return "blobs have no links" if action is Action.LINK else ""

    def stat(self, uri: str, *, with_properties: bool = False) -> BlobState | None:
        with self._step("stat", uri):
            stored = self.blobs.get(uri)
        if stored is None:
            return None
        return BlobState(
            uri,
            len(stored.content),
            stored.etag,
            content_md5=md5(stored.content).digest(),
            refusal="leased: somebody is using it" if stored.is_leased else "",
            version_id=stored.version_id,
            properties=stored.properties if with_properties else None,
        )

    def digest(self, state: BlobState) -> bytes:
        with self._step("read", state.uri):
            return sha256(self._at(state).content).digest()

    def probe(self, state: BlobState) -> None:
        with self._step("probe", state.uri):
            self._at(state)

    def set_tags(self, uri: str, tags: Mapping[str, str]) -> None:
        with self._step("tag", uri):
            stored = self._free(uri)
            properties = replace(stored.properties, tags=dict(tags))
            self.blobs[uri] = replace(stored, properties=properties)

    def rename(self, state: BlobState, target: str) -> bool:
        return False

    def copy(self, state: BlobState, target: str) -> BlobState:
        with self._step("copy", target):
            stored = self._at(state)
            if target in self.blobs:
                raise BlobConflict(f"{target} exists already.")
            self.put(target, stored.content, state.properties)
        copied = self.stat(target)
        assert copied is not None
        return copied

    def delete(self, states: Sequence[BlobState]) -> list[DedupError | None]:
        outcomes: list[DedupError | None] = []
        for state in states:
            try:
                with self._step("delete", state.uri):
                    if state.uri in self.blobs:
                        self._at(state)
                        self._free(state.uri)
                        self._remove(state.uri)
                outcomes.append(None)
            except DedupError as error:
                outcomes.append(error)
        return outcomes

    def link(self, state: BlobState, keeper: BlobState, kind: LinkKind) -> None:
        raise ActRefused("blobs have no links")

    def unlink(self, uri: str, keeper: str, digest: bytes, properties: Properties) -> None:
        raise ActRefused("blobs have no links")

    def keeps_deleted(self, uri: str) -> bool:
        return self._soft_delete or self._versioning

    def restore(self, uri: str, version_id: str) -> bool:
        with self._step("restore", uri):
            if uri in self.blobs:
                return True
            stored = self.deleted.pop(uri, None)
            if stored is not None:
                self.blobs[uri] = stored
                return True
            found = max((v for name, v in self.versions if name == uri), default="")
            stored = self.versions.get((uri, version_id or found))
            if stored is None:
                return False
            # Copying a version brings all back but the tags.
            self.put(uri, stored.content, replace(stored.properties, tags={}))
            return True

    def set_properties(self, uri: str, wanted: Properties) -> None:
        with self._step("set properties", uri):
            stored = self._free(uri)
            if stored.properties.as_json() != wanted.as_json():
                self.blobs[uri] = replace(stored, properties=wanted)

    def quarantine_uri(self, place: str, run: str, uri: str) -> str:
        return f"{place}/{run}/{uri.removeprefix('az://').partition('/')[2]}"

    def prepare_quarantine(self, place: str) -> None:
        return

    def settle(self, uri: str) -> None:
        return

    def tidy_quarantine(self, place: str) -> None:
        return

    def close(self) -> None:
        return

    def _step(self, operation: str, uri: str) -> _Step:
        return _Step(self, operation, uri, self._guard)

    def _at(self, state: BlobState) -> Stored:
        stored = self.blobs.get(state.uri)
        if stored is None:
            raise BlobVanished(f"{state.uri} is gone.")
        if stored.etag != state.etag:
            raise BlobChanged(f"{state.uri} has changed since it was listed.")
        return stored

    def _free(self, uri: str) -> Stored:
        stored = self.blobs.get(uri)
        if stored is None:
            raise BlobVanished(f"{uri} is gone.")
        if stored.is_leased:
            raise ActRefused(f"{uri} stays as it is: it is leased.")
        return stored

    def _remove(self, uri: str) -> None:
        stored = self.blobs[uri]
        if self._versioning:
            self._keep_version(uri)
        elif self._soft_delete:
            self.deleted[uri] = stored
        del self.blobs[uri]

    def _keep_version(self, uri: str) -> None:
        stored = self.blobs.get(uri)
        if self._versioning and stored is not None:
            self.versions[(uri, stored.version_id)] = stored


class _Step:
    """One operation: the hook, the operation, the hook; never two at once."""

    def __init__(self, store: FakeBlobs, operation: str, uri: str, guard: threading.RLock) -> None:
        self._store, self._operation, self._uri, self._guard = store, operation, uri, guard

    def __enter__(self) -> None:
        self._guard.acquire()
        try:
            self._store.calls.append((self._operation, self._uri))
            self._store.hook(self._operation, self._uri, "before")
        except BaseException:
            self._guard.release()
            raise

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._store.hook(self._operation, self._uri, "after")
        finally:
            self._guard.release()
