"""The small JPEG from which verification and the report work without another download."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.resize import fit
from storage.preview_profile import with_profile

U8 = NDArray[np.uint8]

# Verification reads these pixels. Halved chroma would blur coloured lettering, and below this
# quality the blocks of the preview rival what a real edit changes.
_ENCODING = [
    cv2.IMWRITE_JPEG_QUALITY,
    88,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]

# What detailed photographs take at that quality; 0.37 is usual.
_MOST_BYTES_A_PIXEL = 0.5


def preview_pixels(rgb: U8, preview_size: int) -> U8:
    """The picture with its longer side at most `preview_size`, never enlarged.

    Args:
        rgb: uint8 (h, w, 3), upright.
        preview_size: pixels.
    """
    return fit(rgb, preview_size)


def preview_jpeg(pixels: U8, same: bytes | None, profile: bytes = b"") -> bytes:
    """The preview as it is stored: of quality 88 with full chroma, unless the file itself will do.

    A small JPEG is its own preview, provided that it takes no more than another may. Saved once
    more it would lose a little of what is compared, at a tenth of the cost of the pass.

    Args:
        pixels: uint8 (h, w, 3) RGB.
        same: a JPEG that decodes to them, if there is one.
        profile: the ICC profile that they were brought to sRGB from; it is kept inside.
    """
    if same is not None and len(same) <= _MOST_BYTES_A_PIXEL * pixels.shape[0] * pixels.shape[1]:
        return same
    return with_profile(encode_preview(pixels), profile)


def encode_preview(pixels: U8) -> bytes:
    """A JPEG of quality 88 with full chroma.

    Args:
        pixels: uint8 (h, w, 3) RGB.
    """
    is_encoded, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), _ENCODING)
    if not is_encoded:
        raise ValueError(f"cannot encode a preview of {pixels.shape[1]}×{pixels.shape[0]} pixels")
    return np.asarray(encoded, dtype=np.uint8).tobytes()
