"""The neighbours of one image that need not be in the index."""

from __future__ import annotations

import numpy as np
import pytest

from search.index_set import IndexSet
from search.neighbours import Neighbour, neighbours
from search.options import SearchOptions
from search.orientations import oriented_hashes
from storage.records import F32, U8
from tests.search.gallery import MODEL, Gallery, clustered, flipped_bits, near, unit

DIMENSION = 32


def _ask(
    gallery: Gallery,
    vectors: list[F32],
    hash64: U8 | None = None,
    hash256: U8 | None = None,
    top: int = 5,
) -> list[Neighbour]:
    random = np.random.default_rng(99)
    options = SearchOptions()
    small = random.integers(0, 256, 8, dtype=np.uint8) if hash64 is None else hash64
    large = random.integers(0, 256, 32, dtype=np.uint8) if hash256 is None else hash256
    return neighbours(
        gallery.catalog,
        IndexSet.open(gallery.directory, gallery.catalog, options),
        small.tobytes(),
        large.tobytes(),
        {MODEL: vectors, "a model the index does not have": vectors},
        top,
        options,
    )


def test_the_most_similar_come_first_however_far_they_are(gallery: Gallery) -> None:
    gallery.set_models(**{MODEL: DIMENSION})
    ids = gallery.add({MODEL: clustered(300, DIMENSION, seed=1)})
    query = near(gallery.vectors(ids[41:42]), 0.8, seed=2)[0]
    found = _ask(gallery, [query], top=20)
    cosine = gallery.vectors(ids) @ query
    best = np.argsort(-cosine)[:20]
    assert [neighbour.image_id for neighbour in found] == [ids[place] for place in best]
    assert [n.similarity[MODEL] for n in found] == pytest.approx(cosine[best].tolist(), abs=1e-5)
    assert all(neighbour.hamming == 64 for neighbour in found)


def test_of_several_embeddings_of_the_query_the_best_counts(gallery: Gallery) -> None:
    gallery.set_models(**{MODEL: DIMENSION})
    vectors = clustered(100, DIMENSION, seed=3)
    ids = gallery.add({MODEL: vectors})
    found = _ask(gallery, [unit(np.ones((1, DIMENSION)))[0], vectors[7], vectors[9]])
    assert {found[0].image_id, found[1].image_id} == {ids[7], ids[9]}
    assert found[0].similarity[MODEL] == pytest.approx(1, abs=1e-3)
    assert len({neighbour.image_id for neighbour in found}) == len(found) == 5


def test_a_turned_copy_is_found_by_its_hash_without_embeddings(gallery: Gallery) -> None:
    random = np.random.default_rng(4)
    hash64 = random.integers(0, 256, (50, 8), dtype=np.uint8)
    hash256 = random.integers(0, 256, (50, 32), dtype=np.uint8)
    ids = gallery.add(hash64=hash64, hash256=hash256)
    found = _ask(
        gallery,
        [],
        flipped_bits(oriented_hashes(hash64[8:9], 8)[5], 2, seed=5),
        flipped_bits(oriented_hashes(hash256[8:9], 16)[5], 10, seed=6),
    )
    assert found == [Neighbour(ids[8], 2, {})]


def test_an_equal_hash_stands_before_a_likeness(gallery: Gallery) -> None:
    gallery.set_models(**{MODEL: DIMENSION})
    random = np.random.default_rng(7)
    hash64 = random.integers(0, 256, (60, 8), dtype=np.uint8)
    hash256 = random.integers(0, 256, (60, 32), dtype=np.uint8)
    vectors = clustered(60, DIMENSION, seed=8)
    ids = gallery.add({MODEL: vectors}, hash64, hash256)
    query = near(vectors[3:4], 0.8, seed=9)[0]
    found = _ask(gallery, [query], hash64[30], hash256[30])
    assert (found[0].image_id, found[0].hamming) == (ids[30], 0)
    assert found[1].image_id == ids[3]


def test_an_image_removed_after_opening_is_not_given(gallery: Gallery) -> None:
    gallery.set_models(**{MODEL: DIMENSION})
    vectors = clustered(20, DIMENSION, seed=10)
    ids = gallery.add({MODEL: vectors})
    options = SearchOptions()
    indexes = IndexSet.open(gallery.directory, gallery.catalog, options)
    gallery.remove(ids[:1])
    found = neighbours(
        gallery.catalog, indexes, bytes(8), bytes(32), {MODEL: [vectors[0]]}, 5, options
    )
    assert ids[0] not in [neighbour.image_id for neighbour in found]


def test_an_empty_index_has_no_neighbours(gallery: Gallery) -> None:
    gallery.set_models(**{MODEL: DIMENSION})
    assert _ask(gallery, [unit(np.ones((1, DIMENSION)))[0]]) == []


@pytest.mark.parametrize("place_of_the_same", [0, 1])
def test_of_images_with_the_querys_hash_the_more_similar_one_comes_first(
    gallery: Gallery, place_of_the_same: int
) -> None:
    gallery.set_models(**{MODEL: DIMENSION})
    query = clustered(1, DIMENSION, seed=8)
    vectors = [near(query, 0.5, seed=9), near(query, 0.5, seed=10)]
    vectors[place_of_the_same] = query
    same = np.full((2, 8), 9, np.uint8), np.full((2, 32), 9, np.uint8)
    ids = gallery.add({MODEL: np.concatenate(vectors)}, *same)
    found = _ask(gallery, [query[0]], same[0][0], same[1][0])
    assert [neighbour.hamming for neighbour in found] == [0, 0]
    assert found[0].image_id == ids[place_of_the_same]
