"""Reading what a client names, from the configured sources and from nowhere else.

A client never says where to connect to: what it names is looked for below the roots that the
operator has opened. There is no address in a request that this process would resolve or follow.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from storage.azure_address import SCHEME
from storage.blob import Blob, looks_like_image
from storage.errors import ImageInputError, SourceNotFound
from storage.source import Source

_MOST_CHARACTERS = 4096


class ConfiguredSources:
    """The sources that clients may name blobs of.

    Args:
        sources: opened; they stay the caller's.
        max_bytes: of a blob.
    """

    def __init__(self, sources: Sequence[Source], max_bytes: int) -> None:
        self._sources = tuple(sources)
        self._max_bytes = max_bytes

    @property
    def uris(self) -> list[str]:
        """Their roots."""
        return [source.uri for source in self._sources]

    def locate(self, uri: str) -> tuple[Source, Blob]:
        """The source that has this blob, and the blob as it is now.

        Raises:
            SourceNotFound: in none of the sources, or not there. Which of the two is not told.
            ImageInputError: larger than allowed.
        """
        source = self._source_of(uri)
        blob = None if source is None else source.stat(uri)
        if source is None or blob is None or blob.refusal:
            raise SourceNotFound(
                "There is no such image in the sources of this service.",
                "Name an image as the lists do.",
            )
        if blob.size > self._max_bytes:
            raise ImageInputError(
                f"The image has {blob.size / 2**20:.0f} MiB; the limit is "
                f"{self._max_bytes / 2**20:.0f} MiB.",
                "Ask about a smaller one.",
            )
        return source, blob

    def read(self, uri: str) -> bytes:
        """The content of a blob of the sources.

        Raises:
            SourceNotFound, ImageInputError: as above.
            SourceError: it cannot be read now.
        """
        source, blob = self.locate(uri)
        return source.read(blob)

    def _source_of(self, uri: str) -> Source | None:
        if not _is_plain(uri) or not looks_like_image(uri):
            return None
        for source in self._sources:
            root = source.uri.rstrip("/") + "/"
            if not uri.startswith(root):
                continue
            # A link in the folder may lead out of it; indexing follows it, strangers do not.
            if uri.startswith(SCHEME) or os.path.realpath(uri).startswith(root):
                return source
        return None


def _is_plain(uri: str) -> bool:
    """Whether nothing in it climbs, hides or ends early."""
    parts = uri.removeprefix(SCHEME).removeprefix("/").split("/")
    return (
        len(uri) <= _MOST_CHARACTERS
        and uri.isprintable()
        and not any(part in ("", ".", "..") for part in parts)
    )
