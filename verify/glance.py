"""A cheap look at two images on small copies, before anything is compared in full."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.geometry import F64, Size, inverse, size_of
from verify.photometry import luminance
from verify.residual import smoothed
from verify.warp import align_pixels
from verify.windows import tile_agreement

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


_SIDE = 192
_THUMBNAIL = 32
_MIN_TEXTURED = 12
_NOISE = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """The small copies of an image.

    Attributes:
        size: of the image itself.
        small: uint8 RGB, its longer side 192 pixels or as it is.
        to_small: pixels of the image to pixels of `small`, float64 (3, 3).
        thumbnail: luminance, float32 (32, 32).
    """

    size: Size
    small: U8
    to_small: F64
    thumbnail: F32

    @classmethod
    def of(cls, image: U8) -> Glance:
        """The glance at an image, uint8 RGB (h, w, 3)."""
        small, to_small = _shrunk(image)
        thumb = cv2.resize(small, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
        return cls(size_of(image), small, to_small, luminance(np.asarray(thumb)))


def coarse_agreement(a: Glance, b: Glance, homography: F64) -> float | None:
    """Share of textured windows that agree, on small copies; None without texture.

    A cheap look before the full comparison: unrelated pictures and wrong maps end here.

    Args:
        homography: pixels of a's image to pixels of b's, float64 (3, 3).
    """
    pair = align_pixels(a.small, b.small, b.to_small @ homography @ inverse(a.to_small))
    if pair is None:
        return 0.0
    left, right = smoothed(luminance(pair.a)), smoothed(luminance(pair.b))
    tiles = tile_agreement(left, right, pair.mask, _NOISE)
    return tiles.agreeing if tiles.textured >= _MIN_TEXTURED else None


def _shrunk(image: U8) -> tuple[U8, F64]:
    size = size_of(image)
    factor = _SIDE / max(size.width, size.height)
    if factor >= 1:
        return image, np.eye(3)
    target = Size(max(8, round(size.width * factor)), max(8, round(size.height * factor)))
    small = cv2.resize(image, (target.width, target.height), interpolation=cv2.INTER_AREA)
    sx, sy = target.width / size.width, target.height / size.height
    matrix = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]])
    return np.asarray(small), matrix
