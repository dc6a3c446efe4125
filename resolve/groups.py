"""From verdicts on pairs to groups with one keeper each. Knows nothing of pixels or files.

Copies of copies chain: a, b and c may be linked by verdicts although nobody compared a with c. So a
connected component is only a *pool*. In a pool a keeper is chosen, and only members with a direct
verdict that the keeper shows all they show go with it. The others leave and try among themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Protocol

from resolve.links import HIGH_COVERS_LOW, LOW_COVERS_HIGH, Links
from verify.codec import decode_verdict, encode_verdict
from verify.verdict import Relation, Verdict

# Up to this size every member is compared with the keeper; in larger pools only those that some
# member of the group leads to, for one false link must not cost a comparison with thousands.
_COMPARED_WITH_ALL = 64
# Up to this size who covers whom is followed through others; above, only directly.
_FOLLOWED = 256
_SHORTLIST = 16
# Verdicts that the candidate stage did not ask for, per member of a pool.
_EXTRA_VERDICTS = 8
_LEAST_EXTRA_VERDICTS = 64


class VerdictSource(Protocol):
    """Answers for any two images of the catalog, from a cache where it can."""

    def verdict(self, a: int, b: int) -> Verdict:
        """What verification says of the images a and b, in this order."""


@dataclass(frozen=True, slots=True)
class Member:
    """An image to be deleted, and the evidence: the verdict of its keeper (a) and it (b).

    The verdict is held encoded, some 0.7 kB: a large collection has a million of them.
    """

    image_id: int
    relation: Relation
    score: float
    encoded: bytes

    @classmethod
    def of(cls, image_id: int, verdict: Verdict) -> Member:
        """The member with this verdict of its keeper and it."""
        return cls(image_id, verdict.relation, verdict.score, encode_verdict(verdict))

    @property
    def verdict(self) -> Verdict:
        """The evidence, a being the keeper."""
        return decode_verdict(self.encoded)


@dataclass(frozen=True, slots=True)
class Group:
    """A keeper and the images it stands for; without members, an image that merely stays."""

    keeper: int
    members: tuple[Member, ...]
    reasons: tuple[str, ...]

    @property
    def lowest_score(self) -> float:
        """The score of the least certain member; 1.0 without members."""
        return min((member.score for member in self.members), default=1.0)


@dataclass(frozen=True, slots=True)
class Constraints:
    """What is settled before any keeper is chosen.

    Attributes:
        undeletable: images that stay whatever the verdicts say.
        favoured: those of them that are to be keepers where they can: protected ones and those
            somebody decided to keep.
        apart: image id to the ids of which somebody said that they are not the same.
    """

    undeletable: Collection[int] = frozenset()
    favoured: Collection[int] = frozenset()
    apart: Mapping[int, Collection[int]] = field(default_factory=dict)

    def are_apart(self, a: int, b: int) -> bool:
        """True when somebody said that the two are not the same."""
        return b in self.apart.get(a, ()) or a in self.apart.get(b, ())


class KnownVerdicts:
    """The verdicts that a pool was linked by, for those who choose a keeper.

    Attributes:
        linked: image id to the ids it is linked to, in the order of `ids`, and whether it covers
            them.
    """

    def __init__(self, ids: Sequence[int], links: Links, verdicts: VerdictSource) -> None:
        self._verdicts = verdicts
        found: dict[int, dict[int, bool]] = {image_id: {} for image_id in ids}
        for low, high, covering in zip(
            links.low.tolist(), links.high.tolist(), links.covering.tolist(), strict=True
        ):
            found[low][high] = bool(covering & LOW_COVERS_HIGH)
            found[high][low] = bool(covering & HIGH_COVERS_LOW)
        place = {image_id: number for number, image_id in enumerate(ids)}
        self.linked: dict[int, dict[int, bool]] = {
            image_id: {other: others[other] for other in sorted(others, key=place.__getitem__)}
            for image_id, others in found.items()
        }

    def between(self, a: int, b: int) -> Verdict | None:
        """The verdict of a and b in this order; None when the pair was no link."""
        return self._verdicts.verdict(a, b) if b in self.linked[a] else None


@dataclass(frozen=True, slots=True)
class Choice:
    """Who stays, and why, in a photographer's words."""

    keeper: int
    reasons: tuple[str, ...]


