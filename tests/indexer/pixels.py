"""How far two pictures are apart."""

from __future__ import annotations

import numpy as np


def mean_difference(a, b):
    assert a.shape == b.shape
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())
