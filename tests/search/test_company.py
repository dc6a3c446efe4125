"""A weak proposal counts where it is all there is, and not where both images have nearer ones."""

from __future__ import annotations

import numpy as np
import pytest

from search.candidates import CandidateColumns, CandidatePair
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


def is_worth_it(company: Company, pair: CandidatePair) -> bool:
    columns = CandidateColumns(
        np.array([pair.low_id]),
        np.array([pair.high_id]),
        np.array([pair.hamming]),
        np.array([[pair.similarity.get(MODEL, np.nan)]], np.float32),
    )
    return bool(company.are_worth_it(columns)[0])


def alike(low: int, high: int, similarity: float) -> CandidatePair:
    return CandidatePair(low, high, NOT_PROPOSED, {MODEL: similarity})


def test_a_weak_pair_is_chance_when_both_have_nearer_neighbours() -> None:
    company = found((1, 2, 0.95), (2, 1, 0.95), (3, 4, 0.9), (4, 3, 0.9))
    assert not is_worth_it(company, alike(1, 3, 0.6))
    assert is_worth_it(company, alike(1, 2, 0.95))


def test_the_best_that_one_of_the_two_has_is_worth_it() -> None:
    company = found((1, 2, 0.95), (2, 1, 0.95), (5, 1, 0.6))
    assert is_worth_it(company, alike(1, 5, 0.6))


@pytest.mark.parametrize(("similarity", "expected"), [(0.76, True), (0.74, False)])
def test_a_little_behind_the_nearest_is_worth_it(similarity: float, expected: bool) -> None:
    company = found((1, 2, 0.95), (2, 1, 0.95), (3, 4, 0.95), (4, 3, 0.95))
    assert is_worth_it(company, alike(1, 3, similarity)) is expected


@pytest.mark.parametrize(("distance", "expected"), [(0, True), (2, True), (4, False)])
def test_near_hashes_alone_have_to_be_very_near(distance: int, expected: bool) -> None:
    assert is_worth_it(found(), CandidatePair(1, 2, distance, {})) is expected


def test_hashes_say_what_they_can_of_images_without_an_embedding() -> None:
    assert is_worth_it(found(embedded=1), CandidatePair(1, 2, 6, {}))


def test_a_likeness_that_hashes_confirm_is_worth_it_in_any_company() -> None:
    company = found((1, 2, 0.95), (2, 1, 0.95), (3, 4, 0.95), (4, 3, 0.95))
    assert is_worth_it(company, CandidatePair(1, 3, 6, {MODEL: 0.56}))


def test_images_of_a_reference_index_have_no_company() -> None:
    assert is_worth_it(found((1, 2, 0.99), (2, 1, 0.99)), alike(1, 700, 0.56))
