"""The look-alikes of the evaluation set: alike, each another picture, and no photograph twice."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from benchmarks.evaluation_set.drawing import U8
from benchmarks.evaluation_set.families import (
    ALL_FAMILIES,
    ALWAYS_THE_SAME,
    MOST_PER_INSTANCE,
    PHOTOGRAPHS_NEEDED,
)
from benchmarks.evaluation_set.photographs import photograph

SCENES = [photograph(name) for name in ("coffee.png", "china.jpg", "rocket.jpg", "chelsea.png")]


def drawn(family: str, seed: int = 0) -> list[U8]:
    scenes = SCENES[: PHOTOGRAPHS_NEEDED.get(family, 0)]
    return ALL_FAMILIES[family](np.random.default_rng(seed), MOST_PER_INSTANCE, scenes)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_the_pictures_of_a_family_differ_where_a_person_can_see_it(family: str) -> None:
    pictures = drawn(family)
    assert len(pictures) >= 2
    for a, b in combinations(pictures, 2):
        assert a.dtype == b.dtype == np.uint8
        if a.shape == b.shape:
            difference = np.abs(a.astype(int) - b).max(axis=2)
            # At least a patch of 5 by 5 pixels with clearly other values.
            assert (difference > 40).sum() >= 25, (difference > 40).sum()


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_a_family_depends_on_its_seed_and_changes_with_it(family: str) -> None:
    first, again, other = drawn(family), drawn(family), drawn(family, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    is_same = all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    # With one photograph there is no choice, but a set gives each instance photographs of its own.
    takes_photographs_as_they_are = family in (
        "inverted art",
        "panorama overlaps",
        "spot the difference",
        "thermal images",
    )
    assert is_same == (family in ALWAYS_THE_SAME or takes_photographs_as_they_are)


def test_only_known_families_are_named_as_needing_photographs() -> None:
    assert set(ALL_FAMILIES) >= set(PHOTOGRAPHS_NEEDED) | ALWAYS_THE_SAME


def test_textures_at_two_places_share_no_pixels() -> None:
    places = drawn("textures at two places")
    rows = [set(map(bytes, place[:, :40].reshape(len(place), -1))) for place in places]
    assert all(not a & b for a, b in combinations(rows, 2))
