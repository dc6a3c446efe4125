"""Heaps of images under one cover, and the pairs between them that are still open.

Between two heaps one pair after the other is compared until it is clear that they are different
pictures. A verdict may put one heap under another; what that changes is found through the images it
concerns, so a round costs what is open and not what there is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from search.candidates import CandidatePair
from verify.doubts import BOTH_STAY
from verify.verdict import Verdict

Ids = tuple[int, int]

# Pairs of two heaps that have to be different before the others count as different.
_ENOUGH = 2
# Of 64 bits these are random in pictures that have nothing in common but their light.
_HASH_BITS = 16
# Above every likeness.
_OF_HEADS = 2.0


def ids_of(pair: CandidatePair) -> Ids:
    """The lower and the higher id."""
    return pair.low_id, pair.high_id


def likeness(pair: CandidatePair) -> float:
    """The larger cosine similarity, or what near hashes are worth where they alone propose it."""
    return max(pair.similarity.values(), default=1.0 - pair.hamming / _HASH_BITS)


class Covers:
    """Who covers whom, of the verdicts so far."""

    def __init__(self) -> None:
        self._above: defaultdict[int, set[int]] = defaultdict(set)
        self._below: defaultdict[int, set[int]] = defaultdict(set)

    def add(self, pair: CandidatePair, verdict: Verdict) -> list[Ids]:
        """Take in a verdict; who covers whom by it."""
        found: list[Ids] = []
        if verdict.is_copy and verdict.a_covers_b:
            found.append((pair.low_id, pair.high_id))
        if verdict.is_copy and verdict.b_covers_a:
            found.append((pair.high_id, pair.low_id))
        for above, below in found:
            self._above[below].add(above)
            self._below[above].add(below)
        return found

    def is_under(self, image_id: int) -> bool:
        """True when another covers it."""
        return bool(self._above.get(image_id))

    def above(self, image_id: int) -> Collection[int]:
        """Those that cover it themselves."""
        return self._above.get(image_id, ())

    def below(self, image_ids: Iterable[int]) -> set[int]:
        """These images and all that they cover, themselves or through others."""
        found: set[int] = set()
        to_visit = list(image_ids)
        while to_visit:
            image_id = to_visit.pop()
            if image_id not in found:
                found.add(image_id)
                to_visit += self._below.get(image_id, ())
        return found


class Heaps:
    """The open pairs, by the heads of the heaps that their images are in.

    Args:
        pairs: none of which has a verdict yet.
        different: pairs that have one which says that they are different pictures.
        covers: as far as known; `take` adds to it.
        ranks: of all images of the pairs, no two the same; the better is the smaller.
    """

    def __init__(
        self,
        pairs: Iterable[CandidatePair],
        different: Iterable[Ids],
        covers: Covers,
        ranks: Mapping[int, int],
    ) -> None:
        self._covers = covers
        self._ranks = ranks
        self._best_above = {
            image_id: min(covers.above(image_id), key=ranks.__getitem__)
            for image_id in ranks
            if covers.above(image_id)
        }
        self._head = {image_id: self._head_of(image_id) for image_id in ranks}
        self._place: dict[Ids, int] = {}
        self._open: defaultdict[Ids, dict[Ids, CandidatePair]] = defaultdict(dict)
        self._open_of: defaultdict[int, set[Ids]] = defaultdict(set)
        self._different: Counter[Ids] = Counter()
        self._different_of: defaultdict[int, list[Ids]] = defaultdict(list)
        for place, pair in enumerate(pairs):
            ids = ids_of(pair)
            self._place[ids] = place
            self._open[self._between(ids)][ids] = pair
            for image_id in ids:
                self._open_of[image_id].add(ids)
        for ids in different:
            self._count_different(ids)
        for between in list(self._open):
            self._pass_over(between)

    def next_pairs(self) -> list[CandidatePair]:
        """Of any two heaps with open pairs the one to compare next, in the order they were given.

        That of the two heads, or else the most alike.
        """
        chosen = [
            max(pairs.values(), key=lambda pair: self._urgency(pair, between))
            if len(pairs) > 1
            else next(iter(pairs.values()))
            for between, pairs in self._open.items()
        ]
        return sorted(chosen, key=lambda pair: self._place[ids_of(pair)])

    def heads(self, ids: Ids) -> Ids:
        """The heads of the heaps that two images are in, the lower id first."""
        return self._between(ids)

    def take(self, verdicts: Iterable[tuple[CandidatePair, Verdict]]) -> None:
        """Take in the verdicts of pairs that were open, and pass over what they settle."""
        changed: set[Ids] = set()
        covered: list[int] = []
        for pair, verdict in verdicts:
            ids = ids_of(pair)
            changed.add(self._close(ids))
            for above, below in self._covers.add(pair, verdict):
                best = self._best_above.get(below)
                # Another cover that is no better moves nothing of what lies below.
                if best is None or self._ranks[above] < self._ranks[best]:
                    self._best_above[below] = above
                    covered.append(below)
            if says_different(verdict):
                self._count_different(ids)
        for image_id in self._covers.below(covered):
            head = self._head_of(image_id)
            if head != self._head[image_id]:
                changed |= self._move(image_id, head)
        for between in changed:
            self._pass_over(between)

    def _head_of(self, image_id: int) -> int:
        """The best that covers it, itself or through others; itself when nothing better does."""
        while True:
            best = self._best_above.get(image_id, image_id)
            if self._ranks[best] >= self._ranks[image_id]:
                return image_id
            image_id = best

    @staticmethod
    def _urgency(pair: CandidatePair, between: Ids) -> tuple[float, Ids]:
        ids = ids_of(pair)
        return (_OF_HEADS if ids == between else likeness(pair)), ids

    def _between(self, ids: Ids) -> Ids:
        low, high = self._head[ids[0]], self._head[ids[1]]
        return (low, high) if low <= high else (high, low)

    def _close(self, ids: Ids) -> Ids:
        """Take a pair from the open ones; the heads it lay between."""
        between = self._between(ids)
        pairs = self._open[between]
        del pairs[ids]
        if not pairs:
            del self._open[between]
        for image_id in ids:
            self._open_of[image_id].discard(ids)
        return between

    def _count_different(self, ids: Ids) -> None:
        self._different[self._between(ids)] += 1
        for image_id in ids:
            self._different_of[image_id].append(ids)

    def _move(self, image_id: int, head: int) -> set[Ids]:
        """Put an image into another heap; the pairs of heads of which something has changed."""
        pairs = [(ids, self._between(ids)) for ids in self._open_of[image_id]]
        for ids in self._different_of[image_id]:
            self._different[self._between(ids)] -= 1
        self._head[image_id] = head
        changed: set[Ids] = set()
        for ids, before in pairs:
            now = self._between(ids)
            held = self._open[before]
            self._open[now][ids] = held.pop(ids)
            if not held and before != now:
                del self._open[before]
            changed.add(now)
        for ids in self._different_of[image_id]:
            now = self._between(ids)
            self._different[now] += 1
            changed.add(now)
        return changed

    def _pass_over(self, between: Ids) -> None:
        """Close what needs no verdict of the pairs between two heads."""
        pairs = self._open.get(between)
        if pairs is None:
            return
        is_settled = self._different[between] >= _ENOUGH
        for ids in list(pairs):
            # A crop of the one is none of its crops: only the heads speak for all.
            if between[0] == between[1] or (is_settled and ids != between):
                self._close(ids)


def says_different(verdict: Verdict) -> bool:
    """True when it tells the pictures apart, not just that neither shows all of the other."""
    return not verdict.is_copy and verdict.reason not in BOTH_STAY
