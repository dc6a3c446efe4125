"""The soak, small: every kind of fault, and kills, on some hundred blobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from benchmarks.fault_store.faults import Fault, FaultRates
from benchmarks.memory import Memory
from benchmarks.soak import kills, measure, unchanged

# More of all but of the pauses, which take a second each.
RATES = FaultRates(0.008, too_many=0.04, reset=0.04, stall=0.03, truncated=0.04, changed=0.02)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> measure.Outcome:
    folder = tmp_path_factory.mktemp("soak")
    return measure.measure(300, folder, limit=150, seed=2, silence=0.5, rates=RATES)


def test_every_fault_is_met_and_every_image_is_indexed_once(outcome: measure.Outcome):
    assert set(outcome.faults) == {fault.value for fault in Fault}
    assert outcome.new_images == outcome.contents
    assert outcome.new_images + outcome.aliased == outcome.blobs == 300
    assert (outcome.unreadable, outcome.wrong) == (0, 0)


def test_the_catalog_is_that_of_a_run_without_faults(outcome: measure.Outcome):
    assert outcome.is_same_catalog


def test_the_store_counts_no_more_requests_in_a_second_than_the_limit(outcome: measure.Outcome):
    assert 0 < outcome.busiest_second <= outcome.limit
    assert outcome.faults_found() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"new_images": 1},
        {"unreadable": 1},
        {"wrong": 1},
        {"busiest_second": 151},
        {"is_same_catalog": False},
        {"gets": 1000},
        {"memory": Memory(2**30, 2**30, 2**30)},
        {"memory": Memory(100 * 2**20, 0, 50 * 2**20)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_soak_that_went_wrong_is_told(outcome: measure.Outcome, wrong: Mapping[str, Any]):
    assert len(replace(outcome, **wrong).faults_found()) == 1


def test_runs_killed_at_random_moments_end_in_the_same_catalog(tmp_path: Path):
    outcome = kills.measure(400, tmp_path, kills=3, seed=3, rates=replace(RATES, stall=0))
    assert outcome.faults_found() == []
    assert outcome.kills == len(outcome.known) == 3
    assert replace(outcome, known=[5, 4, 9]).faults_found()
    assert replace(outcome, wrong=1).faults_found()


def test_a_second_run_over_unchanged_blobs_makes_the_listing_requests_only(
    azurite: str, tmp_path: Path
):
    outcome = unchanged.measure(60, tmp_path, azurite)
    assert outcome.faults_found() == []
    assert (outcome.first_reads, outcome.again_lists, outcome.again_reads) == (60, 1, 0)
    assert replace(outcome, again_reads=1).faults_found()
    with BlobServiceClient.from_connection_string(azurite) as service:
        assert not list(service.list_containers(name_starts_with="dedup-soak-"))
