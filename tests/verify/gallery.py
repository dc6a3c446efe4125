"""Pictures as verification gets them: saved, indexed, seen as previews."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.extract import ExtractOptions, extract
from resolve.verdicts import verify_image
from storage.records import Metadata
from verify.evidence import VerifyImage

U8 = NDArray[np.uint8]

# All with texture, some with large plain areas: a portrait, a cup on a table, a rocket at dusk, a
# street with a temple, a flower before a blurred hedge.
PHOTOGRAPHS = ("astronaut.png", "coffee.png", "rocket.jpg", "china.jpg", "flower.jpg")


def saved(rgb: U8, quality: int = 0) -> bytes:
    """The bytes of a JPEG of this quality, or of a PNG for 0."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    if quality:
        done, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    else:
        done, content = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return content.tobytes()


def indexed(
    rgb: U8, *, quality: int = 0, taken_at: str | None = None, frames: int | None = None
) -> VerifyImage:
    """A picture as verification gets it, after the pass over its file.

    Args:
        rgb: uint8 (h, w, 3).
        quality: of the JPEG it is saved as; 0 for a PNG.
        taken_at, frames: what the file says of itself, where it should say something.
    """
    content = saved(rgb, quality)
    digest = hashlib.sha256(content + f"{taken_at} {frames}".encode()).digest()
    extracted = extract(content, digest, ExtractOptions(network_inputs=()))
    said: Metadata = extracted.record.metadata
    if taken_at is not None:
        said = replace(said, taken_at=taken_at)
    if frames is not None:
        said = replace(said, frames=frames)
    return verify_image(extracted.preview, replace(extracted.record, metadata=said))
