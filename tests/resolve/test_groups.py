"""The law of groups: whatever the verdicts say, what is deleted is covered by what stays."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from resolve.groups import Choice, Constraints, Group, KnownVerdicts, foreseen_pairs, group_pool
from resolve.links import HIGH_COVERS_LOW, LOW_COVERS_HIGH, Links, pools
from tests.resolve.invented import CONTRADICTION, LIMITS, UNRELATED, ToldVerdicts, copy
from verify.verdict import Verdict


class FirstComeJudge:
    """Takes the first of the eligible."""

    def choose(
        self, eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
    ) -> Choice:
        assert set(eligible) <= set(pool)
        return Choice(eligible[0], ("first",))

    def likeliest(
        self, eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
    ) -> int:
        return self.choose(eligible, pool, known).keeper


class CapriciousJudge:
    """Takes any of the eligible."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def choose(
        self, eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
    ) -> Choice:
        return Choice(self._random.choice(list(eligible)), ("chance",))

    def likeliest(
        self, eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
    ) -> int:
        return self.choose(eligible, pool, known).keeper


def _links(pairs: dict[tuple[int, int], int]) -> Links:
    ordered = sorted(pairs)
    return Links(
        np.array([low for low, _ in ordered], np.int64),
        np.array([high for _, high in ordered], np.int64),
        np.array([pairs[pair] for pair in ordered], np.uint8),
    )


def _links_of(told: dict[tuple[int, int], Verdict]) -> Links:
    return _links(
        {
            pair: LOW_COVERS_HIGH * verdict.a_covers_b | HIGH_COVERS_LOW * verdict.b_covers_a
            for pair, verdict in told.items()
        }
    )


def _group(told: dict[tuple[int, int], Verdict], **constraints: object) -> list[Group]:
    links = _links_of({pair: verdict for pair, verdict in told.items() if verdict.is_copy})
    ids = sorted({image_id for pair in told for image_id in pair})
    settled = Constraints(**constraints)  # type: ignore[arg-type]
    return list(group_pool(ids, links, ToldVerdicts(told), FirstComeJudge(), settled))


def _shape(groups: list[Group]) -> dict[int, set[int]]:
    return {group.keeper: {member.image_id for member in group.members} for group in groups}


@st.composite
def _worlds(
    draw: st.DrawFn,
) -> tuple[int, dict[tuple[int, int], Verdict], Links, Constraints, int]:
    """Verdicts of ordered pairs that need not agree with their reverse, nor with the links."""
    count = draw(st.integers(2, 9))
    ids = range(1, count + 1)
    verdicts = st.sampled_from(
        [
            UNRELATED,
            CONTRADICTION,
            copy(),
            copy(b_covers_a=False),
            copy(a_covers_b=False),
            copy(a_covers_b=False, b_covers_a=False),
        ]
    )
    told = {(a, b): draw(verdicts) for a in ids for b in ids if a != b and draw(st.booleans())}
    pairs = {
        (a, b): draw(st.integers(0, 3)) for a in ids for b in ids if a < b and draw(st.booleans())
    }
    some = st.frozensets(st.sampled_from(ids), max_size=count)
    favoured = draw(some)
    apart = {
        a: draw(some) - {a} for a in draw(st.lists(st.sampled_from(ids), max_size=3, unique=True))
    }
    constraints = Constraints(favoured | draw(some), favoured, apart)
    return count, told, _links(pairs), constraints, draw(st.integers(0, 99))


@given(_worlds(), LIMITS)
def test_every_deleted_image_is_covered_by_a_keeper_that_stays(
    world: tuple[int, dict[tuple[int, int], Verdict], Links, Constraints, int],
    limits: dict[str, int],
) -> None:
    count, told, links, constraints, seed = world
    source = ToldVerdicts(told)
    groups: list[Group] = []
    with patch.multiple("resolve.groups", **limits):
        for part in pools(links, count):
            ids = sorted({*part.low.tolist(), *part.high.tolist()})
            groups += group_pool(ids, part, source, CapriciousJudge(seed), constraints)
    keepers = [group.keeper for group in groups]
    deleted = [member.image_id for group in groups for member in group.members]
    assert len(set(keepers)) == len(keepers)
    assert len(set(deleted)) == len(deleted)
    assert not set(keepers) & set(deleted)
    assert not set(deleted) & set(constraints.undeletable)
    for group in groups:
        assert group.members
        for member in group.members:
            direct = source.verdict(group.keeper, member.image_id)
            assert direct.is_copy
            assert direct.a_covers_b
            assert (member.verdict.relation, member.verdict.score) == (
                direct.relation,
                direct.score,
            )
            assert not constraints.are_apart(group.keeper, member.image_id)
            for other in group.members:
                assert not constraints.are_apart(member.image_id, other.image_id)


@given(_worlds())
def test_pools_part_the_links_and_share_no_image(
    world: tuple[int, dict[tuple[int, int], Verdict], Links, Constraints, int],
) -> None:
    count, _, links, _, _ = world
    parts = list(pools(links, count))
    assert sum(map(len, parts)) == len(links)
    seen: set[int] = set()
    for part in parts:
        ids = {*part.low.tolist(), *part.high.tolist()}
        assert not ids & seen
        seen |= ids


def test_a_chain_of_copies_does_not_become_one_group_without_direct_evidence() -> None:
    groups = _group({(1, 2): copy(), (2, 3): copy(), (3, 4): copy(), (4, 5): copy()})
    assert _shape(groups) == {1: {2}, 3: {4}}


