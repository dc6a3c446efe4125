"""Pairs that no choice depends on are passed over; whatever decides a list is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import combinations

import pytest

from resolve.links import HIGH_COVERS_LOW, LOW_COVERS_HIGH, Links
from resolve.needed_pairs import needed_pairs
from resolve.outlines import Outlines
from search.candidates import CandidatePair
from storage.records import ImageOutline, ImageRecord
from tests.resolve.invented import record
from verify.doubts import NEITHER_COVERS
from verify.verdict import Relation, Verdict

COPY = Verdict(Relation.REENCODED, 0.99, True, True)
COVERED = Verdict(Relation.CROPPED, 0.99, True, False)
OTHER = Verdict(Relation.DIFFERENT, 0.0, False, False)


class Told:
    """Verdicts as told, and the order in which they were asked for."""

    def __init__(self, verdicts: dict[tuple[int, int], Verdict]) -> None:
        self.verdicts = verdicts
        self.asked: list[tuple[int, int]] = []

    def ahead(self, pairs: Iterable[CandidatePair]) -> Iterator[CandidatePair]:
        for pair in pairs:
            self.asked.append((pair.low_id, pair.high_id))
            yield pair

    def verdict(self, a: int, b: int) -> Verdict:
        return self.verdicts.get((a, b), OTHER)


def candidate(low: int, high: int, similarity: float = 0.9) -> CandidatePair:
    return CandidatePair(low, high, 64, {"lite0": similarity})


def likely_keeper(records: dict[int, ImageRecord]) -> Callable[[Links], int]:
    """The sharpest of the largest that cover one, as a judge would say."""

    def choose(links: Links) -> int:
        covering = {
            *links.low[(links.covering & LOW_COVERS_HIGH) > 0].tolist(),
            *links.high[(links.covering & HIGH_COVERS_LOW) > 0].tolist(),
        }
        return max(covering, key=lambda n: (records[n].quality.bandwidth, records[n].width))

    return choose


def run(
    told: Told, pairs: list[CandidatePair], records: dict[int, ImageRecord], block: int = 1000
) -> set[tuple[int, int]]:
    def outline(image_id: int) -> ImageOutline:
        known = records[image_id]
        return ImageOutline(
            known.digest, known.format, known.width, known.height, known.quality.bandwidth
        )

    given = needed_pairs(pairs, told.ahead, told, Outlines(outline), likely_keeper(records), block)
    return {(pair.low_id, pair.high_id) for pair, _ in given}


def of_sizes(*widths: int) -> dict[int, ImageRecord]:
    return {
        number: record(str(number), width=width, height=width)
        for number, width in enumerate(widths)
    }


def test_copies_under_one_cover_are_not_compared_with_each_other() -> None:
    told = Told({(0, n): COVERED for n in range(1, 7)})
    pairs = [candidate(a, b) for a, b in combinations(range(7), 2)]
    assert run(told, pairs, of_sizes(1000, *[500] * 6)) == {(0, n) for n in range(1, 7)}


def test_equal_copies_are_compared_with_the_one_that_is_nearest_to_all() -> None:
    told = Told(dict.fromkeys(combinations(range(5), 2), COPY))
    pairs = [candidate(a, b, 0.99 if 3 in (a, b) else 0.95) for a, b in combinations(range(5), 2)]
    assert run(told, pairs, of_sizes(*[800] * 5)) == {(0, 3), (1, 3), (2, 3), (3, 4)}


def test_what_nothing_covers_is_compared_with_all_its_candidates() -> None:
    told = Told({})
    pairs = [candidate(a, b) for a, b in combinations(range(5), 2)]
    assert run(told, pairs, of_sizes(500, 400, 300, 200, 100)) == set(combinations(range(5), 2))


def test_two_originals_of_equal_size_keep_their_own_copies() -> None:
    told = Told({(0, 1): COVERED, (2, 3): COVERED})
    pairs = [candidate(a, b) for a, b in combinations(range(4), 2)]
    found = run(told, pairs, of_sizes(900, 300, 900, 300))
    assert {(0, 1), (2, 3)} <= found


def test_a_cover_that_is_no_copy_of_the_other_excuses_nothing() -> None:
    told = Told({(0, 1): COVERED, (1, 2): COPY})
    pairs = [candidate(a, b) for a, b in combinations(range(3), 2)]
    assert (1, 2) in run(told, pairs, of_sizes(900, 500, 500))


def test_each_pair_is_asked_for_once_and_each_that_is_given_was_asked_for() -> None:
    told = Told({(0, n): COVERED for n in range(1, 5)} | {(2, 3): COPY})
    pairs = [candidate(a, b) for a, b in combinations(range(8), 2)]
    given = run(told, pairs, of_sizes(*range(900, 100, -100)))
    assert len(told.asked) == len(set(told.asked))
    assert given == set(told.asked)


@pytest.mark.parametrize("block", [1, 3, 100])
def test_a_border_between_blocks_costs_comparisons_and_loses_none(block: int) -> None:
    told = Told({(0, n): COVERED for n in range(1, 6)})
    pairs = [candidate(a, b) for a, b in combinations(range(6), 2)]
    assert {(0, n) for n in range(1, 6)} <= run(told, pairs, of_sizes(900, *[300] * 5), block)


def test_an_enlarged_copy_is_no_better_than_what_it_was_made_from() -> None:
    soft = record("soft", width=2000, height=2000, bandwidth=0.4)
    sharp = {n: record(str(n), width=1000, height=1000) for n in range(1, 4)}
    told = Told(
        {(1, 2): COPY, (1, 3): COPY, (2, 3): COPY, (0, 1): COPY, (0, 2): COPY, (0, 3): COPY}
    )
    pairs = [candidate(a, b, 0.99 if 2 in (a, b) else 0.95) for a, b in combinations(range(4), 2)]
    assert run(told, pairs, {0: soft} | sharp) == {(0, 2), (1, 2), (2, 3)}


def test_the_winner_of_a_duel_is_whom_the_others_are_compared_with() -> None:
    """The nearest to all is a copy itself, which only the verdicts show."""
    sharp = {n: record(str(n), width=800, height=800) for n in range(6)}
    sharp[0] = record("soft", width=800, height=800, bandwidth=0.75)
    told = Told(dict.fromkeys(combinations(range(6), 2), COPY))
    pairs = [candidate(a, b, 0.99 if 0 in (a, b) else 0.95) for a, b in combinations(range(6), 2)]
    found = run(told, pairs, sharp)
    (winner,) = {pair for pair in found if 0 in pair}
    assert found == {tuple(sorted((max(winner), n))) for n in range(6) if n != max(winner)}


def test_two_heaps_of_different_pictures_are_compared_twice_and_no_more() -> None:
    told = Told({(0, n): COVERED for n in range(1, 6)} | {(6, n): COVERED for n in range(7, 12)})
    pairs = [
        candidate(a, b, 0.9 if (a < 6) == (b < 6) else 0.7) for a, b in combinations(range(12), 2)
    ]
    found = run(told, pairs, of_sizes(1000, *[500] * 5, 1000, *[500] * 5))
    between = {(a, b) for a, b in found if a < 6 <= b}
    assert (0, 6) in between
    assert len(between) == 2


def test_heaps_that_turn_out_to_be_one_are_compared_until_they_are() -> None:
    told = Told(
        {(0, n): COVERED for n in range(1, 4)}
        | {(4, n): COVERED for n in range(5, 8)}
        # Nothing is known of 0 and 4 themselves: they are no candidates.
        | {(1, 5): COPY, (1, 6): COVERED}
    )
    pairs = [
        candidate(a, b, 0.9 if (a < 4) == (b < 4) else 0.8 if (a, b) == (1, 5) else 0.7)
        for a, b in combinations(range(8), 2)
        # The covers themselves are candidates of their own copies only.
        if (a < 4) == (b < 4) or not {a, b} & {0, 4}
    ]
    assert (1, 5) in run(told, pairs, of_sizes(1000, *[500] * 3, 1000, *[500] * 3))


def test_two_heads_are_compared_whatever_the_pictures_under_them_said() -> None:
    """Two crops of one picture differ; each is covered by the picture all the same."""
    told = Told({(0, 1): COVERED, (0, 2): COVERED, (0, 3): COVERED})
    nearer = {(1, 3): 0.95, (2, 3): 0.94, (0, 3): 0.75}
    pairs = [candidate(a, b, nearer.get((a, b), 0.9)) for a, b in combinations(range(4), 2)]
    # What keeps the cover busy while the crops are compared with each other.
    pairs += [candidate(0, other) for other in range(4, 12)]
    pairs += [candidate(other, larger) for other in range(4, 12) for larger in (12, 13, 14)]
    sizes = of_sizes(1000, 700, 690, 680, *[900] * 8, *[2000] * 3)
    assert (0, 3) in run(told, pairs, sizes)


def test_crops_that_show_each_a_part_of_their_own_are_of_no_different_pictures() -> None:
    part = replace(OTHER, reason=NEITHER_COVERS)
    told = Told({(0, 1): COVERED, (0, 2): COVERED, (1, 3): part, (2, 3): part, (0, 3): COVERED})
    nearer = {(1, 3): 0.95, (2, 3): 0.94, (0, 3): 0.75}
    # The frame around 4 makes it the larger one, and of its copies the head.
    told.verdicts |= {(0, 4): COPY, (3, 4): part}
    pairs = [candidate(a, b, nearer.get((a, b), 0.9)) for a, b in combinations(range(5), 2)]
    assert (0, 3) in run(told, pairs, of_sizes(1000, 700, 690, 680, 1100))


def test_an_original_is_compared_with_a_copy_that_only_another_copy_of_it_is_alike() -> None:
    """A watermark and a text make two copies different; what both were made from tells."""
    told = Told({(0, 1): COVERED, (0, 2): COVERED})
    # Nobody proposed the original and the copy with the watermark.
    pairs = [candidate(0, 1), candidate(1, 2)]
    assert run(told, pairs, of_sizes(900, 500, 500)) == {(0, 1), (1, 2), (0, 2)}


def test_heads_meet_for_images_that_are_alike_and_for_no_others() -> None:
    pairs = [candidate(0, 1), candidate(1, 2, 0.6)]
    told = Told({(0, 1): COVERED})
    assert (0, 2) not in run(told, pairs, of_sizes(900, 500, 500))
    near = CandidatePair(1, 2, 6, {"lite0": 0.6})
    assert (0, 2) in run(told, [pairs[0], near], of_sizes(900, 500, 500))
