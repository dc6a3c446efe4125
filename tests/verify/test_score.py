"""The score orders verdicts as their evidence does, and is a share."""

from __future__ import annotations

import math

import numpy as np
import pytest

from verify.score import FEATURES, LEAST, MOST, UNALIGNED, WEIGHTS, features, score

CLEAN = {
    "agreement": 1.0,
    "disagreement": 0.0,
    "worst_window": 0.98,
    "noise": 1.0,
    "textured_share": 0.7,
    "recolouring": 0.0,
    "changed_share": 0.0,
    "opposed": 0.0,
    "worst_place": 0.0,
    "paper": 0.0,
    "solid_share": 0.0,
}
CHANGED = CLEAN | {"changed_share": 0.02, "opposed": 0.4, "worst_place": 0.8, "paper": 0.3}


def test_each_weight_belongs_to_a_measurement() -> None:
    assert len(WEIGHTS) == len(FEATURES) + 1
    assert features(CLEAN, is_copy=True).shape == (len(FEATURES),)
    assert any(weight != 0 for weight in WEIGHTS)


def test_a_copy_by_all_gates_is_nearly_sure_and_a_change_is_not() -> None:
    assert score(CLEAN, is_copy=True) > 0.97
    assert score(CHANGED, is_copy=False) < 0.5


def test_what_no_map_brings_together_is_rarely_a_copy() -> None:
    assert score({}, is_copy=False) == UNALIGNED < 0.1


@pytest.mark.parametrize("is_copy", [False, True])
def test_the_score_is_never_quite_sure(is_copy: bool) -> None:
    worst = CHANGED | {"agreement": 0.0, "disagreement": 1.0, "worst_window": -1.0, "noise": 80.0}
    for measured in (CLEAN, CHANGED, worst):
        assert LEAST <= score(measured, is_copy=is_copy) <= MOST


def test_changed_places_count_only_where_there_are_any() -> None:
    assert score(CLEAN, is_copy=True) == score(
        CLEAN | {"opposed": 0.4, "worst_place": 0.9, "paper": 0.9}, is_copy=True
    )


def test_the_score_is_the_logistic_of_the_weighted_measurements() -> None:
    total = WEIGHTS[0] + float(np.dot(WEIGHTS[1:], features(CHANGED, is_copy=False)))
    assert score(CHANGED, is_copy=False) == pytest.approx(
        min(MOST, max(LEAST, 1 / (1 + math.exp(-total))))
    )
