"""The seam to whatever changes blobs: a folder, Azure Blob, or a test that fails on purpose.

Small acts that a journal can be kept of. Each one is refused when the blob is not of the ETag it
is expected to have, and can be repeated after a kill; none writes over anything. What they add up
to (quarantine, undo) is in `resolve.apply.steps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from storage.errors import DedupError


class Action(StrEnum):
    """What can be done to a copy."""

    TAG = "tag"
    QUARANTINE = "quarantine"
    DELETE = "delete"
    LINK = "link"


class LinkKind(StrEnum):
    """How a copy is replaced by its keeper."""

    HARD = "hard"
    SYMBOLIC = "symbolic"


@dataclass(frozen=True, slots=True)
class Properties:
    """All of a blob that is not its content: what undo brings back with it.

    Attributes:
        headers: content type, encoding, language, disposition, cache control and MD5 (base64), by
            their names in Azure's SDK; those that are set.
        metadata: by name.
        tags: index tags.
        tier: access tier; "" where it is the account's default.
        mode: permission bits of a file; None where there are none.
        owner, group: numbers; None where there are none.
        modified_ns: time of modification of a file, nanoseconds since the epoch; None for a blob,
            for which the service sets it. Time of access is not kept: looking changes it.
        attributes: extended attributes of a file, base64 by name.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    tier: str = ""
    mode: int | None = None
    owner: int | None = None
    group: int | None = None
    modified_ns: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What is set."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value not in (None, "", {})}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Properties:
        """The inverse of `as_json`. Raises TypeError for a key that is none."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class BlobState:
    """A blob as it is now.

    Attributes:
        uri, size, etag, object_id: as in `storage.blob.Blob`, and comparable with the index.
        content_md5: 16 bytes where the service has one.
        refusal: why nothing may be done to it (leased, a symbolic link, archived); "" otherwise.
        version_id: where the service keeps versions.
        resolved: the URI that a symbolic link leads to in the end; "" for what is none.
        is_complete: False while or after a copy on the server that did not come to its end.
        properties: where they were asked for.
    """

    uri: str
    size: int
    etag: str
    object_id: str = ""
    content_md5: bytes | None = None
    refusal: str = ""
    version_id: str = ""
    resolved: str = ""
    is_complete: bool = True
    properties: Properties | None = None


class BlobActions(Protocol):
    """A store that can be changed. Implementations are safe to use from several threads.

    Every method may raise CredentialsError and SourceUnavailable.

    Attributes:
        moves_by_copying: `rename` never does it, so that a copy has to be made and checked.
    """

    moves_by_copying: bool

    def cannot(self, action: Action) -> str:
        """Why this store has no such action; "" when it has."""

    def stat(self, uri: str, *, with_properties: bool = False) -> BlobState | None:
        """The blob as it is now; None when there is none.

        Raises:
            ActRefused: its properties may not be read, so that undo could not bring them back.
        """

    def digest(self, state: BlobState) -> bytes:
        """SHA-256 of the content, read once, at that ETag.

        Raises:
            BlobVanished, BlobChanged, BlobUnreadable
        """

    def probe(self, state: BlobState) -> None:
        """Check that the content can be read at that ETag, by its first byte.

        Raises:
            BlobVanished, BlobChanged, BlobUnreadable
        """

    def set_tags(self, uri: str, tags: Mapping[str, str]) -> None:
        """These are the index tags from now on. The ETag stays.

        Raises:
            BlobVanished, ActRefused
        """

    def rename(self, state: BlobState, target: str) -> bool:
        """Give the blob another name in one step where the store can; False where it cannot.

        Raises:
            BlobVanished, BlobChanged, ActRefused
            BlobConflict: the target exists.
        """

    def copy(self, state: BlobState, target: str) -> BlobState:
        """A copy made by the store, with all properties; complete when this returns.

        Args:
            state: with its properties.

        Raises:
            BlobVanished, BlobChanged, ActRefused
            BlobConflict: the target exists.
        """

    def delete(self, states: Sequence[BlobState]) -> list[DedupError | None]:
        """Delete each that still has its ETag; for each what went wrong, None for nothing.

        One that is not there any more is deleted.
        """

    def link(self, state: BlobState, keeper: BlobState, kind: LinkKind) -> None:
        """Replace the blob by a link to its keeper. Of what is one already, nothing.

        Raises:
            BlobVanished, BlobChanged, ActRefused
        """

    def unlink(self, uri: str, keeper: str, digest: bytes, properties: Properties) -> None:
        """Replace a link to the keeper by a file of its own with these bytes and properties.

        Raises:
            BlobChanged: the keeper has other bytes by now.
            BlobConflict: what has that name is no link to the keeper.
        """

    def keeps_deleted(self, uri: str) -> bool:
        """Whether what is deleted there can be brought back. Found out by trying, on a blob made
        for it."""

    def restore(self, uri: str, version_id: str) -> bool:
        """Bring back a deleted blob, from soft delete or else from that version.

        Returns:
            False when the store has it no more.

        Raises:
            BlobConflict, ActRefused
        """

    def set_properties(self, uri: str, wanted: Properties) -> None:
        """Set those that differ; also times, as far as the store lets them be set.

        Raises:
            BlobVanished, ActRefused
        """

    def quarantine_uri(self, place: str, run: str, uri: str) -> str:
        """Where a blob goes in the quarantine `place`, for this run.

        Raises:
            ActRefused: no such name is possible there.
        """

    def prepare_quarantine(self, place: str) -> None:
        """Make the folder or container, where it is missing.

        Raises:
            ActRefused
        """

    def settle(self, uri: str) -> None:
        """Remove what acts that were cut off have left beside this blob, under names of their
        own. To be called when the act, or its undoing, has come to its end."""

    def tidy_quarantine(self, place: str) -> None:
        """Remove the empty folders that undoing leaves at and below this place."""

    def close(self) -> None:
        """Release connections."""
