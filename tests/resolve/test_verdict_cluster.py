"""Verdicts from a Ray cluster: the same as here, in order, with what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resolve.verdict_cluster import VerdictCluster, VerifierFactory
from resolve.verdict_workers import VerdictWorkers
from resolve.verdicts import CachedVerdicts
from search.candidates import CandidatePair
from storage.catalog import Catalog
from storage.cluster import Cluster
from storage.errors import ModelError
from tests.cluster import Nodes
from tests.resolve.invented import fill, image, record
from tests.resolve.verifiers import DeadlyVerifier, PlainVerifier, StagedVerifier
from verify.verdict import Relation, Verdict

WIDTHS = (*(400 + 7 * (n // 2) for n in range(30)), 666, 666)
PAIRS = [
    CandidatePair(a, b, 0, {})
    for a in range(1, len(WIDTHS) + 1)
    for b in range(a + 1, len(WIDTHS) + 1)
]


@pytest.fixture
def cluster(nodes: Nodes) -> Iterator[Cluster]:
    with Cluster(nodes.address) as joined:
        yield joined


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
    cluster: Cluster,
    catalog: Catalog,
    make: VerifierFactory,
    meanwhile: Callable[[], None] = lambda: None,
) -> tuple[list[Verdict], CachedVerdicts]:
    with CachedVerdicts(catalog, make(), is_writable=True) as verdicts:
        workers = VerdictWorkers(verdicts, VerdictCluster(cluster, catalog, make))
        order, found = [], []
        for number, pair in enumerate(workers.ahead(PAIRS)):
            if number == 100:
                meanwhile()
            order.append(pair)
            found.append(verdicts.verdict(pair.low_id, pair.high_id))
    assert order == PAIRS
    return found, verdicts


def test_each_pair_is_verified_once_and_its_stages_are_counted(
    cluster: Cluster, catalog: Catalog
) -> None:
    found, verdicts = _verified(cluster, catalog, StagedVerifier)
    assert [verdict.is_copy for verdict in found] == [
        WIDTHS[pair.low_id - 1] == WIDTHS[pair.high_id - 1] for pair in PAIRS
    ]
    assert verdicts.computed == len(PAIRS)
    stages = verdicts.costs.stages
    assert (stages["records"].reached, stages["pixels"].ended) == (len(PAIRS), 16)
    # The next run knows them.
    _, again = _verified(cluster, catalog, StagedVerifier)
    assert again.computed == 0


def test_a_killed_node_costs_no_verdict(cluster: Cluster, nodes: Nodes, catalog: Catalog) -> None:
    third = nodes.add()
    found, verdicts = _verified(cluster, catalog, StagedVerifier, lambda: nodes.kill(third))
    assert sum(verdict.is_copy for verdict in found) == 16
    assert verdicts.computed == len(PAIRS)


def test_a_pair_that_kills_its_process_stays_and_stops_no_other(
    cluster: Cluster, catalog: Catalog
) -> None:
    found, _ = _verified(cluster, catalog, DeadlyVerifier)
    by_pair = dict(zip([(pair.low_id, pair.high_id) for pair in PAIRS], found, strict=True))
    assert by_pair[31, 32].relation is Relation.DIFFERENT
    assert "crashed" in by_pair[31, 32].reason
    assert sum(verdict.is_copy for verdict in found) == 15


class _Unloadable(PlainVerifier):
    """Can be made where the verdicts are wanted, and nowhere else."""

    def __init__(self, *, is_here: bool = False) -> None:
        if not is_here:
            raise ModelError("The weights are missing there.", "Bring them there.")


def test_a_verifier_that_the_nodes_cannot_make_ends_the_run(
    cluster: Cluster, catalog: Catalog
) -> None:
    with CachedVerdicts(catalog, _Unloadable(is_here=True), is_writable=True) as verdicts:
        workers = VerdictWorkers(verdicts, VerdictCluster(cluster, catalog, _Unloadable))
        with pytest.raises(ModelError, match="missing there"):
            list(workers.ahead(PAIRS))
