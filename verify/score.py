"""How sure a verdict is: the share of verdicts like it that are copies.

A logistic function of what was measured under the best map, fitted by `benchmarks.calibration` on
generated sets. It ranks and informs, for the review page and the lists; it decides nothing. What is
a copy is decided by the gates of `verify.doubts`, which no sum of other evidence can make up for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

# In the order of WEIGHTS, which begins with the constant.
FEATURES = (
    "agreement",
    "contradiction",
    "worst window",
    "noise",
    "texture",
    "recolouring",
    "changed",
    "opposed",
    "worst place",
    "paper changed",
    "solid",
    "copy",
)
WEIGHTS = (
    0.491, 1.718, -0.098, -0.195, 2.545, 1.143, -1.414,
    0.698, -2.882, -0.918, -4.503, -0.769, 2.766,
)  # fmt: skip
# The share of copies among candidates that no map brings together.
UNALIGNED = 0.014
# No finite number of examples shows that a verdict is never wrong.
LEAST, MOST = 0.001, 0.9995


def features(measured: Mapping[str, float], *, is_copy: bool) -> F64:
    """What the score depends on, float64 (12,), each about 0 to 1.

    Args:
        measured: `verify.evidence.measurements`.
        is_copy: what the gates said.
    """
    has_changed = float(measured["changed_share"] > 0)
    return np.array(
        [
            measured["agreement"],
            min(1.0, 10.0 * measured["disagreement"]),
            max(0.0, measured["worst_window"]),
            min(2.0, measured["noise"] / 10.0),
            min(1.0, 2.0 * measured["textured_share"]),
            min(2.0, measured["recolouring"] / 20.0),
            has_changed,
            has_changed * 2.0 * measured["opposed"],
            has_changed * measured["worst_place"],
            has_changed * measured["paper"],
            has_changed * measured["solid_share"],
            float(is_copy),
        ]
    )


def score(measured: Mapping[str, float], *, is_copy: bool) -> float:
    """The probability that the two are copies, 0..1.

    Args:
        measured: as for `features`; empty when no map brought the two together.
        is_copy: what the gates said.
    """
    if not measured:
        return UNALIGNED
    total = WEIGHTS[0] + float(features(measured, is_copy=is_copy) @ np.array(WEIGHTS[1:]))
    return float(np.clip(1.0 / (1.0 + np.exp(-total)), LEAST, MOST))
