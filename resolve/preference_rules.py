"""What the user prefers, as rules for the keeper. They are asked before all others.

They choose among images that cover equally much: a preferred folder does not make a crop stand for
the whole picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from resolve.blobs import SAME_AGE_SECONDS
from resolve.contest import Contest, Scores
from resolve.keeper_candidates import Candidate
from resolve.preferences import Preference, PreferenceKind, normalised_format
from resolve.rule import Places, Rule

_SAME_SIZE = 0.1


def preference_rules(prefer: Sequence[Preference]) -> tuple[Rule, ...]:
    """What stays in any case, then the rules of `--prefer` in their order."""
    rules = [
        _yes_or_no("reference", lambda candidate: candidate.is_reference, "in the reference index"),
        _yes_or_no("decided", lambda candidate: candidate.is_decided, "you decided to keep it"),
        _yes_or_no("protected", lambda candidate: candidate.is_protected, "in a protected folder"),
    ]
    folders = 0
    for wish in prefer:
        if wish.kind is PreferenceKind.FOLDER:
            rules.append(_in_folder(wish, folders))
            folders += 1
        else:
            rules.append(_MAKERS[wish.kind](wish))
    return tuple(rules)


def _yes_or_no(name: str, holds: Callable[[Candidate], bool], words: str) -> Rule:
    return Rule(
        name,
        lambda contest, places: [float(holds(contest.candidates[n])) for n in places],
        0.5,
        lambda contest, winner, losers: words,
    )


def _in_folder(wish: Preference, number: int) -> Rule:
    return _yes_or_no(
        str(wish),
        lambda candidate: candidate.files.preferred[number],
        f"in {wish.value}, which you prefer",
    )


def _of_format(wish: Preference) -> Rule:
    return _yes_or_no(
        str(wish),
        lambda candidate: normalised_format(candidate.record.format) == wish.value,
        f"{wish.value}, which you prefer",
    )


def _largest(wish: Preference) -> Rule:
    def scores(contest: Contest, places: Places) -> Scores:
        return [math.log(max(1, contest.pixels[n])) for n in places]

    def words(contest: Contest, winner: int, losers: Places) -> str:
        record = contest.records[winner]
        return f"most pixels: {record.width}×{record.height}, as you prefer"

    return Rule(str(wish), scores, _SAME_SIZE, words)


def _smallest(wish: Preference) -> Rule:
    def scores(contest: Contest, places: Places) -> Scores:
        return [-math.log(max(1, contest.records[n].byte_size)) for n in places]

    def words(contest: Contest, winner: int, losers: Places) -> str:
        return f"smallest file: {contest.records[winner].byte_size:,} bytes, as you prefer"

    return Rule(str(wish), scores, 0.0, words)


def _by_age(wish: Preference) -> Rule:
    sign = 1.0 if wish.kind is PreferenceKind.NEWEST else -1.0

    def scores(contest: Contest, places: Places) -> Scores:
        seconds = [contest.candidates[n].files.last_modified for n in places]
        return [sign * at / SAME_AGE_SECONDS for at in seconds]

    return Rule(
        str(wish), scores, 1.0, lambda contest, winner, losers: f"{wish.kind} file, as you prefer"
    )


_MAKERS: dict[PreferenceKind, Callable[[Preference], Rule]] = {
    PreferenceKind.FORMAT: _of_format,
    PreferenceKind.LARGEST: _largest,
    PreferenceKind.SMALLEST: _smallest,
    PreferenceKind.OLDEST: _by_age,
    PreferenceKind.NEWEST: _by_age,
}
