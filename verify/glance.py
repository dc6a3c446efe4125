"""A cheap look at two images on small copies, before anything is compared in full."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.geometry import F64, Size, inverse, size_of
from verify.photometry import luminance
from verify.residual import smoothed
from verify.warp import align_pixels
from verify.windows import tile_agreement

U8 = NDArray[np.uint8]


def coarse_agreement(a: U8, b: U8, homography: F64, side: int = 192) -> float | None:
    """Share of textured windows that agree, on small copies of the images; None without texture.

    A cheap look before the full comparison: unrelated pictures and wrong maps end here.
    """
    small_a, to_a = _shrunk(a, side)
    small_b, to_b = _shrunk(b, side)
    pair = align_pixels(small_a, small_b, to_b @ homography @ inverse(to_a))
    if pair is None:
        return 0.0
    left, right = smoothed(luminance(pair.a)), smoothed(luminance(pair.b))
    tiles = tile_agreement(left, right, pair.mask, 1.5)
    return tiles.agreeing if tiles.textured >= 12 else None


def _shrunk(image: U8, side: int) -> tuple[U8, F64]:
    size = size_of(image)
    factor = side / max(size.width, size.height)
    if factor >= 1:
        return image, np.eye(3)
    target = Size(max(8, round(size.width * factor)), max(8, round(size.height * factor)))
    small = cv2.resize(image, (target.width, target.height), interpolation=cv2.INTER_AREA)
    sx, sy = target.width / size.width, target.height / size.height
    matrix = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]])
    return np.asarray(small), matrix
