"""Hash search finds exactly what comparing every pair in every orientation finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search import hash_index
from search.hash_index import HashIndex
from search.options import SearchOptions
from search.orientations import oriented_hashes
from storage.records import F32, U8
from tests.search.gallery import flipped_bits

Answer = dict[tuple[int, int], float]


def _compared(hash64: U8, hash256: U8, texture: F32, options: SearchOptions) -> Answer:
    """By the definition: all pairs, all orientations."""
    found: Answer = {}
    for small, large in zip(oriented_hashes(hash64, 8), oriented_hashes(hash256, 16), strict=True):
        distance = np.bitwise_count(small[:, None] ^ hash64[None]).sum(axis=2)
        distance256 = np.bitwise_count(large[:, None] ^ hash256[None]).sum(axis=2)
        is_flat = np.minimum(texture[:, None], texture[None]) < options.flat_texture
        radius = np.where(is_flat, 0, options.hamming_radius)
        near = (distance <= radius) & (distance256 <= options.hamming256_radius)
        for a, b in zip(*np.nonzero(near), strict=True):
            if a != b:
                pair = int(a) + 1, int(b) + 1
                found[pair] = min(found.get(pair, 64.0), float(distance[a, b]))
    return found


def _searched(
    hash64: U8, hash256: U8, texture: F32, options: SearchOptions
) -> tuple[Answer, HashIndex]:
    ids = np.arange(1, len(hash64) + 1)
    index = HashIndex(ids, hash64, hash256, texture)
    hits = index.search(hash64, hash256, texture, options, own_ids=ids)
    pairs = zip((hits.rows + 1).tolist(), hits.ids.tolist(), strict=True)
    return dict(zip(pairs, hits.values.tolist(), strict=True)), index


def _family(seed: int, size: int) -> tuple[U8, U8, F32]:
    """Hashes, some of them others turned, mirrored and with bits changed; some flat."""
    random = np.random.default_rng(seed)
    hash64 = random.integers(0, 256, (size, 8), dtype=np.uint8)
    hash256 = random.integers(0, 256, (size, 32), dtype=np.uint8)
    for row in range(max(size // 3, 1), size):
        source, turn = random.integers(row), random.integers(8)
        small = oriented_hashes(hash64[source][None], 8)[turn]
        large = oriented_hashes(hash256[source][None], 16)[turn]
        hash64[row] = flipped_bits(small, random.integers(9), seed=row)
        hash256[row] = flipped_bits(large, random.integers(60), seed=row)
    return hash64, hash256, random.choice([0.0, 0.5], size).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 11))
def test_search_finds_exactly_the_pairs_within_the_radii(seed: int, size: int, radius: int) -> None:
    family = _family(seed, size)
    options = SearchOptions(hamming_radius=radius, neighbours_cap=1000)
    assert _searched(*family, options)[0] == _compared(*family, options)


@pytest.mark.parametrize("radius", [0, 3, 6, 9])
def test_the_multi_index_hash_for_many_images_finds_the_same(
    radius: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = _family(radius, 400)
    options = SearchOptions(hamming_radius=radius, neighbours_cap=1000)
    expected, plain = _searched(*family, options)
    monkeypatch.setattr(hash_index, "_ROWS_FOR_HASHING", 0)
    monkeypatch.setattr(hash_index, "_COMPARISONS_BEFORE_HASHING", 0)
    found, hashed = _searched(*family, options)
    assert (plain.kind, hashed.kind) == ("exact", "multi-index hash")
    assert found == expected
    assert len(found) > 40


def test_flat_images_are_near_only_with_equal_hashes() -> None:
    hash64 = np.zeros((3, 8), np.uint8)
    hash64[2, 0] = 1
    hash256 = np.zeros((3, 32), np.uint8)
    flat, textured = np.zeros(3, np.float32), np.ones(3, np.float32)
    assert set(_searched(hash64, hash256, flat, SearchOptions())[0]) == {(1, 2), (2, 1)}
    assert len(_searched(hash64, hash256, textured, SearchOptions())[0]) == 6


def test_the_large_hash_must_agree_too() -> None:
    hash64 = np.zeros((2, 8), np.uint8)
    hash256 = np.zeros((2, 32), np.uint8)
    hash256[1, :6] = 255
    texture = np.ones(2, np.float32)
    assert _searched(hash64, hash256, texture, SearchOptions(hamming256_radius=47))[0] == {}
    assert len(_searched(hash64, hash256, texture, SearchOptions(hamming256_radius=48))[0]) == 2


def test_of_a_thousand_images_with_one_hash_the_nearest_are_given_and_the_cap_reported() -> None:
    random = np.random.default_rng(0)
    count, cap = 1000, 10
    hash64 = np.repeat(random.integers(0, 256, (1, 8), dtype=np.uint8), count, axis=0)
    base = np.repeat(random.integers(0, 256, (1, 32), dtype=np.uint8), count, axis=0)
    # The last bits differ: neighbours in the order of the 256-bit hashes are near in Hamming space.
    hash256 = base.copy()
    hash256[:, 30:] = random.integers(0, 256, (count, 2), dtype=np.uint8)
    ids, texture = np.arange(1, count + 1), np.ones(count, np.float32)
    hits = HashIndex(ids, hash64, hash256, texture).search(
        hash64, hash256, texture, SearchOptions(neighbours_cap=cap), own_ids=ids
    )
    assert hits.is_capped.all()
    assert np.bincount(hits.rows).tolist() == [cap] * count
    distance = np.bitwise_count(hash256[hits.rows] ^ hash256[hits.ids - 1]).sum(axis=1)
    # Two random members are 8 bits apart.
    assert distance.mean() < 5
