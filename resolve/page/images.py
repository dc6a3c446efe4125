"""What the index knows of an image by its content: its record, its preview, dates of its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from storage.catalog_view import CatalogView
from storage.records import ImageRecord

_READINGS = ((4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))
_NEARLY = 0.8


class Images(Protocol):
    """Answers by SHA-256; None for what has left the index."""

    def record(self, digest: bytes) -> ImageRecord | None:
        """The record."""

    def preview(self, digest: bytes) -> bytes | None:
        """A JPEG."""

    def modified(self, digest: bytes, uri: str) -> float | None:
        """When the file of that name and content was last modified, seconds since the epoch."""


class IndexedImages:
    """Looks in the index first and then in the reference index, if there is one."""

    def __init__(self, *catalogs: CatalogView) -> None:
        self._catalogs: Sequence[CatalogView] = catalogs

    def record(self, digest: bytes) -> ImageRecord | None:
        for catalog, image_id in self._holding(digest):
            try:
                return catalog.record(image_id)
            except KeyError:
                # Forgotten between the two questions.
                continue
        return None

    def preview(self, digest: bytes) -> bytes | None:
        for catalog, image_id in self._holding(digest):
            try:
                return catalog.preview(image_id)
            except KeyError:
                continue
        return None

    def modified(self, digest: bytes, uri: str) -> float | None:
        for catalog, image_id in self._holding(digest):
            for entry in catalog.blobs_of(image_id):
                if entry.uri == uri:
                    return entry.last_modified
        return None

    def _holding(self, digest: bytes) -> Iterator[tuple[CatalogView, int]]:
        for catalog in self._catalogs:
            image_id = catalog.image_id(digest)
            if image_id is not None:
                yield catalog, image_id


def smaller(preview: bytes, side: int, quality: int) -> bytes | None:
    """The preview as a JPEG whose longer side is about `side` or less; None when it is damaged."""
    try:
        with Image.open(BytesIO(preview)) as opened:
            times = max(opened.size) / side
    except OSError:
        return None
    # Scaling by 2 or 4 makes decoding cheaper.
    reading = next((how for least, how in _READINGS if times >= least), cv2.IMREAD_COLOR)
    pixels = cv2.imdecode(np.frombuffer(preview, np.uint8), reading)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    # Resizing costs as much as decoding: not for a few pixels.
    if scale < _NEARLY:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
