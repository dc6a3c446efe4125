"""The benchmark of listings, small: killed with SIGKILL in the middle and run again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.listing.measure import Outcome, measure


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return measure(20_000, tmp_path_factory.mktemp("listing"))


def test_a_killed_run_lists_no_page_again_that_it_had(outcome: Outcome):
    # The page that was on its way when the run was killed is asked for once more.
    assert outcome.pages_before_the_kill + outcome.pages_after == outcome.pages + 1
    assert outcome.carried == (outcome.pages_before_the_kill - 1) * 5000


def test_what_is_new_and_gone_is_found_exactly(outcome: Outcome):
    assert (outcome.new, outcome.removed) == (outcome.new_expected, outcome.removed_expected)
    assert outcome.listed == 20_000 - outcome.removed_expected
    assert min(outcome.new_expected, outcome.removed_expected) > 5
    assert outcome.faults() == []


def test_the_memory_is_that_of_a_page_and_not_of_the_names(outcome: Outcome):
    assert 30e6 < outcome.first_memory.own < 250e6
    assert 30e6 < outcome.second_memory.own < 250e6


@pytest.mark.parametrize(
    ("what", "wrong"),
    [("pages_after", 9), ("new", 0), ("removed", 10_000), ("reads", 20_000), ("listed", 1)],
)
def test_a_run_that_went_wrong_is_told(outcome: Outcome, what: str, wrong: int):
    assert replace(outcome, **{what: wrong}).faults()
