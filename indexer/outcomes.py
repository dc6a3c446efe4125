"""What the stages of the pass hand to each other: work, and what became of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from storage.blob import Blob
from storage.listings import ListedPage
from storage.records import Limit
from storage.source import Source


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A blob to be read.

    Attributes:
        may_be_known_by_md5: it need not be read when its size and MD5 are those of an image.
    """

    source: Source
    blob: Blob
    may_be_known_by_md5: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class DescribeJob:
    """Content to be decoded."""

    source: Source
    blob: Blob
    digest: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Alias:
    """A blob whose content is in the catalog.

    Attributes:
        is_unchanged: the catalog knew that.
        is_unread: its size and MD5 say so; nobody has read it.
    """

    source: Source
    blob: Blob
    digest: bytes
    is_unchanged: bool = False
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A blob that gave no image.

    Attributes:
        limit: the limit that it is over, if that is why.
    """

    source: Source
    blob: Blob
    reason: str
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class NotRead:
    """Why there is no content of a blob, wherever it was asked for.

    Attributes:
        blob: as it is to be noted, which may be newer than the one asked for.
        limit: the limit that it is over, if that is why.
    """

    blob: Blob
    reason: str
    limit: Limit | None = None

    @classmethod
    def this_time(cls, blob: Blob, reason: str) -> NotRead:
        """Without the ETag, which stands for content that was seen: permissions and tiers change
        and leave it as it is, so the next run has to try again."""
        return cls(replace(blob, etag=""), reason)

    def of(self, source: Source) -> Unreadable:
        """The outcome of the pass."""
        return Unreadable(source, self.blob, self.reason, self.limit)


@dataclass(frozen=True, slots=True)
class Vanished:
    """A blob that was listed and is gone."""

    blob: Blob


@dataclass(frozen=True, slots=True)
class Gone:
    """A blob of the catalog that is not there any more."""

    uri: str


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """A page of a listing, and the sign that the catalog has it."""

    page: ListedPage
    is_kept: threading.Event = field(default_factory=threading.Event)