def test_a_missing_verdict_between_keeper_and_member_is_asked_for() -> None:
    told = {(1, 2): copy(), (2, 3): copy(), (1, 3): copy(score=0.9)}
    links = _links_of({pair: told[pair] for pair in ((1, 2), (2, 3))})
    source = ToldVerdicts(told)
    (group,) = group_pool([1, 2, 3], links, source, FirstComeJudge(), Constraints())
    assert _shape([group]) == {1: {2, 3}}
    assert group.lowest_score == 0.9
    assert (1, 3) in source.asked


def test_the_image_that_covers_the_others_is_the_keeper() -> None:
    # 3 is the whole picture; 1 and 2 are crops of it, and 2 a crop of 1.
    told = {
        (1, 2): copy(b_covers_a=False),
        (1, 3): copy(a_covers_b=False),
        (2, 3): copy(a_covers_b=False),
    }
    assert _shape(_group(told)) == {3: {1, 2}}


def test_an_image_that_the_keeper_does_not_cover_becomes_the_next_keeper() -> None:
    told = {
        (1, 2): copy(b_covers_a=False),
        (1, 3): copy(b_covers_a=False),
        (4, 5): copy(b_covers_a=False),
        (3, 4): copy(a_covers_b=False, b_covers_a=False),
    }
    assert _shape(_group(told)) == {1: {2, 3}, 4: {5}}


def test_an_original_that_reaches_its_copies_through_others_is_preferred() -> None:
    # Search never proposed 1 with 3 and 4; only 1 shows the whole frame.
    told = {(1, 2): copy(b_covers_a=False), (2, 3): copy(), (2, 4): copy()}
    truth = told | {(1, 3): copy(b_covers_a=False), (1, 4): copy(b_covers_a=False)}
    groups = list(
        group_pool([1, 2, 3, 4], _links_of(told), ToldVerdicts(truth), FirstComeJudge(),
                   Constraints())
    )  # fmt: skip
    assert _shape(groups) == {1: {2, 3, 4}}


def test_what_stays_anyway_and_is_favoured_is_the_keeper() -> None:
    told = {(1, 2): copy(), (1, 3): copy(), (2, 3): copy()}
    groups = _group(told, undeletable={3}, favoured={3})
    assert _shape(groups) == {3: {1, 2}}


def test_two_favoured_copies_both_stay() -> None:
    told = {(1, 2): copy(), (1, 3): copy(), (2, 3): copy()}
    groups = _group(told, undeletable={2, 3}, favoured={2, 3})
    assert _shape(groups) == {2: {1}}


def test_two_pictures_said_to_differ_are_never_both_deleted_for_a_third() -> None:
    told = {(1, 2): copy(), (1, 3): copy(), (1, 4): copy(), (2, 3): copy()}
    groups = _group(told, apart={2: {3}, 3: {2}})
    assert _shape(groups) == {1: {4}}


def test_a_large_pool_costs_a_bounded_number_of_extra_verdicts() -> None:
    count = 3000
    told = {(n, n + 1): copy() for n in range(1, count)}
    source = ToldVerdicts(told)
    groups = list(
        group_pool(range(1, count + 1), _links_of(told), source, FirstComeJudge(), Constraints())
    )
    assert sum(len(group.members) for group in groups) >= count // 3
    assert len(source.asked) <= 12 * count


def test_a_star_of_thousands_is_one_group() -> None:
    told = {(1, n): copy(b_covers_a=False) for n in range(2, 2000)}
    assert _shape(_group(told)) == {1: set(range(2, 2000))}


class RecordingSource(ToldVerdicts):
    """Remembers which pairs were asked for."""

    def __init__(self, told: dict[tuple[int, int], Verdict]) -> None:
        super().__init__(told)
        self.seen: set[tuple[int, int]] = set()

    def verdict(self, a: int, b: int) -> Verdict:
        self.seen.add((min(a, b), max(a, b)))
        return super().verdict(a, b)


def test_what_a_group_asks_for_beyond_the_links_is_foreseen() -> None:
    # A star around 3: the keeper, 1, was compared with 3 only.
    told = {(1, 3): copy(), (2, 3): copy(), (3, 4): copy(), (3, 5): copy(), (1, 2): copy()}
    links = _links_of({pair: told[pair] for pair in ((1, 3), (2, 3), (3, 4), (3, 5))})
    ids, settled = [1, 2, 3, 4, 5], Constraints(undeletable={5})
    foreseen = set(foreseen_pairs(ids, links, ToldVerdicts(told), FirstComeJudge(), settled))
    assert foreseen == {(1, 2), (1, 4)}
    source = RecordingSource(told)
    first = next(group_pool(ids, links, source, FirstComeJudge(), settled))
    assert first.keeper == 1
    assert source.seen == {(1, 3), *foreseen}


def test_nothing_is_foreseen_where_all_stay() -> None:
    told = {(1, 2): copy(), (2, 3): copy()}
    settled = Constraints(undeletable={1, 2, 3})
    source = ToldVerdicts(told)
    assert not list(foreseen_pairs([1, 2, 3], _links_of(told), source, FirstComeJudge(), settled))


def test_of_a_pair_that_is_linked_twice_the_first_link_stays() -> None:
    links = Links(
        np.array([3, 1, 3, 2], np.int64),
        np.array([4, 2, 4, 5], np.int64),
        np.array([1, 2, 3, 0], np.uint8),
    )
    found = links.once()
    assert (found.low.tolist(), found.high.tolist()) == ([3, 1, 2], [4, 2, 5])
    assert found.covering.tolist() == [1, 2, 0]
    assert found.once() is found
