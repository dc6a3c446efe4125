"""A weak proposal counts where it is all there is, and not where both images have nearer ones."""

from __future__ import annotations

import numpy as np
import pytest

from search.candidates import CandidatePair
from search.company import Company
from search.hash_index import NOT_PROPOSED
from search.options import SearchOptions
from tests.search.gallery import MODEL

IDS = np.arange(1, 7)
OPTIONS = SearchOptions(behind_nearest=0.2, hamming_alone=2)


def found(*similarities: tuple[int, int, float], embedded: int = 6) -> Company:
    """What is known after a search: (image, neighbour, similarity), the first few embedded."""
    company = Company(IDS, [MODEL], OPTIONS)
    nearest = np.full((1, len(IDS)), np.nan, np.float32)
    nearest[0, :embedded] = -1.0
    for image, _, value in similarities:
        nearest[0, image - 1] = max(nearest[0, image - 1], value)
    company.add(IDS, nearest)
    return company


def alike(low: int, high: int, similarity: float) -> CandidatePair:
    return CandidatePair(low, high, NOT_PROPOSED, {MODEL: similarity})


def test_a_weak_pair_is_chance_when_both_have_nearer_neighbours() -> None:
    company = found((1, 2, 0.95), (2, 1, 0.95), (3, 4, 0.9), (4, 3, 0.9))
    assert not company.is_worth_it(alike(1, 3, 0.6))
    assert company.is_worth_it(alike(1, 2, 0.95))


def test_the_best_that_one_of_the_two_has_is_worth_it() -> None:
    company = found((1, 2, 0.95), (2, 1, 0.95), (5, 1, 0.6))
    assert company.is_worth_it(alike(1, 5, 0.6))


@pytest.mark.parametrize(("similarity", "is_worth_it"), [(0.76, True), (0.74, False)])
def test_a_little_behind_the_nearest_is_worth_it(similarity: float, is_worth_it: bool) -> None:
    company = found((1, 2, 0.95), (2, 1, 0.95), (3, 4, 0.95), (4, 3, 0.95))
    assert company.is_worth_it(alike(1, 3, similarity)) is is_worth_it


@pytest.mark.parametrize(("distance", "is_worth_it"), [(0, True), (2, True), (4, False)])
def test_near_hashes_alone_have_to_be_very_near(distance: int, is_worth_it: bool) -> None:
    assert found().is_worth_it(CandidatePair(1, 2, distance, {})) is is_worth_it


def test_hashes_say_what_they_can_of_images_without_an_embedding() -> None:
    assert found(embedded=1).is_worth_it(CandidatePair(1, 2, 6, {}))


def test_a_likeness_that_hashes_confirm_is_worth_it_in_any_company() -> None:
    company = found((1, 2, 0.95), (2, 1, 0.95), (3, 4, 0.95), (4, 3, 0.95))
    assert company.is_worth_it(CandidatePair(1, 3, 6, {MODEL: 0.56}))


def test_images_of_a_reference_index_have_no_company() -> None:
    assert found((1, 2, 0.99), (2, 1, 0.99)).is_worth_it(alike(1, 700, 0.56))
