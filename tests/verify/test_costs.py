"""Counting what the stages of verification cost."""

from __future__ import annotations

import pickle
import time

import pytest

from verify.costs import StageCosts


def _spend(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_the_time_of_a_pair_goes_to_the_stages_it_was_in() -> None:
    costs = StageCosts()
    with costs.pair() as pair:
        pair.enter("records")
        _spend(0.01)
        pair.enter("pixels")
        _spend(0.03)
    records, pixels = costs.stages["records"], costs.stages["pixels"]
    assert 0.01 <= records.seconds < pixels.seconds
    assert pixels.seconds >= 0.03
    assert costs.seconds == records.seconds + pixels.seconds


def test_a_pair_ends_in_the_last_stage_it_came_to() -> None:
    costs = StageCosts()
    for stages in (("records",), ("records", "pixels"), ("records", "pixels", "overlay")):
        with costs.pair() as pair:
            for stage in stages:
                pair.enter(stage)
    counted = {name: (cost.reached, cost.ended) for name, cost in costs.stages.items()}
    assert counted == {"records": (3, 1), "pixels": (2, 1), "overlay": (1, 1)}


def test_a_second_try_of_a_stage_is_no_second_pair() -> None:
    costs = StageCosts()
    with costs.pair() as pair:
        for stage in ("keypoints", "pixels", "keypoints", "pixels"):
            pair.enter(stage)
    assert (costs.stages["keypoints"].reached, costs.stages["keypoints"].ended) == (1, 0)
    assert (costs.stages["pixels"].reached, costs.stages["pixels"].ended) == (1, 1)


def test_a_pair_that_failed_has_ended_nowhere() -> None:
    costs = StageCosts()
    with pytest.raises(ZeroDivisionError), costs.pair() as pair:
        pair.enter("records")
        raise ZeroDivisionError
    assert (costs.stages["records"].reached, costs.stages["records"].ended) == (1, 0)


def test_a_pair_without_stages_counts_nothing() -> None:
    costs = StageCosts()
    with costs.pair():
        pass
    assert costs.as_dict() == {}


def test_costs_of_several_processes_add_up() -> None:
    here, there = StageCosts(), StageCosts()
    here.add("records", 1.0, ended=False)
    there.add("records", 2.0, ended=True)
    there.add("pixels", 4.0, ended=True)
    here.merge(StageCosts.from_dict(pickle.loads(pickle.dumps(there.as_dict()))))
    assert here.as_dict() == {
        "records": {"reached": 2, "ended": 1, "seconds": 3.0},
        "pixels": {"reached": 1, "ended": 1, "seconds": 4.0},
    }
    assert there.stages["records"].reached == 1


def test_what_was_taken_is_not_counted_again() -> None:
    costs = StageCosts()
    costs.add("records", 1.0, ended=True)
    assert costs.take().stages["records"].ended == 1
    assert costs.take().as_dict() == {}


def test_the_clock_costs_less_than_a_thousandth_of_a_pair() -> None:
    costs = StageCosts()
    started = time.process_time()
    for _ in range(1000):
        with costs.pair() as pair:
            for stage in ("records", "frames", "keypoints", "pixels"):
                pair.enter(stage)
    # A pair takes some 20 ms; the limit is wide, for other work may run beside.
    assert (time.process_time() - started) / 1000 < 100e-6
