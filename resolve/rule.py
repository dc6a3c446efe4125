"""What a rule for choosing a keeper is, and words its reasons are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resolve.contest import Contest, Scores

Places = Sequence[int]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to compare candidates by.

    Attributes:
        name: for logs and for reordering.
        scores: of the candidates at these places. It may look at the whole contest, but ranks
            these.
        slack: a candidate this much below the best is still as good.
        words: why the winner at that place beat the losers, in a photographer's words.
    """

    name: str
    scores: Callable[[Contest, Places], Scores]
    slack: float
    words: Callable[[Contest, int, Places], str]


def printable(text: str) -> str:
    """What a file says of itself, without control characters and not too long."""
    return "".join(letter for letter in text if letter.isprintable())[:80]


def others(contest: Contest, losers: Places) -> str:
    if len(contest) == 2:
        return "the other"
    if len(losers) == 1:
        return "one of the others"
    return "the others" if len(losers) == len(contest) - 1 else f"{len(losers)} of the others"


def size_words(contest: Contest, place: int) -> str:
    return f"{contest.records[place].width}×{contest.records[place].height}"


def sizes_words(contest: Contest, losers: Places) -> str:
    ordered = sorted(losers, key=contest.pixels.__getitem__)
    low, high = size_words(contest, ordered[0]), size_words(contest, ordered[-1])
    return low if low == high else f"{low} to {high}"


def span(values: list[int], unit: str) -> str:
    low, high = min(values), max(values)
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def formats(contest: Contest, losers: Places) -> str:
    return ", ".join(dict.fromkeys(contest.records[n].format for n in losers))
