"""What the index knows of an image by its content: its record, its preview, its files."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from storage.catalog import Catalog
from storage.records import BlobEntry, ImageRecord


class IndexedImages:
    """Looks in the index first and then in the reference index, if there is one."""

    def __init__(self, catalogs: Sequence[Catalog]) -> None:
        self._catalogs = catalogs

    def record(self, digest: bytes) -> ImageRecord | None:
        """The record; None when the image has left the index."""
        for catalog in self._catalogs:
            image_id = catalog.image_id(digest)
            if image_id is not None:
                try:
                    return catalog.record(image_id)
                except KeyError:
                    continue
        return None

    def preview(self, digest: bytes) -> bytes | None:
        """A JPEG; None when the image has left the index."""
        for catalog in self._catalogs:
            image_id = catalog.image_id(digest)
            if image_id is not None:
                try:
                    return catalog.preview(image_id)
                except KeyError:
                    continue
        return None

    def blob(self, uri: str) -> BlobEntry | None:
        """What is known of a file."""
        found = (catalog.blob(uri) for catalog in self._catalogs)
        return next((entry for entry in found if entry is not None), None)


def smaller(preview: bytes, side: int, quality: int) -> bytes | None:
    """The preview as a JPEG whose longer side is at most `side`; None when it is damaged."""
    content = np.frombuffer(preview, np.uint8)
    # Where a preview is twice as long as asked for, half of it is decoded at a third of the cost.
    pixels = cv2.imdecode(content, cv2.IMREAD_REDUCED_COLOR_2)
    if pixels is not None and max(pixels.shape[:2]) < side:
        pixels = cv2.imdecode(content, cv2.IMREAD_COLOR)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
