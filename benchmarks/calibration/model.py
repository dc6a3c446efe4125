"""Logistic regression with a ridge, and its cross-validation."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.examples import Example

F64 = NDArray[np.float64]
Part = TypeVar("Part")

_RIDGE = 1.0
_STEPS = 50
_FOLDS = 5


def fit(examples: Sequence[Example]) -> F64:
    """Weights, the constant first, by iteratively reweighted least squares, float64 (13,).

    True and false pairs count as they occur among candidates, or the score would not be a share.
    """
    design, wanted = _design(examples), np.array([example.is_true for example in examples], float)
    weights = np.zeros(design.shape[1])
    ridge = np.full(design.shape[1], _RIDGE)
    ridge[0] = 1e-6
    for _ in range(_STEPS):
        probability = _logistic(design @ weights)
        slope = np.maximum(probability * (1 - probability), 1e-6)
        gradient = design.T @ (wanted - probability) - ridge * weights
        step = np.linalg.solve((design * slope[:, None]).T @ design + np.diag(ridge), gradient)
        weights += np.clip(step, -2.0, 2.0)
        if float(np.abs(step).max()) < 1e-8:
            break
    return weights


def predict(weights: F64, examples: Sequence[Example]) -> F64:
    """The probability of each to be a pair of copies."""
    return _logistic(_design(examples) @ weights)


def by_photograph(examples: Sequence[Example]) -> F64:
    """For each example the probability by a fit that saw neither of its pictures."""
    fold = {
        group: zlib.crc32(group.encode()) % _FOLDS
        for example in examples
        for group in example.groups
    }
    return _left_out(
        examples,
        range(_FOLDS),
        lambda example, number: any(fold[group] == number for group in example.groups),
    )


def by_kind(examples: Sequence[Example]) -> F64:
    """For each example the probability by a fit that saw none of its edits and families."""
    kinds = sorted({kind for example in examples for kind in example.kinds})
    return _left_out(examples, kinds, lambda example, kind: kind in example.kinds)


def _left_out(
    examples: Sequence[Example], parts: Iterable[Part], belongs: Callable[[Example, Part], bool]
) -> F64:
    """The largest error decides for examples that belong to two parts."""
    result = np.full(len(examples), np.nan)
    for part in parts:
        test = np.array([belongs(example, part) for example in examples])
        weights = fit([example for example, out in zip(examples, test, strict=True) if not out])
        for place in np.flatnonzero(test).tolist():
            found = float(predict(weights, [examples[place]])[0])
            known = result[place]
            is_worse = np.isnan(known) or (found < known) == examples[place].is_true
            result[place] = found if is_worse else known
    missing = np.isnan(result)
    if missing.any():
        weights = fit(examples)
        result[missing] = predict(weights, examples)[missing]
    return result


def reliability(
    probability: F64, is_true: NDArray[np.bool_], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Mean score, share of true pairs and number of pairs, for each tenth of the scale."""
    edges = np.minimum((probability * bins).astype(int), bins - 1)
    return [
        (
            float(probability[edges == n].mean()),
            float(is_true[edges == n].mean()),
            int((edges == n).sum()),
        )
        for n in range(bins)
        if (edges == n).any()
    ]


def _design(examples: Sequence[Example]) -> F64:
    rows = np.stack([example.features for example in examples])
    return np.hstack([np.ones((len(rows), 1)), rows])


def _logistic(values: F64) -> F64:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -40, 40))))
