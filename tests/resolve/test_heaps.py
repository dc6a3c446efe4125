"""Heaps that are kept up to date choose what heaps counted anew before every round would."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from resolve.heaps import Covers, Heaps, Ids, ids_of, likeness, says_different
from search.candidates import CandidatePair
from verify.doubts import NEITHER_COVERS
from verify.verdict import Relation, Verdict

VERDICTS = (
    Verdict(Relation.DIFFERENT, 0.0, False, False),
    Verdict(Relation.DIFFERENT, 0.0, False, False, reason=NEITHER_COVERS),
    Verdict(Relation.REENCODED, 0.99, True, True),
    Verdict(Relation.CROPPED, 0.99, True, False),
    Verdict(Relation.CROPPED, 0.99, False, True),
)


def counted_anew(
    left: list[CandidatePair], different: list[Ids], covers: Covers, ranks: dict[int, int]
) -> tuple[list[CandidatePair], list[CandidatePair]]:
    """Which pairs are next, and which are open: from the definition, with nothing kept."""

    def head(image_id: int) -> int:
        """The best that covers it, itself or through others; itself when nothing better does."""
        best = min(covers.above(image_id), key=ranks.__getitem__, default=image_id)
        return image_id if ranks[best] >= ranks[image_id] else head(best)

    heads = {image_id: head(image_id) for image_id in ranks}

    def heaps(ids: Ids) -> Ids:
        low, high = (heads[image_id] for image_id in ids)
        return min(low, high), max(low, high)

    counts = Counter(map(heaps, different))
    is_open = [
        pair
        for pair in left
        if heaps(ids_of(pair))[0] != heaps(ids_of(pair))[1]
        and (counts[heaps(ids_of(pair))] < 2 or heaps(ids_of(pair)) == ids_of(pair))
    ]
    best: dict[Ids, CandidatePair] = {}
    for pair in sorted(
        is_open,
        key=lambda pair: (
            2.0 if heaps(ids_of(pair)) == ids_of(pair) else likeness(pair),
            ids_of(pair),
        ),
    ):
        best[heaps(ids_of(pair))] = pair
    return [pair for pair in is_open if pair in best.values()], is_open


@pytest.mark.parametrize("seed", range(30))
def test_every_round_compares_what_the_definition_says(seed: int) -> None:
    draw = np.random.default_rng(seed)
    images = int(draw.integers(3, 16))
    pairs = [
        CandidatePair(a, b, 64, {"lite0": round(float(draw.uniform(0.6, 1.0)), 2)})
        for a, b in combinations(range(images), 2)
        if draw.random() < 0.7
    ]
    told = {ids_of(pair): VERDICTS[draw.choice(5, p=(0.4, 0.2, 0.1, 0.15, 0.15))] for pair in pairs}
    ranks = dict(enumerate(draw.permutation(images).tolist()))
    covers, kept_covers = Covers(), Covers()
    different: list[Ids] = []
    heaps = Heaps(pairs, [], kept_covers, ranks)
    left, rounds = pairs, 0
    while True:
        wanted, left = counted_anew(left, different, covers, ranks)
        chosen = heaps.next_pairs()
        assert chosen == wanted
        if not wanted:
            break
        rounds += 1
        for pair in wanted:
            covers.add(pair, told[ids_of(pair)])
            if says_different(told[ids_of(pair)]):
                different.append(ids_of(pair))
        left = [pair for pair in left if pair not in wanted]
        heaps.take([(pair, told[ids_of(pair)]) for pair in chosen])
    assert rounds
