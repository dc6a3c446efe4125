"""The self-join: every pair that an index knows of, once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.candidates import CandidatePair
from search.index_set import IndexSet
from search.options import SearchOptions
from search.orientations import oriented_hashes
from search.pair_spool import PairSpool, proposals_of
from search.self_join import CandidateStatistics, candidate_pairs
from storage.records import F32
from tests.search.gallery import MODEL, Gallery, clustered, flipped_bits, near, unit

DIMENSION = 32
# Every pair within reach, whatever company its images have elsewhere.
OPTIONS = SearchOptions(
    nearest=0, similarity=0.8, weak_cap=1000, behind_nearest=2.0, hamming_alone=64
)


def _join(
    gallery: Gallery,
    options: SearchOptions = OPTIONS,
    statistics: CandidateStatistics | None = None,
) -> list[CandidatePair]:
    indexes = IndexSet.open(gallery.directory, gallery.catalog, options)
    return list(candidate_pairs(gallery.catalog, indexes, options, statistics))


def _keys(pairs: list[CandidatePair]) -> list[tuple[int, int]]:
    return [(pair.low_id, pair.high_id) for pair in pairs]


def _with_copies(gallery: Gallery, count: int, copies: int, dimension: int = DIMENSION) -> None:
    originals = clustered(count, dimension, seed=1)
    gallery.set_models(**{MODEL: dimension})
    gallery.add({MODEL: np.concatenate([originals, near(originals[:copies], 0.3, seed=2)])})


@pytest.mark.parametrize("exact_below", [50_000, 0], ids=["exact", "ivfpq"])
def test_each_pair_comes_once_in_the_order_of_its_ids(gallery: Gallery, exact_below: int) -> None:
    _with_copies(gallery, 2600, 300)
    statistics = CandidateStatistics()
    options = SearchOptions(exact_below=exact_below)
    keys = _keys(_join(gallery, options, statistics))
    assert keys == sorted(set(keys))
    assert all(low < high for low, high in keys)
    assert {(i, 2600 + i) for i in range(1, 301)} <= set(keys)
    assert (statistics.images, statistics.pairs) == (2900, len(keys))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 80), similarity=st.floats(0.2, 0.95))
def test_all_pairs_at_the_similarity_are_proposed(
    seed: int, size: int, similarity: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gallery = Gallery(tmp_path_factory.mktemp("join") / "index")
    with gallery.catalog:
        gallery.set_models(**{MODEL: 8})
        ids = gallery.add({MODEL: clustered(size, 8, seed)}) if size else []
        pairs = _join(gallery, replace(OPTIONS, similarity=similarity, neighbours_cap=100))
        vectors = gallery.vectors(ids) if size else np.empty((0, 8), np.float32)
    cosine = vectors @ vectors.T
    within = {
        (ids[a], ids[b])
        for a, b in zip(*np.nonzero(np.triu(cosine > similarity + 1e-5, 1)), strict=True)
    }
    assert within <= set(_keys(pairs))
    for pair in pairs:
        if pair.hamming == 64:
            assert pair.similarity[MODEL] >= similarity - 1e-5


def test_turned_and_mirrored_copies_are_proposed_by_their_hashes(gallery: Gallery) -> None:
    random = np.random.default_rng(3)
    hash64 = random.integers(0, 256, (1, 8), dtype=np.uint8)
    hash256 = random.integers(0, 256, (1, 32), dtype=np.uint8)
    turned64 = flipped_bits(oriented_hashes(hash64, 8)[:, 0], 3, seed=4)
    turned256 = flipped_bits(oriented_hashes(hash256, 16)[:, 0], 20, seed=5)
    (original,) = gallery.add(hash64=hash64, hash256=hash256)
    gallery.add(count=500)
    copies = gallery.add(hash64=turned64, hash256=turned256)
    pairs = {(p.low_id, p.high_id): p for p in _join(gallery)}
    for copy in copies:
        assert pairs[original, copy] == CandidatePair(original, copy, 3, {})


def test_evidence_of_hashes_and_of_all_models_comes_together_in_one_pair(gallery: Gallery) -> None:
    gallery.set_models(one=8, two=16)
    first, second = unit(np.ones((2, 8))), unit(np.ones((2, 16)))
    same = np.full((2, 8), 9, np.uint8), np.full((2, 32), 9, np.uint8)
    gallery.add({"one": first, "two": second}, *same)
    (pair,) = _join(gallery)
    assert (pair.low_id, pair.high_id, pair.hamming) == (1, 2, 0)
    assert pair.similarity == {"one": pytest.approx(1, abs=2e-3), "two": pytest.approx(1, abs=2e-3)}


def test_a_model_may_have_a_similarity_of_its_own(gallery: Gallery) -> None:
    gallery.set_models(**{MODEL: 2})
    gallery.add({MODEL: unit(np.array([[1, 0], [0.9, np.sqrt(1 - 0.81)]]))})
    assert _keys(_join(gallery)) == [(1, 2)]
    assert _join(gallery, replace(OPTIONS, similarity_by_model={MODEL: 0.95})) == []


def test_the_nearest_are_proposed_below_the_similarity_but_not_below_the_floor(
    gallery: Gallery,
) -> None:
    gallery.set_models(**{MODEL: 3})
    angles = np.radians([0.0, 50.0, 120.0])
    gallery.add({MODEL: np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1)})
    options = SearchOptions(similarity=0.9, nearest=1, similarity_floor=0.5)
    assert _keys(_join(gallery, options)) == [(1, 2)]
    # The third image's nearest is the second, though the second's is the first.
    assert _keys(_join(gallery, replace(options, similarity_floor=0.3))) == [(1, 2), (2, 3)]


def _blank(count: int) -> F32:
    return np.repeat(unit(np.ones((1, DIMENSION))), count, axis=0)


def test_a_clique_of_blank_frames_is_capped_but_stays_connected(gallery: Gallery) -> None:
    count, cap = 1500, 8
    gallery.set_models(**{MODEL: DIMENSION})
    zeros = np.zeros((count, 8), np.uint8), np.zeros((count, 32), np.uint8)
    ids = gallery.add({MODEL: _blank(count)}, *zeros, texture=0.0)
    gallery.add({MODEL: clustered(200, DIMENSION, seed=6)})
    statistics = CandidateStatistics()
    pairs = _join(gallery, replace(OPTIONS, neighbours_cap=cap), statistics)
    blank = [pair for pair in pairs if pair.high_id <= ids[-1]]
    assert len(blank) <= count * cap
    assert statistics.capped_images >= count
    parent = {image_id: image_id for image_id in ids}

    def root(image_id: int) -> int:
        while parent[image_id] != image_id:
            image_id = parent[image_id]
        return image_id

    for pair in blank:
        parent[root(pair.high_id)] = root(pair.low_id)
    assert len({root(image_id) for image_id in ids}) == 1


def test_proposals_spilled_to_disk_give_the_same_pairs(gallery: Gallery) -> None:
    _with_copies(gallery, 1500, 200)
    options = SearchOptions(nearest=5)
    assert _join(gallery, replace(options, spill_after=500)) == _join(gallery, options)


def test_spilled_proposals_come_back_merged_from_both_sides() -> None:
    ids = np.arange(1, 201)
    with PairSpool(ids, 50, None) as spool:
        for source, value in ((1, 0.5), (1, 0.75), (0, 3.0), (0, 2.0)):
            kinds = np.full(199, source, np.uint8)
            values = np.full(199, value, np.float32)
            spool.add(proposals_of(ids[:-1], ids[1:], kinds, values))
            spool.add(proposals_of(ids[1:], ids[:-1], kinds, values))
        assert spool.is_spilled
        pairs = [pair for part in spool.pairs(1) for pair in part.pairs(["model"])]
    assert pairs == [CandidatePair(i, i + 1, 2, {"model": 0.75}) for i in range(1, 200)]


def test_images_removed_after_opening_do_not_stop_the_join(gallery: Gallery) -> None:
    _with_copies(gallery, 2600, 10)
    options = SearchOptions(exact_below=0)
    indexes = IndexSet.open(gallery.directory, gallery.catalog, options)
    gallery.remove([1, 2, 3])
    keys = _keys(list(candidate_pairs(gallery.catalog, indexes, options)))
    assert {(i, 2600 + i) for i in range(4, 11)} <= set(keys)
    assert not any(low in {1, 2, 3} for low, _ in keys)


def test_a_catalog_without_images_has_no_pairs(gallery: Gallery) -> None:
    assert _join(gallery) == []
    gallery.set_models(**{MODEL: DIMENSION})
    assert _join(gallery) == []


@pytest.mark.parametrize("exact_below", [50_000, 0], ids=["exact", "ivfpq"])
def test_after_an_earlier_join_only_pairs_with_a_new_image_come(
    gallery: Gallery, exact_below: int
) -> None:
    options = replace(OPTIONS, exact_below=exact_below)
    _with_copies(gallery, 2600, 100)
    before = CandidateStatistics()
    old = _keys(_join(gallery, options, before))
    copied = clustered(2600, DIMENSION, seed=1)[200:300]
    new = gallery.add({MODEL: near(copied, 0.3, seed=3)})
    statistics = CandidateStatistics()
    indexes = IndexSet.open(gallery.directory, gallery.catalog, options)
    pairs = candidate_pairs(gallery.catalog, indexes, options, statistics, earlier=before.searched)
    later = _keys(list(pairs))
    assert statistics.images == len(new)
    assert all(high >= new[0] for _, high in later)
    assert {(201 + i, new[i]) for i in range(100)} <= set(later)
    everything = CandidateStatistics()
    assert set(later) | set(old) >= set(_keys(_join(gallery, options, everything)))
    assert statistics.searched is not None
    assert everything.searched is not None
    for model, nearest in everything.searched.nearest.items():
        np.testing.assert_allclose(statistics.searched.nearest[model], nearest, atol=1e-5)


def test_an_old_image_with_a_new_one_near_it_keeps_to_that_company(gallery: Gallery) -> None:
    """As in a join of everything: what is much further away is then no longer worth a look."""
    options = replace(OPTIONS, similarity=0.5, behind_nearest=0.2)
    axis = np.eye(DIMENSION, dtype=np.float32)
    gallery.set_models(**{MODEL: DIMENSION})
    gallery.add({MODEL: unit(np.stack([axis[0] + 0.1 * axis[1], axis[5]]))})
    before = CandidateStatistics()
    assert _keys(_join(gallery, options, before)) == []
    # The third is a copy of the first; the fourth is like both, far less, and a copy of the fifth.
    far = axis[0] + 1.2 * axis[2]
    gallery.add({MODEL: unit(np.stack([axis[0], far, far + 0.05 * axis[3]]))})
    indexes = IndexSet.open(gallery.directory, gallery.catalog, options)
    pairs = candidate_pairs(gallery.catalog, indexes, options, earlier=before.searched)
    assert _keys(list(pairs)) == _keys(_join(gallery, options)) == [(1, 3), (4, 5)]
