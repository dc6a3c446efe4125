"""Verdicts from worker processes: the same as here, in order, with what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from resolve.effort import Effort
from resolve.verdict_processes import VerdictProcesses
from resolve.verdict_workers import VerdictWorkers
from resolve.verdicts import CachedVerdicts, PairVerifier
from search.candidates import CandidatePair
from storage.catalog import Catalog
from tests.resolve.invented import fill, image, record
from tests.resolve.verifiers import DeadlyVerifier, PlainVerifier, StagedVerifier
from verify.verdict import Relation, Verdict

WIDTHS = (400, 400, 600, 600, 666, 666, 800, 800)
PAIRS = [
    CandidatePair(a, b, 0, {})
    for a in range(1, len(WIDTHS) + 1)
    for b in range(a + 1, len(WIDTHS) + 1)
]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open_writer(tmp_path / "catalog.lmdb") as opened:
        fill(
            opened,
            [
                image(f"/p/{n}.jpg", record_=record(f"{n}", width=width))
                for n, width in enumerate(WIDTHS)
            ],
        )
        yield opened


def _verified(
    catalog: Catalog, path: Path, make: Callable[[], PairVerifier], workers: int
) -> tuple[list[Verdict], CachedVerdicts]:
    with CachedVerdicts(catalog, make(), is_writable=True) as verdicts:
        processes = VerdictProcesses(partial(Catalog.open_reader, path), make, workers)
        pool = VerdictWorkers(verdicts, processes)
        order, found = [], []
        for pair in pool.ahead(PAIRS):
            order.append(pair)
            found.append(verdicts.verdict(pair.low_id, pair.high_id))
    assert order == PAIRS
    return found, verdicts


@pytest.mark.parametrize("workers", [1, 2])
def test_each_pair_is_verified_once_and_its_stages_are_counted(
    catalog: Catalog, tmp_path: Path, workers: int
) -> None:
    found, verdicts = _verified(catalog, tmp_path / "catalog.lmdb", StagedVerifier, workers)
    assert [verdict.is_copy for verdict in found] == [
        WIDTHS[pair.low_id - 1] == WIDTHS[pair.high_id - 1] for pair in PAIRS
    ]
    assert verdicts.computed == len(PAIRS) == 28
    counted = {name: (cost.reached, cost.ended) for name, cost in verdicts.costs.stages.items()}
    assert counted == {
        "previews": (28, 0), "records": (28, 24), "pixels": (4, 4), "other": (28, 0),
    }  # fmt: skip
    stages = verdicts.costs.stages
    assert stages["records"].seconds >= 28 * 0.002
    assert stages["pixels"].seconds >= 4 * 0.004
    assert stages["other"].seconds < stages["records"].seconds


def test_a_verifier_that_counts_nothing_is_one_stage(catalog: Catalog, tmp_path: Path) -> None:
    _, verdicts = _verified(catalog, tmp_path / "catalog.lmdb", PlainVerifier, 2)
    verifying = verdicts.costs.stages["verification"]
    assert (verifying.reached, verifying.ended) == (28, 28)
    assert verifying.seconds >= 28 * 0.002


def test_what_is_known_costs_nothing(catalog: Catalog, tmp_path: Path) -> None:
    first, _ = _verified(catalog, tmp_path / "catalog.lmdb", StagedVerifier, 1)
    second, verdicts = _verified(catalog, tmp_path / "catalog.lmdb", StagedVerifier, 2)
    assert (verdicts.computed, verdicts.costs.as_dict()) == (0, {})
    assert [verdict.score for verdict in second] == [verdict.score for verdict in first]
    assert Effort(verdicts.computed, 1.0, verdicts.costs).as_json() == {
        "verdicts": 0, "verdicts_per_second": 0.0, "cpu_ms_per_verdict": 0.0, "stages": {},
    }  # fmt: skip


def test_a_pair_that_kills_its_worker_stays_and_stops_no_other(
    catalog: Catalog, tmp_path: Path
) -> None:
    found, verdicts = _verified(catalog, tmp_path / "catalog.lmdb", DeadlyVerifier, 2)
    by_pair = dict(zip([(pair.low_id, pair.high_id) for pair in PAIRS], found, strict=True))
    assert by_pair[5, 6].relation is Relation.DIFFERENT
    assert "crashed" in by_pair[5, 6].reason
    assert by_pair[1, 2].is_copy
    assert by_pair[7, 8].is_copy
    assert verdicts.computed == 28


def test_the_effort_is_pairs_by_the_second_and_cpu_time_by_the_pair() -> None:
    verifier = StagedVerifier()
    verifier.costs.add("records", 0.25, ended=True)
    verifier.costs.add("pixels", 0.75, ended=True)
    effort = Effort(verdicts=50, seconds=20.0, costs=verifier.costs)
    assert effort.as_json() == {
        "verdicts": 50,
        "verdicts_per_second": 2.5,
        "cpu_ms_per_verdict": 20.0,
        "stages": {
            "records": {"reached": 1, "ended": 1, "cpu_seconds": 0.25},
            "pixels": {"reached": 1, "ended": 1, "cpu_seconds": 0.75},
        },
    }
