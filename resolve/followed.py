"""What candidates differ by, followed from one to the other through the verdicts.

Not each was compared with each. But how two differ follows from how both differ from a third: tones
and scales add up, turns and stretches multiply.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from storage.records import ImageRecord
from verify.geometry import project
from verify.verdict import Relation, Verdict

# Brightness, contrast, red, blue, and the logarithm of colour.
Tone = tuple[float, float, float, float, float]
# A map of directions, row by row; y points down.
Matrix = tuple[float, float, float, float]
Copies = Mapping[int, Mapping[int, Verdict]]
Value = TypeVar("Value")

_MOVED = ("brightness", "contrast", "red", "blue")
_NO_TONE: Tone = (0.0, 0.0, 0.0, 0.0, 0.0)
# A grey level of contrast moves the tones by 0.8 on average; a saturation changed by a half is seen
# as clearly as ten grey levels. Below so much colour, in grey levels, there is none to compare.
_CONTRAST_MOVES, _SATURATION_SEEN = 0.8, 25.0
_LEAST_COLOUR = 1.0
_GREY = 1.2
# The eight orientations: quarter turns, and then the same of the mirrored picture.
_QUARTER: Matrix = (0.0, 1.0, -1.0, 0.0)
_UPRIGHT: Matrix = (1.0, 0.0, 0.0, 1.0)
_MIRROR: Matrix = (-1.0, 0.0, 0.0, 1.0)


def _product(a: Matrix, b: Matrix) -> Matrix:
    return (
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
    )


def _turned(base: Matrix) -> Iterator[Matrix]:
    for _ in range(4):
        yield base
        base = _product(_QUARTER, base)


_ORIENTATIONS = (*_turned(_UPRIGHT), *_turned(_MIRROR))


def tones(copies: Copies) -> list[dict[int, Tone]]:
    """For each set of linked candidates what they have more than one of them."""
    return _followed(copies, _NO_TONE, lambda _, tone, verdict: _moved(tone, verdict))


def scales(copies: Copies) -> list[dict[int, float]]:
    """For each set the logarithm of the pixels that one pixel of one of them takes, as a length."""
    return _followed(copies, 0.0, lambda _, scale, verdict: scale + _scaling(verdict))


def shapes(copies: Copies, records: Sequence[ImageRecord]) -> list[dict[int, Matrix]]:
    """For each set how a circle of one of them is stretched in each, size apart."""
    maps = _followed(
        copies,
        _UPRIGHT,
        lambda n, so_far, verdict: _product(_directions(verdict, records[n]), so_far),
    )
    return [{n: _shape(found) for n, found in part.items()} for part in maps]


def orientations(copies: Copies, records: Sequence[ImageRecord]) -> list[dict[int, int]]:
    """For each set which of the eight orientations each has, one of them being upright."""

    def turned(n: int, orientation: int, verdict: Verdict) -> int:
        step = _ORIENTATIONS[_nearest(_directions(verdict, records[n]))]
        return _nearest(_product(step, _ORIENTATIONS[orientation]))

    return _followed(copies, 0, turned)


def _followed(
    copies: Copies, start: Value, advance: Callable[[int, Value, Verdict], Value]
) -> list[dict[int, Value]]:
    found: list[dict[int, Value]] = []
    known: set[int] = set()
    # From those that most were compared with: the fewer steps, the fewer errors.
    for root in sorted(copies, key=lambda n: (-len(copies[n]), n)):
        if root in known or not copies[root]:
            continue
        values = {root: start}
        queue = deque([root])
        while queue:
            n = queue.popleft()
            for other, verdict in copies[n].items():
                if other not in values:
                    values[other] = advance(n, values[n], verdict)
                    queue.append(other)
        known |= values.keys()
        found.append(values)
    return found


def _moved(tone: Tone, verdict: Verdict) -> Tone:
    """A tone of a, and what b has more than a."""
    found = verdict.measurements
    if verdict.relation in (Relation.EXACT, Relation.SAME_PIXELS) or "colour_a" not in found:
        return tone
    brightness, contrast, red, blue = (
        before + (found[f"{name}_b"] - found[f"{name}_a"])
        for before, name in zip(tone[:-1], _MOVED, strict=True)
    )
    colours = [max(_LEAST_COLOUR, found[f"colour_{side}"]) for side in "ba"]
    return brightness, contrast, red, blue, tone[-1] + math.log(colours[0] / colours[1])


def _scaling(verdict: Verdict) -> float:
    return math.log(max(1e-3, verdict.measurements.get("scale", 1.0)))


def tone_distance(a: Tone, b: Tone, lost_chroma: float) -> float:
    """How far apart the tones of two are, grey levels; so much of lost colour is no difference."""
    brightness, contrast, red, blue, colour = (
        abs(other - one) for one, other in zip(a, b, strict=True)
    )
    # A grey copy says nothing of colour beyond that it has none.
    saturation = max(0.0, min(_GREY, colour) - lost_chroma)
    tone = math.hypot(brightness, _CONTRAST_MOVES * contrast)
    return tone + math.hypot(red, blue) + _SATURATION_SEEN * saturation


def _directions(verdict: Verdict, record: ImageRecord) -> Matrix:
    """Where a step to the right and one down in the middle of a lead to in b."""
    if verdict.transform is None:
        turns = round(verdict.measurements.get("quarter_turns", 0.0)) % 4
        is_mirrored = verdict.measurements.get("is_mirrored", 0.0) > 0.5
        return _ORIENTATIONS[turns + 4 * is_mirrored]
    centre = np.array([record.width / 2, record.height / 2])
    steps = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    (x, y), right, down = project(verdict.transform, centre + steps).tolist()
    return right[0] - x, down[0] - x, right[1] - y, down[1] - y


def _shape(directions: Matrix) -> Matrix:
    a, b, c, d = directions
    stretch = _product((a, c, b, d), directions)
    # Its determinant is the square of that of the directions.
    size = max(1e-9, abs(a * d - b * c))
    return stretch[0] / size, stretch[1] / size, stretch[2] / size, stretch[3] / size


def stretch_between(shape: Matrix, other: Matrix) -> float:
    """The most by which two shapes differ."""
    return max(abs(mine - its) for mine, its in zip(shape, other, strict=True))


def _nearest(directions: Matrix) -> int:
    a, b, c, d = directions
    likeness = [a * e + b * f + c * g + d * h for e, f, g, h in _ORIENTATIONS]
    return likeness.index(max(likeness))
