"""Two images on one pixel grid: the coarser of the two."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.geometry import F64, Size, corners, inverse, local_scale, project, size_of

U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# A map that moves no corner by more than this, in pixels, is none.
_UNMOVED = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class AlignedPair:
    """Two images on one pixel grid.

    Attributes:
        a, b: uint8 (h, w, 3).
        mask: bool (h, w), where both are seen, a margin of two pixels left out.
        a_is_reference: True when the grid is a's own.
        reduction: pixels of the finer one for one of the grid, as a length, 1 and more.
    """

    a: U8
    b: U8
    mask: Mask
    a_is_reference: bool
    reduction: float


def align_pixels(a: U8, b: U8, homography: F64) -> AlignedPair | None:
    """Brings both images to the pixel grid of the coarser one.

    Args:
        a, b: uint8 RGB (h, w, 3).
        homography: pixels of a to pixels of b, float64 (3, 3).

    Returns:
        None when they hardly overlap.
    """
    size_a, size_b = size_of(a), size_of(b)
    back = inverse(homography)
    centre = project(back, np.array([[size_b.width / 2, size_b.height / 2]]))[0]
    inside = np.clip(centre, [0, 0], [size_a.width - 1, size_a.height - 1])
    scale = local_scale(homography, (float(inside[0]), float(inside[1])))
    if not np.isfinite(scale) or scale <= 0:
        return None
    if scale >= 1:
        warped, mask = _warp(b, homography, size_a, scale)
        first, second, a_is_reference = a, warped, True
    else:
        warped, mask = _warp(a, back, size_b, 1 / scale)
        first, second, a_is_reference = warped, b, False
    if int(mask.sum()) < 256:
        return None
    return AlignedPair(first, second, mask, a_is_reference, max(scale, 1 / scale))


def _warp(image: U8, homography: F64, size: Size, shrink: float) -> tuple[U8, Mask]:
    if shrink > 1.15:
        sigma = 0.5 * float(np.sqrt(shrink * shrink - 1))
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)
    shape = (size.width, size.height)
    if _is_identity(homography, size) and size == size_of(image):
        inner = np.zeros((size.height, size.width), dtype=bool)
        inner[2:-2, 2:-2] = True
        return image, inner
    flags = cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(
        image, homography, shape, flags=cv2.INTER_LINEAR | flags, borderMode=cv2.BORDER_REPLICATE
    )
    seen = cv2.warpPerspective(
        np.full(image.shape[:2], 255, np.uint8), homography, shape, flags=cv2.INTER_NEAREST | flags
    )
    seen = cv2.erode(seen, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(warped), np.asarray(seen > 0)


def _is_identity(homography: F64, size: Size) -> bool:
    moved = project(homography, corners(size)) - corners(size)
    return float(np.abs(moved).max()) < _UNMOVED
