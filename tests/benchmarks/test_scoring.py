"""From pairs and lists to figures, on a set small enough to count by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy.pairs import ScoredPairs, cosine_pairs, hamming_pairs
from benchmarks.accuracy.scoring import (
    OUTSIDE,
    TWO_PHOTOGRAPHS,
    ListFigures,
    pooled,
    precision_recall,
    score_candidates,
    score_lists,
    score_pairs,
)
from benchmarks.accuracy.sets import TruthSet
from benchmarks.evaluation_set.truth import Picture, Role

ORIGINAL, GREY, CROP, OTHER, OTHER_GREY, PLAIN, NOTES_1, NOTES_2 = range(8)
TRUTH = TruthSet(
    Path("set"),
    [
        Picture("0.jpg", "g0", Role.ORIGINAL, "original"),
        Picture("1.jpg", "g0", Role.COPY, "grey"),
        Picture("2.jpg", "g0", Role.COPY, "crop"),
        Picture("3.jpg", "g1", Role.ORIGINAL, "original"),
        Picture("4.jpg", "g1", Role.COPY, "grey"),
        Picture("5.jpg", "d0", Role.DISTRACTOR, "distractor"),
        Picture("6.png", "n0", Role.LOOKALIKE, "lookalike:sheet music:0"),
        Picture("7.png", "n1", Role.LOOKALIKE, "lookalike:sheet music:0"),
    ],
)
EVERYTHING = set(range(8))


def pairs(*rows: tuple[int, int, float, bool]) -> ScoredPairs:
    return ScoredPairs.of({(a, b): (score, is_match) for a, b, score, is_match in rows})


def test_lists_that_delete_nothing_lose_nothing_and_remove_nothing() -> None:
    figures = score_lists(TRUTH, EVERYTHING, {})
    assert (figures.false_deletes, figures.lost, figures.unaccounted) == (0, 0, 0)
    assert (figures.removed.count, figures.removed.of) == (0, 3)
    assert figures.original_kept.of == 0


def test_perfect_lists_remove_all_copies_and_keep_both_originals() -> None:
    delete = {GREY: ORIGINAL, CROP: ORIGINAL, OTHER_GREY: OTHER}
    figures = score_lists(TRUTH, EVERYTHING - delete.keys(), delete)
    assert (figures.false_deletes, figures.lost) == (0, 0)
    assert figures.removed.value == figures.original_kept.value == 1
    assert {edit: share.count for edit, share in figures.per_edit.items()} == {"grey": 2, "crop": 1}


def test_a_lookalike_deleted_for_its_neighbour_is_false_and_lost_and_counted_in_its_family() -> (
    None
):
    figures = score_lists(TRUTH, EVERYTHING - {NOTES_2}, {NOTES_2: NOTES_1})
    assert (figures.false_deletes, figures.lost) == (1, 1)
    assert figures.false_kinds == {"sheet music": 1}
    assert (figures.per_family["sheet music"].count, figures.per_family["sheet music"].of) == (1, 2)


def test_a_copy_deleted_for_another_picture_is_false_though_its_original_stays() -> None:
    figures = score_lists(TRUTH, EVERYTHING - {GREY}, {GREY: PLAIN})
    assert (figures.false_deletes, figures.lost) == (1, 0)
    assert figures.false_kinds == {TWO_PHOTOGRAPHS: 1}


def test_deleting_the_original_for_its_copy_is_no_false_delete_but_the_original_is_not_kept() -> (
    None
):
    figures = score_lists(TRUTH, EVERYTHING - {OTHER}, {OTHER: OTHER_GREY})
    assert (figures.false_deletes, figures.lost) == (0, 0)
    assert (figures.original_kept.count, figures.original_kept.of) == (0, 1)


def test_pictures_on_no_list_and_on_both_are_counted() -> None:
    figures = score_lists(TRUTH, EVERYTHING - {PLAIN}, {GREY: ORIGINAL})
    assert (figures.unaccounted, figures.on_both) == (1, 1)


def test_a_keeper_outside_the_set_is_a_false_delete() -> None:
    figures = score_lists(TRUTH, EVERYTHING - {GREY}, {GREY: -1})
    assert figures.false_kinds == {OUTSIDE: 1}


def test_figures_of_two_sets_add_up() -> None:
    total = ListFigures()
    for _ in range(2):
        total.add(score_lists(TRUTH, EVERYTHING - {NOTES_2}, {NOTES_2: NOTES_1}))
    assert (total.pictures, total.false_deletes, total.lost) == (16, 2, 2)
    assert total.false_kinds == {"sheet music": 2}
    assert total.per_family["sheet music"].of == 4


def test_pairs_of_two_copies_count_neither_as_found_nor_as_false() -> None:
    figures = score_pairs(TRUTH, pairs((GREY, CROP, 0.9, True)))
    assert (figures.found.count, figures.found.of, figures.false_pairs) == (0, 3, 0)
    assert (figures.all_found.count, figures.all_found.of) == (1, 4)
    assert len(figures.true_scores) == len(figures.false_scores) == 0


def test_found_pairs_are_counted_by_edit_and_false_ones_by_family() -> None:
    figures = score_pairs(
        TRUTH,
        pairs(
            (ORIGINAL, GREY, 0.9, True),
            (ORIGINAL, CROP, 0.2, False),
            (NOTES_1, NOTES_2, 0.8, True),
            (CROP, PLAIN, 0.7, True),
        ),
    )
    assert (figures.found.count, figures.false_pairs) == (1, 2)
    shares = {edit: (share.count, share.of) for edit, share in figures.per_edit.items()}
    assert shares == {"grey": (1, 2), "crop": (0, 1)}
    assert figures.false_per_family == {"sheet music": 1, TWO_PHOTOGRAPHS: 1}


def test_a_true_pair_with_the_score_of_a_false_one_does_not_come_before_it() -> None:
    figures = score_pairs(
        TRUTH,
        pairs(
            (ORIGINAL, GREY, 0.9, True),
            (ORIGINAL, CROP, 0.8, True),
            (NOTES_1, NOTES_2, 0.8, False),
        ),
    )
    assert (figures.before_first_false.count, figures.before_first_false.of) == (1, 3)


def test_no_threshold_parts_pairs_of_one_score() -> None:
    figures = score_pairs(
        TRUTH,
        pairs(
            (ORIGINAL, GREY, 0.9, True),
            (ORIGINAL, CROP, 0.5, True),
            (NOTES_1, NOTES_2, 0.5, True),
        ),
    )
    recall, precision = precision_recall(figures)
    assert recall.tolist() == pytest.approx([1 / 3, 2 / 3])
    assert precision.tolist() == pytest.approx([1, 2 / 3])


def test_nothing_proposed_is_an_empty_curve() -> None:
    recall, precision = precision_recall(score_pairs(TRUTH, pairs()))
    assert len(recall) == len(precision) == 0


def test_over_several_sets_the_first_false_pair_of_any_ends_the_count() -> None:
    clean = score_pairs(TRUTH, pairs((ORIGINAL, GREY, 0.6, True), (OTHER, OTHER_GREY, 0.9, True)))
    false = score_pairs(TRUTH, pairs((NOTES_1, NOTES_2, 0.7, True)))
    both = pooled([clean, false])
    assert clean.before_first_false.count == 2
    assert (both.before_first_false.count, both.before_first_false.of) == (1, 6)
    assert (both.found.count, both.false_pairs) == (2, 1)


def test_candidates_are_counted_by_edit_and_image() -> None:
    figures = score_candidates(TRUTH, {(ORIGINAL, GREY), (NOTES_1, NOTES_2)})
    assert (figures.found.count, figures.found.of) == (1, 3)
    assert figures.per_image == pytest.approx(2 / 8)
    assert (figures.per_edit["crop"].count, figures.per_edit["crop"].of) == (0, 1)


@given(
    st.lists(st.binary(min_size=2, max_size=2), min_size=2, max_size=12),
    st.integers(min_value=0, max_value=8),
)
def test_hamming_pairs_are_those_of_comparing_all_with_all(
    values: list[bytes], threshold: int
) -> None:
    hashes = np.array([list(value) for value in values], np.uint8)
    found = hamming_pairs(hashes, np.ones(len(values), bool), threshold)
    expected = {}
    for j in range(len(values)):
        for i in range(j):
            distance = (int.from_bytes(values[i]) ^ int.from_bytes(values[j])).bit_count()
            if distance <= min(8, threshold + 4):
                expected[i, j] = (pytest.approx(1 - distance / 16), distance <= threshold)
    told = zip(
        found.first.tolist(),
        found.second.tolist(),
        found.score.tolist(),
        found.is_match.tolist(),
        strict=True,
    )
    assert {(a, b): (score, is_match) for a, b, score, is_match in told} == expected


def test_a_hash_that_cannot_be_used_is_in_no_pair() -> None:
    hashes = np.zeros((3, 8), np.uint8)
    found = hamming_pairs(hashes, np.array([True, False, True]), 10)
    assert (found.first.tolist(), found.second.tolist()) == ([0], [2])


def test_cosine_pairs_are_matches_from_the_threshold_on() -> None:
    vectors = np.array([[1, 0], [2, 0], [1, 1], [0, 1]], np.float32)
    found = cosine_pairs(vectors, np.array([True, True, True, False]), 0.9, 0.6)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [
        (0, 1),
        (0, 2),
        (1, 2),
    ]
    assert found.is_match.tolist() == [True, False, False]
