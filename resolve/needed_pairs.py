"""Leaves out candidate pairs that no choice depends on.

Copies of one picture are all candidates of each other: of an original and ten copies, 55 pairs. But
what two copies of one picture differ by follows from what each differs from that picture by. So
the largest are compared first, the likely keeper among those that are copies is chosen, and with it
the others are compared. Pairs of two images under one cover are passed over, and of the pairs
between two such heaps all but two when those are different pictures. The keeper may well be another
one of them: the verdicts that are needed then, as evidence for each deletion, are computed then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resolve.heaps import Covers, Heaps, Ids, ids_of, likeness, says_different
from resolve.links import Links, covering_of, pools, pools_of
from resolve.outlines import Outlines
from search.candidates import CandidatePair
from search.hits import ranks
from verify.verdict import Verdict

# Pairs looked at together; in larger collections the neighbourhoods cut by a border are compared
# in full. 16,384 pairs take some 10 MB.
PAIRS_PER_BLOCK = 16_384
_DUELS, _ROUNDS = 4, 2
_NEAREST = 3
# Cosine similarity from which two images are of one neighbourhood.
_CLOSE = 0.8
# Hamming distance and cosine similarity of two from which on others of their heaps are compared.
_ALIKE_HASHES, _ALIKE = 8, 0.7
# Hamming distance of pairs that no index has proposed.
_NOT_PROPOSED = 64
# Cosine similarity by which a candidate may be less alike than the nearest, to be the best.
_AS_NEAR = 0.15


class VerdictsByPair(Protocol):
    """Knows the verdict of every pair that was asked for."""

    def verdict(self, a: int, b: int) -> Verdict:
        """What verification says of the images a and b, in this order."""


I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Ahead = Callable[[Iterable[CandidatePair]], Iterator[CandidatePair]]
Verified = tuple[CandidatePair, Verdict]
LikelyKeeper = Callable[[Links], int | None]


def needed_pairs(
    candidates: Iterable[CandidatePair],
    ahead: Ahead,
    verdicts: VerdictsByPair,
    outlines: Outlines,
    likely_keeper: LikelyKeeper,
    pairs_per_block: int = PAIRS_PER_BLOCK,
) -> Iterator[Verified]:
    """The candidates whose verdicts may decide something, each with its verdict.

    Args:
        candidates: each pair once.
        ahead: gives pairs back in their order, their verdicts known to `verdicts` by then.
        outlines: of all images.
        likely_keeper: who stays of images that are linked as copies, as far as these links tell.
        pairs_per_block: see `PAIRS_PER_BLOCK`.
    """
    stream = iter(candidates)
    while block := list(islice(stream, pairs_per_block)):
        yield from _Block(block, ahead, verdicts, outlines, likely_keeper).needed()


class _Block:
    """Pairs that are looked at together.

    Args:
        pairs: each once.
        Others as of `needed_pairs`.
    """

    def __init__(
        self,
        pairs: list[CandidatePair],
        ahead: Ahead,
        verdicts: VerdictsByPair,
        outlines: Outlines,
        likely_keeper: LikelyKeeper,
    ) -> None:
        self._ahead = ahead
        self._verdicts = verdicts
        self._likely_keeper = likely_keeper
        near = np.array([likeness(pair) for pair in pairs])
        self._ids, places = np.unique(
            np.array([ids_of(pair) for pair in pairs], np.int64), return_inverse=True
        )
        images = places.reshape(-1, 2)
        together = _neighbours_together(images, near, len(self._ids))
        self._pairs = [pairs[number] for number in together.tolist()]
        self._likeness = near[together]
        # The places in `_ids` of the two images of each pair.
        self._images: I64 = images[together]
        self._is_promoted = np.zeros(len(self._ids), bool)
        self._size, self._digest = outlines.sizes(self._ids)
        self._nearness = self._nearness_to_several()
        self._is_left = np.ones(len(self._pairs), bool)
        self._covers = Covers()
        self._told_apart: list[CandidatePair] = []

    def needed(self) -> Iterator[Verified]:
        """The pairs that are needed, each with its verdict."""
        yield from self._duels()
        for _ in range(_ROUNDS):
            yield from self._known(self._with_the_best())
        yield from self._between_heaps()

    def _duels(self) -> Iterator[Verified]:
        """The two likeliest keepers of each neighbourhood, then the winner against the next.

        Which of them the others were made from is seen from the verdicts, and only from them.
        """
        links = _CopyLinks()
        has_lost = np.zeros(len(self._ids), bool)
        for _ in range(_DUELS):
            best = self._best_pairs()
            pairs = np.unique(best[(best >= 0) & ~has_lost])
            low, high = self._images[pairs].T
            are_mutual = (best[low] == pairs) & (best[high] == pairs)
            chosen = pairs[are_mutual & ~has_lost[low] & ~has_lost[high]]
            for pair, verdict in self._known(chosen):
                links.add(pair, verdict)
                yield pair, verdict
            for pool in links.pools({ids_of(self._pairs[number]) for number in chosen.tolist()}):
                keeper = self._likely_keeper(pool)
                has_lost[self._places(np.r_[pool.low, pool.high])] = True
                if keeper is not None:
                    place = self._places(np.array([keeper]))
                    has_lost[place] = False
                    self._is_promoted[place] = True

    def _known(self, chosen: I64) -> Iterator[Verified]:
        """These of the pairs left, which are left no more, their verdicts taken in."""
        self._is_left[chosen] = False
        for pair in self._ahead([self._pairs[number] for number in chosen.tolist()]):
            verdict = self._verdicts.verdict(*ids_of(pair))
            self._covers.add(pair, verdict)
            if says_different(verdict):
                self._told_apart.append(pair)
            yield pair, verdict

    def _with_the_best(self) -> I64:
        """For each image that nothing covers yet, the pair with the best of its candidates."""
        best = self._best_pairs()
        is_open = [not self._covers.is_under(image_id) for image_id in self._ids.tolist()]
        return np.unique(best[(best >= 0) & np.array(is_open, bool)])

    def _best_pairs(self) -> I64:
        """For each image its pair with the best of those about as near as the nearest, or -1.

        Of the pairs left; int64, in the order of `_ids`.
        """
        left = np.flatnonzero(self._is_left)
        numbers = np.r_[left, left]
        images = np.r_[self._images[left, 0], self._images[left, 1]]
        others = np.r_[self._images[left, 1], self._images[left, 0]]
        near = self._likeness[numbers]
        nearest = np.zeros(len(self._ids))
        np.maximum.at(nearest, images, near)
        are_near = near >= nearest[images] - _AS_NEAR
        numbers, images, others = numbers[are_near], images[are_near], others[are_near]
        order = self._order()
        least = np.full(len(self._ids), len(self._ids))
        np.minimum.at(least, images, order[others])
        are_best = order[others] == least[images]
        best = np.full(len(self._ids), -1)
        best[images[are_best]] = numbers[are_best]
        return best

    def _order(self) -> I64:
        """The place of each image when the likely keepers come first.

        Those who won, then the larger, then who is nearest to several others: what copies were made
        from is nearer to each than they are to each other. Nothing depends on the ids, which are
        those of one index.
        """
        size = np.where(self._is_promoted, np.inf, self._size)
        order = np.empty(len(self._ids), np.int64)
        order[np.lexsort((self._digest, -self._nearness, -size))] = np.arange(len(order))
        return order

    def _nearness_to_several(self) -> F64:
        """For each image the sum of the largest similarities to others, float64."""
        are_similar = np.array([bool(pair.similarity) for pair in self._pairs])
        similarity = np.where(are_similar, self._likeness, 0.0)
        images = self._images.T.ravel()
        similarity = np.r_[similarity, similarity]
        order = np.lexsort((-similarity, images))
        counted = order[ranks(images[order]) < _NEAREST]
        return np.bincount(images[counted], similarity[counted], len(self._ids)).astype(np.float64)

    def _places(self, ids: I64) -> I64:
        return np.searchsorted(self._ids, ids)

    def _between_heaps(self) -> Iterator[Verified]:
        """What is left, until it is clear of any two heaps that they are different pictures."""
        left = [self._pairs[number] for number in np.flatnonzero(self._is_left).tolist()]
        order = dict(zip(self._ids.tolist(), self._order().tolist(), strict=True))
        heaps = Heaps(left, map(ids_of, self._told_apart), self._covers, order)
        while chosen := heaps.next_pairs():
            known: list[Verified] = []
            for pair in self._ahead(chosen):
                known.append((pair, self._verdicts.verdict(*ids_of(pair))))
                yield known[-1]
            heaps.take(known)
            self._told_apart += [pair for pair, verdict in known if says_different(verdict)]
        for pair in self._ahead(self._heads_that_never_met(heaps)):
            yield pair, self._verdicts.verdict(*ids_of(pair))

    def _heads_that_never_met(self, heaps: Heaps) -> list[CandidatePair]:
        """For each head the head of the heap with the most alike image that it was told apart from.

        A copy with a watermark and one with a text show something different, and only the first may
        be a candidate of the second: what both were made from shows that they are copies.
        """
        proposed = {ids_of(pair) for pair in self._pairs}
        nearest: dict[int, tuple[float, Ids]] = {}
        for pair in self._told_apart:
            heads = heaps.heads(ids_of(pair))
            if _are_alike(pair) and heads[0] != heads[1] and heads not in proposed:
                for head in heads:
                    found = likeness(pair), heads
                    nearest[head] = max(found, nearest.get(head, found))
        wanted = {heads for _, heads in nearest.values()}
        return [CandidatePair(low, high, _NOT_PROPOSED, {}) for low, high in sorted(wanted)]


def _are_alike(pair: CandidatePair) -> bool:
    return pair.hamming <= _ALIKE_HASHES or likeness(pair) >= _ALIKE


def _neighbours_together(images: I64, near: F64, count: int) -> I64:
    """An order of pairs in which those of one neighbourhood come after each other, int64 (m,).

    Whoever compares them then reads each preview once, and finds its keypoints once.

    Args:
        images: int64 (m, 2), the places of two of `count` images, the lower first.
        near: float64 (m,), how alike they are.
    """
    low, high = images.T
    close = near >= _CLOSE
    links = Links(low[close], high[close], np.zeros(np.count_nonzero(close), np.uint8))
    return np.lexsort((high, low, pools_of(links, count)[low]))


class _CopyLinks:
    """The copies among some pairs."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int]] = []

    def add(self, pair: CandidatePair, verdict: Verdict) -> None:
        if verdict.is_copy:
            self._rows.append((*ids_of(pair), covering_of(verdict)))

    def pools(self, changed: set[Ids]) -> Iterator[Links]:
        """The links of those that are connected, of each pool in which one of these pairs is."""
        if not self._rows:
            return
        rows = np.array(self._rows, np.int64)
        # Numbered anew: what `pools` takes in memory goes with the highest number.
        ids, numbers = np.unique(rows[:, :2], return_inverse=True)
        low, high = numbers.reshape(-1, 2).T
        for pool in pools(Links(low, high, rows[:, 2].astype(np.uint8)), len(ids)):
            links = Links(ids[pool.low], ids[pool.high], pool.covering)
            if not changed.isdisjoint(zip(links.low.tolist(), links.high.tolist(), strict=True)):
                yield links
