"""Reading a page of List Blobs.

The SDK makes an object of some forty attributes of each name, by a general deserialiser: 0.3 ms a
name, a quarter of an hour of CPU for three million. What is needed of it is read here from the same
XML in an eighth of the time.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import unquote
from xml.etree import ElementTree

from azure.storage.blob import BlobProperties

_ARCHIVED = "archived: rehydrate it to read it"
_REHYDRATING = "archived and being rehydrated: try again when that is done"
_UNSPEAKABLE = "named with . or .. between slashes, which every HTTP client takes out: rename it"


@dataclass(frozen=True, slots=True)
class ListedBlob:
    """What the service says of one blob.

    Attributes:
        etag: without quotation marks.
        last_modified: seconds since the epoch.
        content_md5: None where there is none.
        tier, archive_status: "" where it says nothing.
        is_folder: one of a hierarchical namespace.
    """

    name: str
    size: int
    etag: str
    last_modified: float
    content_md5: bytes | None
    tier: str
    archive_status: str
    is_folder: bool

    @property
    def refusal(self) -> str:
        """Why it is not read; "" when it can be."""
        if not {".", ".."}.isdisjoint(self.name.split("/")):
            # `a/../b.jpg` would be asked for as `b.jpg`.
            return _UNSPEAKABLE
        if self.tier.lower() != "archive":
            return ""
        return _REHYDRATING if self.archive_status else _ARCHIVED


class UnreadablePage(ValueError):
    """The answer is no page of a listing."""


def parse_page(body: bytes) -> tuple[list[ListedBlob], str]:
    """The blobs of a page, and where the next one begins; "" after the last.

    Raises:
        UnreadablePage: it is none, or it broke off.
    """
    blobs: list[ListedBlob] = []
    marker = ""
    try:
        for element in _elements(body):
            if element.tag == "Blob":
                blobs.append(_blob(element))
                # The elements of a page would take ten times what is kept of it.
                element.clear()
            elif element.tag == "NextMarker":
                marker = element.text or ""
            elif element.tag == "EnumerationResults":
                return blobs, marker
    except (ElementTree.ParseError, LookupError, TypeError, ValueError) as error:
        raise UnreadablePage(f"no page of a listing: {error}") from error
    raise UnreadablePage("no page of a listing")


def from_properties(properties: BlobProperties) -> ListedBlob:
    """The same of a blob that was asked for by itself."""
    metadata = properties.metadata or {}
    md5 = properties.content_settings.content_md5
    return ListedBlob(
        name=properties.name,
        size=properties.size,
        etag=str(properties.etag).strip('"'),
        last_modified=properties.last_modified.timestamp(),
        content_md5=bytes(md5) if md5 else None,
        tier=str(properties.blob_tier or ""),
        archive_status=str(properties.archive_status or ""),
        is_folder=str(metadata.get("hdi_isfolder", "")).lower() == "true",
    )


def _elements(body: bytes) -> Iterator[ElementTree.Element]:
    for _, element in ElementTree.iterparse(io.BytesIO(body), events=("end",)):
        yield element


def _blob(row: ElementTree.Element) -> ListedBlob:
    properties = {one.tag: one.text or "" for one in row.find("Properties") or ()}
    name = row.find("Name")
    if name is None:
        raise UnreadablePage("a blob without a name")
    text = name.text or ""
    # XML cannot hold every character that a name can.
    if name.get("Encoded", "").lower() == "true":
        text = unquote(text)
    return ListedBlob(
        name=text,
        size=int(properties["Content-Length"]),
        etag=properties.get("Etag", "").strip('"'),
        last_modified=parsedate_to_datetime(properties["Last-Modified"]).timestamp(),
        content_md5=_md5(properties.get("Content-MD5", "")),
        tier=properties.get("AccessTier", ""),
        archive_status=properties.get("ArchiveStatus", ""),
        is_folder=_is_folder(row, properties),
    )


def _md5(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) or None
    except binascii.Error:
        return None


def _is_folder(row: ElementTree.Element, properties: dict[str, str]) -> bool:
    if properties.get("ResourceType", "").lower() == "directory":
        return True
    metadata = row.find("Metadata")
    return metadata is not None and any(
        one.tag.lower() == "hdi_isfolder" and (one.text or "").lower() == "true" for one in metadata
    )
