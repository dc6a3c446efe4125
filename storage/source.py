"""The seam to wherever images are stored: a folder, Azure Blob, or a test that injects faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from storage.blob import Blob


@dataclass(slots=True)
class SourceTraffic:
    """What a source has done so far, for the report at the end of a run.

    Attributes:
        list_requests: pages of a listing, or directories.
        read_requests: reads begun, those that failed and were repeated included.
        bytes_read: of content.
        retries: requests repeated after a fault.
        unlisted: URIs of directories that the last listing was not permitted to look into. What is
            below them is unknown, not gone.
    """

    list_requests: int = 0
    read_requests: int = 0
    bytes_read: int = 0
    retries: int = 0
    unlisted: list[str] = field(default_factory=list)


class Source(Protocol):
    """A readable set of blobs. Implementations are safe to use from several threads."""

    @property
    def uri(self) -> str:
        """The canonical root, without secrets; every blob's URI starts with it."""

    @property
    def traffic(self) -> SourceTraffic:
        """Requests and bytes so far."""

    def list(self) -> Iterator[Blob]:
        """Every image-like blob below the root, in bounded memory.

        Raises:
            SourceNotFound, CredentialsError, SourceUnavailable
        """

    def read(self, blob: Blob) -> bytes:
        """The whole content, which is the content of the listed ETag.

        Raises:
            BlobVanished, BlobChanged, BlobUnreadable, SourceUnavailable
        """

    def stat(self, uri: str) -> Blob | None:
        """The blob of that URI as it is now; None when there is none."""

    def close(self) -> None:
        """Release connections."""


@dataclass(frozen=True, slots=True)
class BlobPage:
    """A stretch of a listing.

    Attributes:
        blobs: with the names of images; perhaps none.
        marker: where the next page begins; "" when a later listing cannot begin there.
        is_last: whether the listing ends with it.
    """

    blobs: Sequence[Blob]
    marker: str = ""
    is_last: bool = False


@runtime_checkable
class PagedSource(Source, Protocol):
    """A source whose listing can be carried on by another process."""

    def check(self) -> None:
        """Find out with one small request whether it can be listed.

        Raises:
            SourceNotFound, CredentialsError, SourceUnavailable
        """

    def pages(self, marker: str = "") -> Iterator[BlobPage]:
        """The listing from where a page said that the next one begins, or from the beginning.

        Raises:
            ListingExpired: the marker means nothing any more.
            SourceNotFound, CredentialsError, SourceUnavailable
        """
