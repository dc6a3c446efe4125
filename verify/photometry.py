"""Grey levels, and which of them are those of paper, print and screens."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Of 40 photographs with more than half of their pixels near one grey level, those with a sky have
# at most 0.24 flat and 0.72 of those near to it very near; prints have at least 0.62 flat.
_SKY_FLAT, _SKY_SHARE, _SKY_EVEN, _EVEN = 0.30, 0.70, 0.75, 4


def luminance(rgb: U8) -> F32:
    """Rec. 601 luminance, float32 (h, w), 0..255."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def is_flat(grey: F32) -> Mask:
    """Where five by five pixels have one grey level, as print and screens do, bool (h, w)."""
    mean = cv2.boxFilter(grey, -1, (5, 5))
    variance = cv2.boxFilter(grey * grey, -1, (5, 5)) - mean * mean
    return np.asarray(variance < 0.8)


def paper_likeness(grey: F32, mask: Mask) -> float:
    """How much of a picture is like paper, print or a screen, 0..1.

    The larger of the share that is flat to the last grey level and the share close to the commonest
    one. A sky, in which little is flat and the grey levels run on, is no paper: of it only what is
    very close to the commonest level counts.
    """
    flat, near = float(is_flat(grey)[mask].mean()), commonest_share(grey, mask)
    if flat < _SKY_FLAT and near <= _SKY_SHARE:
        even = commonest_share(grey, mask, _EVEN)
        if even < _SKY_EVEN * near:
            return max(flat, even)
    return max(flat, near)


def commonest_share(grey: F32, mask: Mask, within: int = 10) -> float:
    """Share of the pixels within so many grey levels of the commonest one."""
    counts = np.bincount(np.clip(grey[mask], 0, 255).astype(np.int64), minlength=256)
    windowed = np.convolve(counts, np.ones(2 * within + 1, dtype=np.int64), mode="same")
    return float(windowed.max()) / max(1, int(counts.sum()))
