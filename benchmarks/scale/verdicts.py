"""Verdicts of somebody who knows what was planted: pixels are not the subject here."""

from __future__ import annotations

from benchmarks.scale.world import Kind, World
from verify.verdict import Relation, Verdict

_APART = Verdict(Relation.DIFFERENT, 0.0, False, False, reason="planted apart")
_BLANK = Verdict(Relation.SAME_PIXELS, 0.99, True, True, reason="planted: a blank frame")
# By whether the first covers the second; one of the two covers the other.
_COPIES = tuple(
    Verdict(Relation.RESIZED, 0.99, covers, not covers, reason="planted: a copy")
    for covers in (False, True)
)


class PlantedVerdicts:
    """A `resolve.groups.VerdictSource`; image number n has the id n + 1.

    Attributes:
        asked: how many verdicts were asked for.
    """

    def __init__(self, world: World) -> None:
        self._family = world.family.tolist()
        self._kind = world.kind.tolist()
        self.asked = 0

    def verdict(self, a: int, b: int) -> Verdict:
        """Images of one family are copies; the original shows all, a copy what later ones show."""
        self.asked += 1
        family = self._family[a - 1]
        if family < 0 or family != self._family[b - 1]:
            return _APART
        kind, other = self._kind[a - 1], self._kind[b - 1]
        if kind == Kind.BLANK:
            return _BLANK
        covers = kind == Kind.ORIGINAL or (other != Kind.ORIGINAL and a < b)
        return _COPIES[covers]
