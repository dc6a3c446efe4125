"""Leaves out candidate pairs that no choice depends on.

Copies of one picture are all candidates of each other: of an original and ten copies, 55 pairs. But
what two copies of one picture differ by follows from what each differs from that picture by. So
the largest are compared first, the likely keeper among those that are copies is chosen, and with it
the others are compared. Pairs of two images under one cover are passed over, and of the pairs
between two such heaps all but two when those are different pictures. The keeper may well be another
one of them: the verdicts that are needed then, as evidence for each deletion, are computed then.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from resolve.groups import Links, covering_of, pools
from resolve.heaps import Covers, Heaps, Ids, Rank, ids_of, likeness, says_different
from search.candidates import CandidatePair
from storage.records import ImageRecord
from verify.verdict import Verdict

# Pairs looked at together; in larger collections the neighbourhoods cut by a border are compared
# in full. 16,384 pairs take some 10 MB.
PAIRS_PER_BLOCK = 16_384
_DUELS, _ROUNDS = 4, 2
# Logarithm of pixels that are no difference in size; bandwidth below which an image was enlarged.
_SAME_SIZE, _SHARP = 0.1, 0.7
_NEAREST = 3
# Cosine similarity from which two images are of one neighbourhood.
_CLOSE = 0.8
# Cosine similarity by which a candidate may be less alike than the nearest, to be the best.
_AS_NEAR = 0.15


class VerdictsByPair(Protocol):
    """Knows the verdict of every pair that was asked for."""

    def verdict(self, a: int, b: int) -> Verdict:
        """What verification says of the images a and b, in this order."""


Ahead = Callable[[Iterable[CandidatePair]], Iterator[CandidatePair]]
LikelyKeeper = Callable[[Links], int | None]


def needed_pairs(
    candidates: Iterable[CandidatePair],
    ahead: Ahead,
    verdicts: VerdictsByPair,
    record: Callable[[int], ImageRecord],
    likely_keeper: LikelyKeeper,
    pairs_per_block: int = PAIRS_PER_BLOCK,
) -> Iterator[CandidatePair]:
    """The candidates whose verdicts may decide something, each with its verdict known.

    Args:
        candidates: each pair once.
        ahead: gives pairs back in their order, their verdicts known to `verdicts` by then.
        record: the record of an image id.
        likely_keeper: who stays of images that are linked as copies, as far as these links tell.
        pairs_per_block: see `PAIRS_PER_BLOCK`.
    """
    stream = iter(candidates)
    while block := list(islice(stream, pairs_per_block)):
        yield from _Block(block, ahead, verdicts, record, likely_keeper).needed()


class _Block:
    """Pairs that are looked at together.

    Args:
        As of `needed_pairs`.
    """

    def __init__(
        self,
        pairs: list[CandidatePair],
        ahead: Ahead,
        verdicts: VerdictsByPair,
        record: Callable[[int], ImageRecord],
        likely_keeper: LikelyKeeper,
    ) -> None:
        self._left = _neighbours_together(pairs)
        self._ahead = ahead
        self._verdicts = verdicts
        self._likely_keeper = likely_keeper
        self._ranks = _ranks(self._left, record)
        self._covers = Covers()
        self._different: list[Ids] = []

    def needed(self) -> Iterator[CandidatePair]:
        """The pairs that are needed, each with its verdict known."""
        yield from self._duels()
        for _ in range(_ROUNDS):
            yield from self._known(self._with_the_best())
        yield from self._between_heaps()

    def _duels(self) -> Iterator[CandidatePair]:
        """The two likeliest keepers of each neighbourhood, then the winner against the next.

        Which of them the others were made from is seen from the verdicts, and only from them.
        """
        links = _CopyLinks()
        losers: set[int] = set()
        for _ in range(_DUELS):
            best = self._best_candidates()
            chosen = {
                (min(image_id, other), max(image_id, other))
                for image_id, other in best.items()
                if best[other] == image_id and image_id not in losers and other not in losers
            }
            for pair in self._known(chosen):
                links.add(pair, self._verdicts.verdict(*ids_of(pair)))
                yield pair
            for pool in links.pools(chosen):
                keeper = self._likely_keeper(pool)
                losers.update(pool.low.tolist(), pool.high.tolist())
                if keeper is not None:
                    losers.discard(keeper)
                    self._ranks[keeper] = (-math.inf, *self._ranks[keeper][1:])

    def _known(self, chosen: set[Ids]) -> Iterator[CandidatePair]:
        """The chosen ones of the pairs left, which are left no more, their verdicts taken in."""
        wanted = [pair for pair in self._left if ids_of(pair) in chosen]
        self._left = [pair for pair in self._left if ids_of(pair) not in chosen]
        for pair in self._ahead(wanted):
            verdict = self._verdicts.verdict(*ids_of(pair))
            self._covers.add(pair, verdict)
            if says_different(verdict):
                self._different.append(ids_of(pair))
            yield pair

    def _with_the_best(self) -> set[Ids]:
        """For each image that nothing covers yet, the pair with the best of its candidates."""
        return {
            (min(image_id, other), max(image_id, other))
            for image_id, other in self._best_candidates().items()
            if not self._covers.is_under(image_id)
        }

    def _best_candidates(self) -> dict[int, int]:
        """Of the candidates left to each image, the best of those that are about the nearest."""
        nearest: defaultdict[int, float] = defaultdict(float)
        for pair in self._left:
            for image_id in ids_of(pair):
                nearest[image_id] = max(nearest[image_id], likeness(pair))
        best: dict[int, int] = {}
        for pair in self._left:
            for image_id, other in (ids_of(pair), ids_of(pair)[::-1]):
                if likeness(pair) < nearest[image_id] - _AS_NEAR:
                    continue
                found = best.get(image_id)
                if found is None or self._ranks[other] < self._ranks[found]:
                    best[image_id] = other
        return best

    def _between_heaps(self) -> Iterator[CandidatePair]:
        """What is left, until it is clear of any two heaps that they are different pictures."""
        heaps = Heaps(self._left, self._different, self._covers, self._ranks)
        while chosen := heaps.next_pairs():
            known: list[tuple[CandidatePair, Verdict]] = []
            for pair in self._ahead(chosen):
                known.append((pair, self._verdicts.verdict(*ids_of(pair))))
                yield pair
            heaps.take(known)


def _neighbours_together(block: list[CandidatePair]) -> list[CandidatePair]:
    """The same pairs, those of one neighbourhood after each other.

    Whoever compares them then reads each preview once, and finds its keypoints once.
    """
    root: dict[int, int] = {}

    def find(image_id: int) -> int:
        root.setdefault(image_id, image_id)
        while root[image_id] != image_id:
            root[image_id] = root[root[image_id]]
            image_id = root[image_id]
        return image_id

    for pair in block:
        low, high = find(pair.low_id), find(pair.high_id)
        if low != high and likeness(pair) >= _CLOSE:
            root[max(low, high)] = min(low, high)
    return sorted(block, key=lambda pair: (find(pair.low_id), pair.low_id, pair.high_id))


def _ranks(pairs: Sequence[CandidatePair], record: Callable[[int], ImageRecord]) -> dict[int, Rank]:
    """The likely keepers first: the larger, then who is nearest to several others.

    What copies were made from is nearer to each than they are to each other. Nothing depends on the
    ids, which are those of one index.
    """
    near: defaultdict[int, list[float]] = defaultdict(list)
    for pair in pairs:
        similarity = max(pair.similarity.values(), default=0.0)
        for image_id in ids_of(pair):
            near[image_id].append(similarity)
    return {image_id: _rank(record(image_id), near[image_id]) for image_id in near}


def _rank(record: ImageRecord, near: list[float]) -> Rank:
    bandwidth = record.quality.bandwidth
    detail = bandwidth if bandwidth < _SHARP else 1.0
    pixels = record.width * record.height * detail * detail
    size = round(math.log(max(1.0, pixels)) / _SAME_SIZE)
    return -size, -sum(sorted(near)[-_NEAREST:]), record.digest


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
