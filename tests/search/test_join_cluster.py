"""The self-join on a Ray cluster: the pairs that this process finds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from search.candidates import CandidatePair
from search.hits import I64
from search.index_set import IndexSet
from search.join_block import Findings, Joined, search_block
from search.join_cluster import JoinCluster
from search.options import SearchOptions
from search.self_join import candidate_pairs
from search.sent_vectors import SentVectors
from storage.cluster import Cluster
from tests.cluster import Nodes
from tests.search.gallery import MODEL, Gallery, clustered, near

_OPTIONS = SearchOptions(exact_below=0)


@pytest.fixture
def cluster(nodes: Nodes) -> Iterator[Cluster]:
    with Cluster(nodes.address) as joined:
        yield joined


def _filled(gallery: Gallery, originals: int = 2600) -> IndexSet:
    vectors = clustered(originals, 32, seed=1)
    gallery.set_models(**{MODEL: 32})
    gallery.add({MODEL: np.concatenate([vectors, near(vectors[:300], 0.3, seed=2)])})
    # What is gone is found by no machine.
    gallery.remove(gallery.catalog.image_ids()[5:10].tolist())
    return IndexSet.open(gallery.directory, gallery.catalog, _OPTIONS)


@pytest.mark.parametrize("originals", [2600, 900], ids=["IVF-PQ", "exact"])
def test_a_cluster_finds_the_pairs_that_this_process_finds(
    gallery: Gallery, cluster: Cluster, originals: int
) -> None:
    indexes = _filled(gallery, originals)
    pool = JoinCluster(cluster, gallery.catalog, indexes, _OPTIONS)
    found = list(candidate_pairs(gallery.catalog, indexes, _OPTIONS, workers=pool))
    here = list(candidate_pairs(gallery.catalog, indexes, _OPTIONS))
    assert [_place(pair) for pair in found] == [_place(pair) for pair in here]
    for pair, same in zip(found, here, strict=True):
        # The order of adding depends on how many threads a process has.
        assert pair.similarity == pytest.approx(same.similarity, abs=1e-5)
    assert len(found) >= 290


def _place(pair: CandidatePair) -> tuple[int, int, int, set[str]]:
    return pair.low_id, pair.high_id, pair.hamming, set(pair.similarity)


def test_a_killed_node_loses_no_block(gallery: Gallery, cluster: Cluster, nodes: Nodes) -> None:
    joined = Joined(gallery.catalog, _filled(gallery), _OPTIONS)
    blocks = np.array_split(joined.indexes.image_ids, 24)
    third = nodes.add()

    def killing() -> Iterator[I64]:
        for number, block in enumerate(blocks):
            if number == 8:
                nodes.kill(third)
            yield block

    def otherwise(block: I64) -> Findings:
        return search_block(joined, block)

    pool = JoinCluster(cluster, gallery.catalog, joined.indexes, _OPTIONS)
    found = list(pool.search(killing(), otherwise))
    assert [list(findings.ids) for findings in found] == [list(block) for block in blocks]
    for findings, block in zip(found, blocks, strict=True):
        proposals = search_block(joined, block).proposals
        for field in ("low", "high", "source"):
            assert np.array_equal(findings.proposals[field], proposals[field])
        np.testing.assert_allclose(findings.proposals["value"], proposals["value"], atol=1e-5)


def test_sent_vectors_are_those_of_the_catalog(gallery: Gallery) -> None:
    _filled(gallery, 300)
    sent = SentVectors({MODEL: list(gallery.catalog.embeddings(MODEL, batch=64))})
    asked = np.random.default_rng(3).integers(0, 700, 500)
    vectors, found = sent.stored_embeddings(MODEL, asked)
    wanted, wanted_found = gallery.catalog.stored_embeddings(MODEL, asked)
    assert np.array_equal(found, wanted_found)
    assert np.array_equal(vectors, wanted)
    assert 0 < found.sum() < len(asked)
