"""What resolving asks of a catalog: of one index, or of one beside its reference index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from storage.blob_columns import BlobColumns
from storage.records import BlobEntry, ImageOutline, ImageRecord


class CatalogView(Protocol):
    """`storage.catalog.Catalog` or `storage.joint_catalog.JointCatalog`."""

    def blobs(self) -> Iterator[BlobEntry]:
        """All blobs; `BlobEntry.holder` says whose they are."""

    def blob_columns(self) -> Iterator[BlobColumns]:
        """What is asked of every blob, of all blobs, in the order of `blobs`."""

    def blob(self, uri: str) -> BlobEntry | None:
        """What is known of one URI."""

    def blobs_of(self, image_id: int) -> list[BlobEntry]:
        """The blobs whose content is this image."""

    def image_id(self, digest: bytes) -> int | None:
        """The image with this SHA-256."""

    def record(self, image_id: int) -> ImageRecord:
        """Raises KeyError when there is no such image."""

    def outline(self, image_id: int) -> ImageOutline:
        """The little of the record that is asked of many. Raises KeyError when there is none."""

    def digest(self, image_id: int) -> bytes:
        """SHA-256. Raises KeyError when there is no such image."""

    def preview(self, image_id: int) -> bytes:
        """A JPEG. Raises KeyError when there is no such image."""

    @property
    def image_count(self) -> int:
        """Images of the index that is resolved."""

    @property
    def last_image_id(self) -> int:
        """No image known now has a higher id."""

    def verdict(self, digest_low: bytes, digest_high: bytes, verifier: str) -> bytes | None:
        """The stored verdict of this version of the verifier."""

    def put_verdicts(self, verifier: str, rows: Iterable[tuple[bytes, bytes, bytes]]) -> None:
        """Store verdicts: lower digest, higher digest, value."""
