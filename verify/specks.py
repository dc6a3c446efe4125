"""Small places on a map of what is too large, and quantiles of its values."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.warp import Mask

F32 = NDArray[np.float32]

_THREE = np.ones((3, 3), np.uint8)
_TWO = np.ones((2, 2), np.uint8)


def specks(excess: F32, inner: Mask, least: float, *, thinner_than: int = 0) -> Mask:
    """Places whose excess adds up to `least`, with the pixels around them, bool (h, w).

    Args:
        excess: float32 (h, w), above 0 where something is too large.
        inner: bool (h, w), where it counts.
        thinner_than: pixels; places that hold a square of this size are none.
    """
    places = ((excess > 0) & inner).astype(np.uint8)
    count, labels = cv2.connectedComponents(places, connectivity=8)
    if count == 1:
        return np.zeros(inner.shape, dtype=bool)
    labels = np.asarray(labels)
    counts = np.bincount(labels.ravel(), excess.ravel(), minlength=count) >= least
    counts[0] = False
    if thinner_than and counts.any():
        square = np.ones((thinner_than, thinner_than), np.uint8)
        counts[np.unique(labels[np.asarray(cv2.erode(places, square)) > 0])] = False
    return np.asarray(cv2.dilate(counts[labels].astype(np.uint8), _THREE) > 0)


def opened(places: Mask) -> Mask:
    """Without what is smaller than two by two pixels."""
    if not places.any():
        return places
    return np.asarray(cv2.morphologyEx(places.astype(np.uint8), cv2.MORPH_OPEN, _TWO) > 0)


def inside(mask: Mask, reach: int) -> Mask:
    """What is so many pixels from where the two are not both seen: the rest bleeds in."""
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return np.asarray(
        cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    )


def quantile(values: F32, share: float) -> float:
    """The value that such a share is not above; 0 where there are none."""
    place = int(share * (len(values) - 1))
    return float(np.partition(values, place)[place]) if len(values) else 0.0
