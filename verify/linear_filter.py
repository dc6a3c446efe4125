"""The linear filter that makes one picture most like another.

Resampling, blur in any direction, sharpening and a fraction of a pixel of shift are all linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.robust import deviation, weights
from verify.warp import Mask

F32 = NDArray[np.float32]

# Pixels that a filter is fitted on.
_SAMPLES, _LEAST_SAMPLES = 5000, 500
_RIDGE = 1e-3
_OUTLYING = 3.0
_LEAST_ERROR = 0.5
# Of a kernel's largest value, what is no part of its blur.
_OF_PEAK = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class LinearFilter:
    """A correlation with a kernel, what is added after it, and how well it does.

    Attributes:
        kernel: float32 (n, n).
        offset: grey levels.
        places: int64 (n,), the pixels it was fitted on, in the order of the rows.
        left: float32 (n,), what it leaves there of the target, grey levels.
    """

    kernel: F32
    offset: float
    places: NDArray[np.int64]
    left: F32

    @property
    def spread(self) -> float:
        """By how many pixels it blurs where it blurs most, a standard deviation."""
        kernel = np.where(self.kernel > _OF_PEAK * self.kernel.max(), self.kernel, 0.0)
        reach = len(kernel) // 2
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        points = np.stack([x.ravel(), y.ravel()])
        covariance = np.cov(points, aweights=kernel.ravel(), ddof=0)
        return float(np.sqrt(max(0.0, float(np.linalg.eigvalsh(covariance)[-1]))))

    def apply(self, image: F32) -> F32:
        """The filtered image, float32 (h, w)."""
        filtered = cv2.filter2D(image, -1, self.kernel, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(filtered + np.float32(self.offset), np.float32)


def fit_filter(source: F32, target: F32, compared: Mask, reach: int) -> LinearFilter | None:
    """The filter of the source that shows the target best, by least squares, robustly.

    Args:
        source, target: luminance, float32 (h, w).
        compared: bool (h, w), at least `reach` pixels from what is not to be looked at.
        reach: pixels on either side of the kernel's middle.

    Returns:
        None when there are too few pixels to tell.
    """
    places = np.flatnonzero(compared)
    if len(places) < _LEAST_SAMPLES:
        return None
    places = places[:: max(1, len(places) // _SAMPLES)]
    around = np.arange(-reach, reach + 1)
    offsets = (around[:, None] * source.shape[1] + around[None, :]).ravel()
    seen = source.ravel()[places[:, None] + offsets[None, :]]
    wanted = target.ravel()[places]
    mean_seen, mean_wanted = seen.mean(axis=0), float(wanted.mean())
    seen, wanted = seen - mean_seen, wanted - mean_wanted
    weight = np.ones(len(wanted), np.float32)
    kernel = np.zeros(len(offsets), np.float32)
    for _ in range(2):
        # What is another character in the one shall not bend the filter.
        weighted = seen * weight[:, None]
        normal = weighted.T @ seen
        ridge = _RIDGE * float(np.trace(normal)) / len(offsets) + 1e-3
        kernel = np.linalg.solve(normal + ridge * np.eye(len(offsets)), weighted.T @ wanted)
        error = np.abs(wanted - seen @ kernel).astype(np.float32)
        weight = weights(error, deviation(error, _LEAST_ERROR), _OUTLYING)
    return LinearFilter(
        kernel.reshape(2 * reach + 1, -1).astype(np.float32),
        mean_wanted - float(mean_seen @ kernel),
        places,
        np.abs(wanted - seen @ kernel).astype(np.float32),
    )