class KeeperJudge(Protocol):
    """Chooses the keeper of a pool."""

    def choose(
        self, eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
    ) -> Choice:
        """One of `eligible`, which cover the most of `pool`."""

    def likeliest(
        self, eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
    ) -> int:
        """The same, without the reasons."""


class _Remaining:
    """The members of a pool that no group has taken, and how many of them each covers directly."""

    def __init__(self, ids: Sequence[int], known: KnownVerdicts) -> None:
        self.ids = dict.fromkeys(ids)
        self.covers = {image_id: sum(known.linked[image_id].values()) for image_id in ids}
        self._known = known

    def remove(self, image_id: int) -> None:
        del self.ids[image_id]
        for other in self._known.linked[image_id]:
            self.covers[other] -= self._known.linked[other][image_id]


def group_pool(
    ids: Sequence[int],
    links: Links,
    verdicts: VerdictSource,
    judge: KeeperJudge,
    constraints: Constraints,
) -> Iterator[Group]:
    """Splits a pool into groups in which every member has direct evidence against the keeper.

    Members that no group takes stay and are in none. No image is in two groups, no keeper is a
    member, no undeletable image is one, and no two members of a group are said to be apart.

    Args:
        ids: the images of the pool, in an order that depends on their content only.
        links: the copy verdicts among them.
        verdicts: asked for the evidence; for at most a small multiple of the pool beyond `links`.
    """
    known = KnownVerdicts(ids, links, verdicts)
    remaining = _Remaining(ids, known)
    budget = max(_LEAST_EXTRA_VERDICTS, _EXTRA_VERDICTS * len(ids))
    is_small = len(ids) <= _COMPARED_WITH_ALL
    while len(remaining.ids) > 1:
        eligible = _eligible(remaining, known, constraints, is_small)
        if not eligible:
            return
        choice = judge.choose(eligible, remaining.ids.keys(), known)
        remaining.remove(choice.keeper)
        members: list[Member] = []
        for image_id, verdict, is_extra in _compared(
            choice.keeper, remaining.ids, known, verdicts, constraints, budget, is_small
        ):
            budget -= is_extra
            if verdict.is_copy and verdict.a_covers_b and image_id not in constraints.undeletable:
                members.append(Member.of(image_id, verdict))
        members = _without_contradictions(members, choice.keeper, constraints)
        for member in members:
            remaining.remove(member.image_id)
        if members:
            yield Group(choice.keeper, tuple(members), choice.reasons)


def foreseen_pairs(
    ids: Sequence[int],
    links: Links,
    verdicts: VerdictSource,
    judge: KeeperJudge,
    constraints: Constraints,
) -> Iterator[tuple[int, int]]:
    """The pairs beyond the links whose verdicts the first group of a pool will rest on.

    So that they can be computed side by side with those of other pools before `group_pool` asks for
    them one by one. In large pools it compares few beyond the links, and none are foreseen.

    Args:
        ids, links, verdicts, judge, constraints: as for `group_pool`.
    """
    if len(ids) > _COMPARED_WITH_ALL or len(links) == len(ids) * (len(ids) - 1) // 2:
        # In most pools each is linked with each: no pair is left.
        return
    keeper = likely_keeper(ids, links, verdicts, judge, constraints)
    if keeper is None:
        return
    linked = {*links.high[links.low == keeper].tolist(), *links.low[links.high == keeper].tolist()}
    for other in ids:
        if other != keeper and other not in linked and other not in constraints.undeletable:
            yield keeper, other


