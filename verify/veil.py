"""A veil laid over a picture, and what under it is not the picture.

Through a watermark every pixel is the clean one's, weaker, and the watermark's colour: all of them
lie on one line from the clean picture's tone to the veiled one's, and those at the edges of letters
between that line and the clean tone. Where a plate or a person is another one as well, some place
does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.places import Places
from verify.robust import deviation, weights
from verify.warp import Mask

F32 = NDArray[np.float32]

# Pixels a line is fitted to, at least, and how often.
_FEWEST, _ROUNDS = 40, 6
_OUTLYING, _LEAST_ERROR = 2.0, 1.5
# Deviation in grey levels from which on there is none: of letters that nothing shows through.
_NO_LINE = 25.0
# Grey levels beyond which a pixel is surely not under the veil, and so many of them that are more
# than ringing. Of 120 watermarked copies 0.98 have fewer, or less than a quarter of any place.
_BEYOND, _FEW = 20.0, 25


@dataclass(frozen=True, slots=True)
class Veil:
    """The line from the clean picture to what was laid over it.

    Attributes:
        seen: how much of the picture's contrast shows through, its slope.
        beyond: the largest share of a changed place that the veil does not explain; 0 where that
            is few pixels.
        beyond_share: the largest number of such pixels in a place, as a share of the frame.
    """

    seen: float = 0.0
    beyond: float = 0.0
    beyond_share: float = 0.0


def fit_veil(clean: F32, veiled: F32, changed: Mask, places: Places) -> Veil:
    """What the line that fits most changed pixels leaves of them.

    Args:
        clean, veiled: luminance at one tone curve and sharpness, float32 (h, w).
        changed: bool (h, w), the unexplained pixels.
        places: that they are in.
    """
    core = np.asarray(cv2.erode(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    if int(core.sum()) < _FEWEST:
        return Veil()
    slope, offset, error = _line(clean[core].astype(np.float64), veiled[core].astype(np.float64))
    if error > _NO_LINE:
        return Veil()
    before, after = clean[changed], veiled[changed]
    under = slope * before + offset
    lowest, highest = np.minimum(before, under), np.maximum(before, under)
    is_beyond = np.maximum(lowest - after, after - highest) > _BEYOND
    of_place = places.labels[changed]
    pixels = np.bincount(of_place)
    beyond = np.bincount(of_place, is_beyond)
    many = beyond >= _FEW
    return Veil(
        seen=slope,
        beyond=float((beyond[many] / pixels[many]).max(initial=0.0)),
        beyond_share=float(beyond.max()) / changed.size,
    )


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float]:
    """Slope, offset and error by weighted least squares; what is far off weighs less each time."""
    weight = np.ones(len(x))
    slope = offset = usual = 0.0
    for _ in range(_ROUNDS):
        mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
        spread = float((weight * (x - mean_x) ** 2).sum())
        slope = float((weight * (x - mean_x) * (y - mean_y)).sum()) / max(1e-6, spread)
        offset = float(mean_y - slope * mean_x)
        error = np.abs(y - slope * x - offset)
        usual = deviation(error, _LEAST_ERROR)
        weight = weights(error, usual, _OUTLYING)
    return slope, offset, usual
