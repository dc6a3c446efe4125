"""Pictures as verification gets them: saved, indexed, seen as previews."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.extract import ExtractOptions, extract
from resolve.verdicts import verify_image
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
    said: dict[str, Any] = {"taken_at": taken_at, "frames": frames}
    image = seen(saved(rgb, quality), f"{taken_at} {frames}".encode())
    told = {name: value for name, value in said.items() if value is not None}
    return replace(
        image, record=replace(image.record, metadata=replace(image.record.metadata, **told))
    )


def seen(content: bytes, besides: bytes = b"") -> VerifyImage:
    """A file as verification gets it, after the pass over it.

    Args:
        besides: what else of it is another in a file with another digest.
    """
    digest = hashlib.sha256(content + besides).digest()
    extracted = extract(content, digest, ExtractOptions(network_inputs=()))
    return verify_image(extracted.preview, extracted.record)