def likely_keeper(
    ids: Sequence[int],
    links: Links,
    verdicts: VerdictSource,
    judge: KeeperJudge,
    constraints: Constraints,
) -> int | None:
    """Who becomes the first keeper of a pool if no more is known; None when nobody can.

    Args:
        ids, links, verdicts, judge, constraints: as for `group_pool`.
    """
    known = KnownVerdicts(ids, links, verdicts)
    is_small = len(ids) <= _COMPARED_WITH_ALL
    eligible = _eligible(_Remaining(ids, known), known, constraints, is_small)
    return judge.likeliest(eligible, ids, known) if eligible else None


def _eligible(
    remaining: _Remaining, known: KnownVerdicts, constraints: Constraints, is_small: bool
) -> list[int]:
    """Who may become the next keeper; nobody when no deletion can come of it."""
    ids = remaining.ids
    if all(image_id in constraints.undeletable for image_id in ids):
        return []
    # These stay in any case, so what they cover may as well go.
    favoured = [image_id for image_id in ids if image_id in constraints.favoured]
    if favoured:
        return favoured[:_SHORTLIST]
    if len(ids) > _FOLLOWED:
        most = nlargest(_SHORTLIST, ids, key=remaining.covers.__getitem__)
        return [image_id for image_id in most if remaining.covers[image_id]]
    covered = _reach(ids, known)
    most_covered = max(covered.values())
    if most_covered == 0:
        # Nobody is known to cover another; in a small pool a comparison may still tell.
        return list(ids)[:_SHORTLIST] if is_small else []
    return [image_id for image_id, count in covered.items() if count == most_covered]


def _reach(remaining: Mapping[int, None], known: KnownVerdicts) -> dict[int, int]:
    """How many others each covers, itself or through others it covers.

    Search does not find every pair. An original that nobody compared with a copy of its copy still
    counts for it here; the comparison follows when it has become the keeper.
    """
    place = {image_id: number for number, image_id in enumerate(remaining)}
    reached = [0] * len(place)
    for image_id, number in place.items():
        for other, covers in known.linked[image_id].items():
            if covers and other in place:
                reached[number] |= 1 << place[other]
    for through in range(len(reached)):
        bit, onward = 1 << through, reached[through]
        reached = [row | onward if row & bit else row for row in reached]
    return {
        image_id: (reached[number] & ~(1 << number)).bit_count()
        for image_id, number in place.items()
    }


def _compared(
    keeper: int,
    remaining: Mapping[int, None],
    known: KnownVerdicts,
    verdicts: VerdictSource,
    constraints: Constraints,
    budget: int,
    is_small: bool,
) -> Iterator[tuple[int, Verdict, bool]]:
    """Verdicts of the keeper and others, and whether each is none of the links.

    A small pool is compared as a whole, but for what stays in any case. In a large one copies of
    the keeper lead to others.
    """
    linked = known.linked[keeper]
    stays = constraints.undeletable if is_small else ()
    queue = deque(
        image_id
        for image_id in remaining
        if (is_small or image_id in linked) and image_id not in stays
    )
    seen = set(queue)
    asked = 0
    while queue:
        image_id = queue.popleft()
        is_new = image_id not in linked
        if is_new and asked >= budget:
            continue
        asked += is_new
        verdict = verdicts.verdict(keeper, image_id)
        yield image_id, verdict, is_new
        if verdict.is_copy and not is_small:
            onward = [other for other in known.linked[image_id] if other in remaining]
            queue.extend(other for other in onward if other not in seen)
            seen.update(onward)


def _without_contradictions(
    members: list[Member], keeper: int, constraints: Constraints
) -> list[Member]:
    """Leaves out those that somebody said are not the same as the keeper or as another member.

    If two pictures are not the same, they cannot both be copies of a third: one of the verdicts is
    wrong, and nothing says which. So both stay.
    """
    if not constraints.apart:
        return members
    members = [member for member in members if not constraints.are_apart(keeper, member.image_id)]
    ids = {member.image_id for member in members}
    contradicting = {
        image_id
        for one in ids
        for other in constraints.apart.get(one, ())
        if other in ids
        for image_id in (one, other)
    }
    return [member for member in members if member.image_id not in contradicting]
