"""The fit finds the weights that made the examples, and is judged on what it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibration.examples import Example
from benchmarks.calibration.model import by_kind, by_photograph, fit, predict, reliability
from benchmarks.calibration.plot import plot_reliability
from verify.score import FEATURES

TRUTH = np.array([-2.0, 4.0, *[0.0] * (len(FEATURES) - 1)])


def examples(count: int, seed: int = 1, kinds: int = 6) -> list[Example]:
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        measured = random.uniform(0, 1, len(FEATURES))
        probability = 1 / (1 + np.exp(-(TRUTH[0] + measured @ TRUTH[1:])))
        found.append(
            Example(
                measured,
                bool(random.uniform() < probability),
                is_copy=False,
                groups=frozenset({f"photograph {number % 40}"}),
                kinds=frozenset({f"kind {number % kinds}"}),
            )
        )
    return found


def test_the_fit_recovers_what_decided() -> None:
    weights = fit(examples(6000))
    assert weights[0] == pytest.approx(-2.0, abs=0.5)
    assert weights[1] == pytest.approx(4.0, abs=0.5)
    assert float(np.abs(weights[2:]).max()) < 0.5


@pytest.mark.parametrize("leave_out", [by_photograph, by_kind])
def test_scores_are_shares_for_what_was_left_out(leave_out) -> None:
    found = examples(4000)
    is_true = np.array([example.is_true for example in found])
    for mean, share, count in reliability(leave_out(found), is_true):
        if count > 100:
            assert share == pytest.approx(mean, abs=0.12)


def test_an_example_is_predicted_by_a_fit_that_saw_neither_its_kind_nor_learnt_from_it() -> None:
    # One kind contradicts all the others: a fit that had seen it would know.
    found = [
        Example(one.features, not one.is_true, False, one.groups, one.kinds)
        if "kind 0" in one.kinds
        else one
        for one in examples(3000)
    ]
    left_out = by_kind(found)
    contrary = np.array(["kind 0" in one.kinds for one in found])
    is_true = np.array([one.is_true for one in found])
    worse = float(((left_out - is_true) ** 2)[contrary].mean())
    assert worse > float(((left_out - is_true) ** 2)[~contrary].mean()) + 0.1
    assert worse > float(((predict(fit(found), found) - is_true) ** 2)[contrary].mean())


def test_the_same_figures_give_the_same_plot(tmp_path: Path) -> None:
    curves = {"kinds left out": [(0.1, 0.12, 40), (0.95, 0.96, 300)]}
    for name in ("a.svg", "b.svg"):
        plot_reliability(curves, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"kinds left out (340 pairs)" in (tmp_path / "a.svg").read_bytes()
