"""What every embedding index must do: the same tests run against the exact one and IVF-PQ."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from search import few_queries
from search.embedding_index import EmbeddingIndex, ExactEmbeddingIndex
from search.hits import Hits
from search.ivfpq_index import IvfPqEmbeddingIndex, IvfPqShape
from search.options import Reach
from search.stored_vectors import StoredVectors
from storage.records import F32
from tests.search.gallery import MODEL, Gallery, clustered, near, unit

DIMENSION = 32
Maker = Callable[[Gallery], EmbeddingIndex]


def _exact(gallery: Gallery) -> EmbeddingIndex:
    return ExactEmbeddingIndex.of(DIMENSION, list(gallery.catalog.embeddings(MODEL)))


def _ivfpq(gallery: Gallery) -> EmbeddingIndex:
    vectors = StoredVectors(gallery.catalog, MODEL, DIMENSION)
    present = gallery.catalog.image_ids()
    index = IvfPqEmbeddingIndex.trained(vectors, present, nprobe=0, widening=1.3)
    for ids, rows in gallery.catalog.embeddings(MODEL):
        index.add(ids, rows)
    return index


@pytest.fixture(params=[_exact, _ivfpq], ids=["exact", "ivfpq"])
def make_index(request: pytest.FixtureRequest) -> Maker:
    maker: Maker = request.param
    return maker


def _filled(gallery: Gallery, vectors: F32) -> list[int]:
    gallery.set_models(**{MODEL: DIMENSION})
    return gallery.add({MODEL: vectors})


def _of_row(hits: Hits, row: int) -> list[int]:
    return hits.ids[hits.rows == row].tolist()


def test_a_planted_neighbour_comes_first_with_its_true_cosine(
    gallery: Gallery, make_index: Maker
) -> None:
    originals = clustered(2500, DIMENSION, seed=1)
    ids = _filled(gallery, np.concatenate([originals, near(originals[:100], 0.3, seed=2)]))
    copies = gallery.vectors(ids[2500:])
    hits = make_index(gallery).search(copies, Reach(0.9, 1, 0.5, 64), own_ids=np.array(ids[2500:]))
    for row, original in enumerate(ids[:100]):
        assert _of_row(hits, row)[0] == original
    stored = gallery.vectors(hits.ids.tolist())
    np.testing.assert_allclose(hits.values, (copies[hits.rows] * stored).sum(axis=1), atol=1e-5)


def test_only_neighbours_at_the_similarity_or_among_the_nearest_above_the_floor_count(
    gallery: Gallery, make_index: Maker
) -> None:
    # Alone in a corner of the space, at cosines of 0.95, 0.8, 0.7, 0.6 and 0.3 from the query.
    cosines = [0.95, 0.8, 0.7, 0.6, 0.3]
    others = clustered(2500, DIMENSION - 6, seed=3)
    vectors = np.zeros((2506, DIMENSION), np.float32)
    vectors[:2500, 6:] = others
    vectors[2500, 0] = 1
    for row, cosine in enumerate(cosines, start=1):
        vectors[2500 + row, [0, row]] = cosine, np.sqrt(1 - cosine**2)
    ids = _filled(gallery, vectors)
    index, query = make_index(gallery), vectors[2500:2501]

    def found(reach: Reach) -> list[int]:
        hits = index.search(query, reach, own_ids=np.array(ids[2500:2501]))
        return [image_id - ids[2500] for image_id in hits.ids.tolist()]

    assert found(Reach(0.75, 0, 0.5, 64)) == [1, 2]
    assert found(Reach(0.75, 3, 0.5, 64)) == [1, 2, 3]
    assert found(Reach(0.75, 9, 0.5, 64)) == [1, 2, 3, 4]
    assert found(Reach(0.75, 1, 0.5, 64)) == [1, 2]


def test_a_crowd_is_capped_to_its_nearest_and_said_to_be(
    gallery: Gallery, make_index: Maker
) -> None:
    scattered = clustered(2500, DIMENSION, seed=4)
    centre = unit(np.ones((1, DIMENSION)))
    crowd = near(np.repeat(centre, 600, axis=0), 0.2, seed=5)
    ids = _filled(gallery, np.concatenate([scattered, crowd]))
    hits = make_index(gallery).search(
        np.concatenate([centre, scattered[:1]]), Reach(0.9, 2, 0.0, 20)
    )
    assert hits.is_capped.tolist() == [True, False]
    best = np.argsort(-(gallery.vectors(ids) @ centre[0]))[:20]
    overlap = set(_of_row(hits, 0)) & {ids[place] for place in best}
    assert len(_of_row(hits, 0)) == 20
    # By chance it would be one: within a crowd the order of IVF-PQ's nominees is rough.
    assert len(overlap) >= 10


def test_images_added_later_are_found(gallery: Gallery, make_index: Maker) -> None:
    vectors = clustered(2500, DIMENSION, seed=6)
    _filled(gallery, vectors)
    index = make_index(gallery)
    before = index.watermark
    late = near(vectors[:1], 0.2, seed=7)
    (new_id,) = gallery.add({MODEL: late})
    index.add(np.array([new_id]), late.astype(np.float16))
    assert (before, index.watermark, len(index)) == (2500, new_id, 2501)
    assert new_id in index.search(vectors[:1], Reach(0.9, 0, 0, 64)).ids


def test_a_few_queries_find_what_many_find(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    originals = clustered(4000, DIMENSION, seed=11)
    ids = np.array(_filled(gallery, originals))
    queries, reach = near(originals[:40], 0.4, seed=12), Reach(0.8, 5, -1.0, 64)
    index = _ivfpq(gallery)
    few = index.search(queries, reach)
    monkeypatch.setattr(few_queries, "MOST", 0)
    many = index.search(queries, reach)
    found = [len({*_of_row(few, row)} & {*_of_row(many, row)}) for row in range(40)]
    assert [_of_row(few, row)[0] for row in range(40)] == ids[:40].tolist()
    assert sum(found) > 0.9 * len(many.ids)


def test_no_queries_and_no_images_give_no_hits(gallery: Gallery, make_index: Maker) -> None:
    _filled(gallery, clustered(2500, DIMENSION, seed=8))
    hits = make_index(gallery).search(np.empty((0, DIMENSION), np.float32), Reach(0.5, 9, 0, 9))
    assert len(hits.ids) == len(hits.is_capped) == 0
    empty = ExactEmbeddingIndex(DIMENSION)
    assert len(empty.search(unit(np.ones((3, DIMENSION))), Reach(0.5, 9, 0, 9)).is_capped) == 3


def test_images_gone_from_the_catalog_are_not_found(gallery: Gallery) -> None:
    vectors = clustered(2500, DIMENSION, seed=9)
    ids = _filled(gallery, vectors)
    index = _ivfpq(gallery)
    gallery.remove(ids[:1])
    reach = Reach(0.3, 20, 0.0, 64)
    assert ids[0] not in index.search(vectors[:1], reach).ids


@pytest.mark.parametrize(
    "reach",
    [
        Reach(0.8, 10, 0.3, 64),
        Reach(0.5, 0, 0.0, 5),
        Reach(0.9, 3, -1.0, 64),
        Reach(0.6, 9, 0.7, 7),
        Reach(0.5, 3, 0.3, 64, strong=0.8, weak=12),
        Reach(0.5, 0, 0.3, 20, strong=0.7, weak=0),
        Reach(0.6, 9, 0.2, 64, strong=0.9, weak=4),
    ],
)
def test_exact_search_is_exact_however_many_it_has_to_drop_on_the_way(reach: Reach) -> None:
    vectors = clustered(20_000, 8, seed=12).astype(np.float16)
    ids = np.arange(1, 40_001, 2)
    queries = vectors[::500].astype(np.float32)
    hits = ExactEmbeddingIndex.of(8, [(ids, vectors)]).search(queries, reach)
    for row, similarity in enumerate(queries @ vectors.astype(np.float32).T):
        order = np.argsort(-similarity)
        strong = int((similarity >= reach.strong).sum())
        wanted = similarity[order] >= reach.similarity
        wanted[strong + reach.weak :] = False
        wanted[: reach.nearest] |= similarity[order][: reach.nearest] >= reach.floor
        expected = order[wanted]
        assert hits.is_capped[row] == (len(expected) > reach.cap)
        np.testing.assert_allclose(
            hits.values[hits.rows == row],
            np.minimum(similarity[expected[: reach.cap]], 1.0),
            atol=1e-6,
        )


def test_ivfpq_finds_what_exact_search_finds(gallery: Gallery) -> None:
    originals = clustered(18_000, 64, seed=10)
    copies = near(originals[:2000], 0.6, seed=11)
    gallery.set_models(**{MODEL: 64})
    ids = gallery.add({MODEL: np.concatenate([originals, copies])})
    queries, own = gallery.vectors(ids[18_000:]), np.array(ids[18_000:])
    reach = Reach(0.75, 5, 0.5, 64)
    exact = ExactEmbeddingIndex.of(64, list(gallery.catalog.embeddings(MODEL)))
    approximate = IvfPqEmbeddingIndex.trained(
        StoredVectors(gallery.catalog, MODEL, 64), np.array(ids), nprobe=0, widening=1.3
    )
    approximate.add(np.array(ids), gallery.catalog.embeddings_of(MODEL, ids))
    wanted, found = (
        set(zip(hits.rows.tolist(), hits.ids.tolist(), strict=True))
        for hits in (index.search(queries, reach, own) for index in (exact, approximate))
    )
    planted = {(row, ids[row]) for row in range(2000)}
    assert len(planted & wanted) >= 0.99 * len(planted)
    assert len(planted & wanted & found) >= 0.99 * len(planted & wanted)
    assert len(wanted & found) >= 0.95 * len(wanted)


@pytest.mark.parametrize("images", [2001, 50_000, 3_000_000, 100_000_000])
def test_lists_can_be_trained_from_a_sample_that_fits_in_memory(images: int) -> None:
    shape = IvfPqShape.for_images(images, 1280)
    assert 15 * shape.lists <= shape.sample <= min(images, 256 * shape.lists)
    # Held with the 128 dimensions they are reduced to.
    assert shape.sample * 128 * 4 <= 2**29
    assert shape.lists <= 8 * images**0.5 + 1
