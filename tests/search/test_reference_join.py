"""Candidates of an index against a reference index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search.candidates import CandidatePair
from search.index_set import IndexSet
from search.options import SearchOptions
from search.orientations import oriented_hashes
from search.self_join import CandidateStatistics, Reference, candidate_pairs
from storage.joint_ids import JointIds
from tests.search.gallery import MODEL, Gallery, clustered, flipped_bits, near, unit

DIMENSION = 32
OPTIONS = SearchOptions(nearest=0, similarity=0.8)


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Gallery]:
    made = Gallery(tmp_path / "reference")
    # Images are named by a counter: these are others than those of the index.
    made._serial = 1_000_000
    with made.catalog:
        yield made


def _pairs(
    gallery: Gallery,
    reference: Gallery,
    options: SearchOptions = OPTIONS,
    statistics: CandidateStatistics | None = None,
) -> list[CandidatePair]:
    indexes = IndexSet.open(gallery.directory, gallery.catalog, options)
    theirs = IndexSet.open(reference.directory, reference.catalog, options, is_writable=False)
    ids = JointIds.matching(gallery.catalog, reference.catalog)
    return list(
        candidate_pairs(gallery.catalog, indexes, options, statistics, Reference(theirs, ids))
    )


def _keys(pairs: list[CandidatePair]) -> list[tuple[int, int]]:
    return [(pair.low_id, pair.high_id) for pair in pairs]


@pytest.mark.parametrize("exact_below", [50_000, 0], ids=["exact", "ivfpq"])
def test_copies_in_both_indexes_and_across_them_are_found_each_pair_once(
    gallery: Gallery, reference: Gallery, exact_below: int
) -> None:
    originals = clustered(2600, DIMENSION, seed=1)
    for each in (gallery, reference):
        each.set_models(**{MODEL: DIMENSION})
    reference.add({MODEL: originals})
    others = clustered(2400, DIMENSION, seed=7)
    gallery.add(
        {MODEL: np.concatenate([others, near(originals[:200], 0.3, 2), near(others[:50], 0.3, 3)])}
    )
    statistics = CandidateStatistics()
    options = replace(OPTIONS, exact_below=exact_below)
    keys = _keys(_pairs(gallery, reference, options, statistics))
    own = 2650
    assert keys == sorted(set(keys))
    across = {(2400 + n, own + n) for n in range(1, 201)}
    assert len(across & set(keys)) >= 198
    assert {(n, 2600 + n) for n in range(1, 51)} <= set(keys)
    # What lies in the reference index is nobody's concern.
    assert all(low <= own for low, _ in keys)
    assert (statistics.images, statistics.pairs) == (own, len(keys))
    assert statistics.seconds > 0


def test_what_is_found_across_is_what_one_index_of_both_would_find(
    gallery: Gallery, reference: Gallery, tmp_path: Path
) -> None:
    both = Gallery(tmp_path / "both")
    vectors = clustered(60, 8, seed=3)
    for each in (gallery, reference, both):
        each.set_models(**{MODEL: 8})
    gallery.add({MODEL: vectors[:25]})
    reference.add({MODEL: vectors[25:]})
    both.add({MODEL: vectors})
    indexes = IndexSet.open(both.directory, both.catalog, OPTIONS)
    with both.catalog:
        expected = [
            key
            for key in _keys(list(candidate_pairs(both.catalog, indexes, OPTIONS)))
            if key[0] <= 25
        ]
    assert _keys(_pairs(gallery, reference)) == expected
    assert any(high > 25 for _, high in expected)


def test_turned_and_mirrored_copies_across_are_found_by_their_hashes(
    gallery: Gallery, reference: Gallery
) -> None:
    random = np.random.default_rng(3)
    hash64 = random.integers(0, 256, (1, 8), dtype=np.uint8)
    hash256 = random.integers(0, 256, (1, 32), dtype=np.uint8)
    reference.add(count=300)
    reference.add(hash64=hash64, hash256=hash256)
    copies = gallery.add(
        hash64=flipped_bits(oriented_hashes(hash64, 8)[:, 0], 3, seed=4),
        hash256=flipped_bits(oriented_hashes(hash256, 16)[:, 0], 20, seed=5),
    )
    pairs = {(pair.low_id, pair.high_id): pair for pair in _pairs(gallery, reference)}
    for copy in copies:
        assert pairs[copy, 8 + 301] == CandidatePair(copy, 8 + 301, 3, {})


def test_an_image_that_both_have_is_paired_within_the_index_and_never_with_its_like_elsewhere(
    gallery: Gallery, reference: Gallery
) -> None:
    vectors = near(np.repeat(unit(np.ones((1, 8))), 5, axis=0), 0.05, seed=1)
    for each in (gallery, reference):
        each.set_models(**{MODEL: 8})
    # Both have the images 1 and 2; 3 is the index's own, 4 and 5 the reference's.
    gallery.add({MODEL: vectors[:3]})
    reference._serial = 0
    reference.add({MODEL: vectors[:2]})
    reference._serial = 2_000_000
    reference.add({MODEL: vectors[3:]})
    # (1, 2) would be two images that stay in any case; 3 is compared with all four others.
    assert _keys(_pairs(gallery, reference)) == [(1, 3), (2, 3), (3, 3 + 3), (3, 3 + 4)]


def test_a_crowd_in_the_index_leaves_room_for_the_reference(
    gallery: Gallery, reference: Gallery
) -> None:
    crowd = np.repeat(unit(np.ones((1, 8))), 200, axis=0)
    for each in (gallery, reference):
        each.set_models(**{MODEL: 8})
    gallery.add({MODEL: crowd})
    reference.add({MODEL: near(crowd[:1], 0.3, seed=2)})
    statistics = CandidateStatistics()
    keys = _keys(_pairs(gallery, reference, replace(OPTIONS, neighbours_cap=8), statistics))
    assert {(n, 201) for n in range(1, 201)} <= set(keys)
    assert statistics.capped_images == 200


def test_proposals_spilled_to_disk_give_the_same_pairs(
    gallery: Gallery, reference: Gallery
) -> None:
    for each, seed in ((gallery, 1), (reference, 1)):
        each.set_models(**{MODEL: 8})
        each.add({MODEL: near(clustered(400, 8, seed), 0.1, seed=len(each.directory.path.name))})
    options = SearchOptions(nearest=5)
    spilled = _pairs(gallery, reference, replace(options, spill_after=200))
    assert spilled == _pairs(gallery, reference, options)
    assert any(pair.high_id > 400 for pair in spilled)


def test_the_reference_index_is_not_written_to(gallery: Gallery, reference: Gallery) -> None:
    for each in (gallery, reference):
        each.set_models(**{MODEL: DIMENSION})
        each.add({MODEL: clustered(2600, DIMENSION, seed=1)})
    _pairs(gallery, reference, replace(OPTIONS, exact_below=0))
    assert gallery.directory.faiss_path.exists()
    assert not reference.directory.faiss_path.exists()
