"""Leaves out candidate pairs that no choice depends on.

Copies of one picture are all candidates of each other: of an original and ten copies, 55 pairs. But
what two copies of one picture differ by follows from what each differs from that picture by. So
images are first compared with the best of their candidates, and pairs of two images under one cover
are passed over. The keeper may well be another one of them: the verdicts that are needed then, as
evidence for each deletion, are computed then.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from search.candidates import CandidatePair
from storage.records import ImageRecord
from verify.verdict import Verdict

# Pairs looked at together; in larger collections the neighbourhoods cut by a border are compared
# in full. 16,384 pairs take some 10 MB.
PAIRS_PER_BLOCK = 16_384
_ROUNDS = 2
# Logarithm of pixels that are no difference in size; bandwidth below which an image was enlarged.
_SAME_SIZE, _SHARP = 0.1, 0.7
_NEAREST = 3
# Cosine similarity from which two images are of one neighbourhood.
_CLOSE = 0.8

Rank = tuple[float, float, bytes]


class VerdictsByPair(Protocol):
    """Knows the verdict of every pair that was asked for."""

    def verdict(self, a: int, b: int) -> Verdict:
        """What verification says of the images a and b, in this order."""


Ahead = Callable[[Iterable[CandidatePair]], Iterator[CandidatePair]]


def needed_pairs(
    candidates: Iterable[CandidatePair],
    ahead: Ahead,
    verdicts: VerdictsByPair,
    record: Callable[[int], ImageRecord],
    pairs_per_block: int = PAIRS_PER_BLOCK,
) -> Iterator[CandidatePair]:
    """The candidates whose verdicts may decide something, each with its verdict known.

    Args:
        candidates: each pair once.
        ahead: gives pairs back in their order, their verdicts known to `verdicts` by then.
        record: the record of an image id.
        pairs_per_block: see `PAIRS_PER_BLOCK`.
    """
    stream = iter(candidates)
    while block := list(islice(stream, pairs_per_block)):
        yield from _of_block(block, ahead, verdicts, record)


def _of_block(
    block: list[CandidatePair],
    ahead: Ahead,
    verdicts: VerdictsByPair,
    record: Callable[[int], ImageRecord],
) -> Iterator[CandidatePair]:
    block = _neighbours_together(block)
    covers = _Covers()
    ranks = _ranks(block, record)
    left = block
    for _ in range(_ROUNDS):
        chosen = _with_the_best(left, ranks, covers)
        for pair in ahead([pair for pair in left if _ids(pair) in chosen]):
            covers.add(pair, verdicts.verdict(pair.low_id, pair.high_id))
            yield pair
        left = [pair for pair in left if _ids(pair) not in chosen]
    yield from ahead([pair for pair in left if not covers.make_needless(pair)])


def _ids(pair: CandidatePair) -> tuple[int, int]:
    return pair.low_id, pair.high_id


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
        if low != high and max(pair.similarity.values(), default=1.0) >= _CLOSE:
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
        for image_id in _ids(pair):
            near[image_id].append(similarity)
    return {image_id: _rank(record(image_id), near[image_id]) for image_id in near}


def _rank(record: ImageRecord, near: list[float]) -> Rank:
    bandwidth = record.quality.bandwidth
    detail = bandwidth if bandwidth < _SHARP else 1.0
    pixels = record.width * record.height * detail * detail
    size = round(math.log(max(1.0, pixels)) / _SAME_SIZE)
    return -size, -sum(sorted(near)[-_NEAREST:]), record.digest


def _with_the_best(
    pairs: Sequence[CandidatePair], ranks: dict[int, Rank], covers: _Covers
) -> set[tuple[int, int]]:
    """For each image that nothing covers yet, the pair with the best of its candidates."""
    best: dict[int, tuple[Rank, tuple[int, int]]] = {}
    for pair in pairs:
        for image_id, other in (_ids(pair), _ids(pair)[::-1]):
            found = best.get(image_id)
            if found is None or ranks[other] < found[0]:
                best[image_id] = (ranks[other], _ids(pair))
    return {ids for image_id, (_, ids) in best.items() if not covers.is_under(image_id)}


class _Covers:
    """Who covers whom, of the verdicts so far."""

    def __init__(self) -> None:
        self._above: defaultdict[int, set[int]] = defaultdict(set)

    def add(self, pair: CandidatePair, verdict: Verdict) -> None:
        if verdict.is_copy and verdict.a_covers_b:
            self._above[pair.high_id].add(pair.low_id)
        if verdict.is_copy and verdict.b_covers_a:
            self._above[pair.low_id].add(pair.high_id)

    def is_under(self, image_id: int) -> bool:
        """True when another covers it."""
        return bool(self._above.get(image_id))

    def make_needless(self, pair: CandidatePair) -> bool:
        """True when one image covers both: how they differ follows from how they differ from it."""
        low, high = self._above.get(pair.low_id, set()), self._above.get(pair.high_id, set())
        return bool(low & high)
