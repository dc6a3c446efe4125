"""Weights for least squares that a part of the data must not bend."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from verify.specks import quantile

Real = TypeVar("Real", np.float32, np.float64)

# The standard deviation of normal errors over the median of their sizes.
_OF_MEDIAN = 1.4826


def deviation(error: NDArray[Real], least: float) -> float:
    """The deviation of errors whose sizes are (n,), but no less than `least`."""
    return max(least, _OF_MEDIAN * quantile(error.astype(np.float32, copy=False), 0.5))


def weights(error: NDArray[Real], usual: float, outlying: float) -> NDArray[Real]:
    """Small where an error is large (Cauchy's weights), (n,).

    Args:
        error: sizes of the errors, (n,).
        usual: their deviation.
        outlying: deviations that halve a weight.
    """
    return np.asarray(1.0 / (1.0 + (error / (outlying * usual)) ** 2), error.dtype)
