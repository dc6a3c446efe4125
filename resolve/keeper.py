"""Chooses which image of a pool stays: the one the others were made from, or the best.

An ordered list of rules. Each looks at those still in the running and sends away whoever is clearly
worse than the best of them; within the rule's slack nobody leaves. What is left of ties is decided
by age, then by name. The rules and their order are `KEEPER_RULES`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resolve.contest import Contest, Scores
from resolve.groups import Choice, KnownVerdicts
from resolve.keeper_candidates import Candidate
from resolve.keeper_rules import KEEPER_RULES, LAST_RULES, NOT_FOR_WHOLE_POOLS
from resolve.preference_rules import preference_rules
from resolve.preferences import Preference
from resolve.rule import Rule
from verify.verdict import Verdict

# Verdicts are read for the pairs of so many; larger pools have more witnesses than are needed.
_LARGEST_CONTEST = 32
# Groups never offer fewer of those that cover equally much.
_ALL_TAKE_PART = 16
_MOST_REASONS = 4


class CandidateSource(Protocol):
    """What is known of an image besides its verdicts."""

    def candidate(self, image_id: int) -> Candidate:
        """The candidate of this id."""


class KeeperRules:
    """The judge of `resolve.groups`: rules in order, reasons in words.

    Args:
        source: gives records and the dates of blobs.
        prefer: what the user prefers, the most important first.
        rules: may be given in another order, or fewer.
    """

    def __init__(
        self,
        source: CandidateSource,
        prefer: Sequence[Preference] = (),
        rules: Sequence[Rule] = KEEPER_RULES,
    ) -> None:
        self._source = source
        self.rules = (*preference_rules(prefer), *rules)

    def best_first(self, ids: Sequence[int]) -> list[int]:
        """These images, the likely keepers first, as far as records and dates tell.

        A contest takes only the first few of many that cover equally much. Were those not the best
        ones, the original of a hundred lesser copies might not take part and go for one of them.
        """
        if len(ids) <= _ALL_TAKE_PART:
            return [*ids]
        contest = Contest([self._source.candidate(n) for n in ids], range(len(ids)), {})
        everyone = range(len(ids))
        columns = [
            _slacks_behind(rule.scores(contest, everyone), rule.slack)
            for rule in self.rules
            if rule.name not in NOT_FOR_WHOLE_POOLS
        ]
        # Stable, and the last key counts first.
        order = np.lexsort(columns[::-1])
        return [ids[place] for place in order]

    def choose(
        self, eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
    ) -> Choice:
        """One of `eligible`, with the reasons it stays for."""
        contest = self._contest(eligible, pool, known)
        winner, deciding = elect(contest, self.rules)
        reasons = explain(contest, winner, deciding, self.rules)
        return Choice(contest.candidates[winner].image_id, reasons)

    def likeliest(
        self, eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
    ) -> int:
        """Who would be chosen; the reasons take longer than the choice."""
        if len(eligible) == 1:
            return eligible[0]
        contest = self._contest(eligible, pool, known)
        return contest.candidates[elect(contest, self.rules)[0]].image_id

    def _contest(
        self, eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
    ) -> Contest:
        ids = [*eligible[:_LARGEST_CONTEST]]
        chosen = set(ids)
        for image_id in _witnesses(eligible, pool, known):
            if len(ids) >= _LARGEST_CONTEST:
                break
            if image_id not in chosen:
                chosen.add(image_id)
                ids.append(image_id)
        verdicts: dict[tuple[int, int], Verdict] = {}
        for place, a in enumerate(ids):
            for other in range(place):
                verdict = known.between(a, ids[other])
                if verdict is not None:
                    verdicts[place, other] = verdict
                    verdicts[other, place] = verdict.reversed()
        candidates = [self._source.candidate(image_id) for image_id in ids]
        return Contest(candidates, range(min(len(eligible), len(ids))), verdicts)


def _slacks_behind(scores: Scores, slack: float) -> NDArray[np.float64]:
    """How many slacks each is behind the best, whole numbers; who is not known is not behind."""
    best = _best(scores)
    if best is None:
        return np.zeros(len(scores))
    behind = np.nan_to_num(best - np.array(scores), nan=0.0)
    return np.asarray(np.floor(behind / slack) if slack else behind)


def _best(scores: Scores) -> float | None:
    """The highest that is known."""
    # NaN is no number, not even itself.
    return max([score for score in scores if score == score], default=None)


def elect(contest: Contest, rules: Sequence[Rule]) -> tuple[int, tuple[Rule, ...]]:
    """The place of the winner, and the rules that sent somebody away."""
    running = [*contest.eligible]
    deciding: list[Rule] = []
    for rule in (*rules, *LAST_RULES):
        if len(running) == 1:
            break
        scores = rule.scores(contest, running)
        best = _best(scores)
        if best is None:
            continue
        # Who could not be measured is not clearly worse.
        least = best - rule.slack
        stays = [n for n, score in zip(running, scores, strict=True) if not score < least]
        if len(stays) < len(running):
            running = stays
            deciding.append(rule)
    return running[0], tuple(deciding)


def explain(
    contest: Contest, winner: int, deciding: Sequence[Rule], rules: Sequence[Rule]
) -> tuple[str, ...]:
    """What sets the winner apart, the most important first; what merely broke ties only if alone.

    A rule is named when the winner is among the best by it and another is clearly worse, whether
    that other was in the running or left out because it covers less.
    """
    everyone = range(len(contest))
    reasons: list[str] = []
    for rule in rules:
        if len(set(reasons)) == _MOST_REASONS:
            break
        scores = rule.scores(contest, everyone)
        if scores.count(scores[winner]) == len(scores):
            # Most rules find no difference at all.
            continue
        best, least = _best(scores), scores[winner] - rule.slack
        if best is None or not scores[winner] >= best - rule.slack:
            continue
        worse = [n for n, score in enumerate(scores) if score < least]
        if worse:
            reasons.append(rule.words(contest, winner, worse))
    if not reasons:
        others = [n for n in contest.eligible if n != winner]
        reasons = [rule.words(contest, winner, others) for rule in deciding if others][:1]
    if not reasons:
        reasons = ["shows all that the others show"]
    return tuple(dict.fromkeys(reasons))


def _witnesses(
    eligible: Sequence[int], pool: Collection[int], known: KnownVerdicts
) -> Iterator[int]:
    if len(pool) <= _LARGEST_CONTEST:
        yield from pool
        return
    for image_id in eligible[:_LARGEST_CONTEST]:
        yield from (other for other in known.linked[image_id] if other in pool)
