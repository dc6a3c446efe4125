"""The images a keeper is chosen from, and what the verdicts among them say of each.

What is found of them is in plain lists: most contests are of two to five, and with so few each call
of numpy takes longer than all the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from statistics import fmean

from resolve import followed
from resolve.keeper_candidates import Candidate
from verify.enlargement import was_enlarged
from verify.verdict import Verdict

# One for each of some candidates, higher is better; NaN is unknown.
Scores = list[float]

# Grey levels that re-encoding alone moves tones by.
_SAME_TONE = 4.0
# What saving takes of the colour, as a logarithm of saturation: again as before, and with halved
# colour resolution, which averages away what is colourful from pixel to pixel.
_RESAVED, _SUBSAMPLED = 0.05, 0.25
_SAME_SCALE = 0.05
# Of the squared stretch: some 2 % of the side.
_SAME_SHAPE = 0.04
# Pixels of blur that are no difference in sharpness.
_NO_SOFTER = 0.6
_LOSSLESS = frozenset(("PNG", "BMP", "TIFF"))
# JPEG of higher quality hardly changes what is measured of a picture.
_LOSSY = 96.0
_TWIN = 1e-3
# In grey levels; all pictures without any noise measure the same.
_LEAST_MEASURED = 0.3


class Contest:
    """Candidates and the verdicts among them; what is found of them is computed once.

    Args:
        candidates: all members of the pool, or of a large one those that matter most.
        eligible: places of those that may win; they cover the most.
        verdicts: by the places of two candidates (a, b); where one is missing nobody compared them.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        eligible: Sequence[int],
        verdicts: Mapping[tuple[int, int], Verdict],
    ) -> None:
        self.candidates = tuple(candidates)
        self.eligible = tuple(eligible)
        self.records = tuple(candidate.record for candidate in candidates)
        self._quality: dict[str, Scores] = {}
        self._of_rules: dict[str, Scores] = {}
        self.copies: dict[int, dict[int, Verdict]] = {n: {} for n in range(len(candidates))}
        for (a, b), verdict in verdicts.items():
            if verdict.is_copy:
                self.copies[a][b] = verdict

    def __len__(self) -> int:
        return len(self.candidates)

    @cached_property
    def pixels(self) -> list[int]:
        """How many each candidate has."""
        return [record.width * record.height for record in self.records]

    def quality(self, name: str) -> Scores:
        """One measure of `Quality` for each candidate."""
        if name not in self._quality:
            self._quality[name] = [float(getattr(record.quality, name)) for record in self.records]
        return self._quality[name]

    def once(self, name: str, compute: Callable[[Contest], Scores]) -> Scores:
        """What a rule computes of the candidates, computed when it is first asked for.

        Args:
            name: of the rule.
            compute: gives a score for each candidate.
        """
        if name not in self._of_rules:
            self._of_rules[name] = compute(self)
        return self._of_rules[name]

    @cached_property
    def added(self) -> Scores:
        """For each candidate the share of its pixels that is a margin or a mark put on it, or 0.

        The most that any verdict says. Margins of the two are set against each other: where a
        turned copy lost a corner of sky, that corner looks like a margin of the other.
        """
        return [
            max((_added(verdict) for verdict in self.copies[n].values()), default=0.0)
            for n in range(len(self))
        ]

    def worst_measured(self, name: str) -> Scores:
        """For each candidate the largest of this measurement over its verdicts, or 0.

        The name is the one that a verdict has when the candidate is its a.
        """
        return [
            max((v.measurements.get(name, 0.0) for v in self.copies[n].values()), default=0.0)
            for n in range(len(self))
        ]

    @cached_property
    def missing_share(self) -> Scores:
        """For each candidate the share of the picture that another shows and it does not.

        Empty margins do not count. What it shows and the other does not is set against it, for a
        turned copy loses corners and gains none.
        """
        missing = [0.0] * len(self)
        for n, verdicts in self.copies.items():
            for verdict in verdicts.values():
                lost = _outside(verdict, "b")
                gained = _outside(verdict, "a")
                missing[n] = max(missing[n], lost - gained)
        return missing

    @cached_property
    def tone_distance(self) -> Scores:
        """For each candidate the difference in tone and colour to the others, mean logarithm.

        The largest of three or more does not count: one pair measured wrongly must not decide.
        NaN where fewer than two others are linked with it: two pictures differ equally from
        each other. Copies edited independently all lie near the original they were made from, so
        the smallest is likely the original (the medoid).

        What two differ by is followed through the verdicts: not each was compared with each.
        """
        distances = [math.nan] * len(self)
        for tones in followed.tones(self.copies):
            if len(tones) < 3:
                continue
            for n in tones:
                found = sorted(
                    followed.tone_distance(tones[n], tones[other], self._lost_chroma(n, other))
                    for other in tones
                    if other != n
                )
                counted = found[:-1] if len(found) >= 3 else found
                # Logarithms: to be equal to one of them says more than to be far from another.
                distances[n] = fmean(math.log(_SAME_TONE + distance) for distance in counted)
        return distances

    @cached_property
    def _scales(self) -> list[dict[int, float]]:
        return followed.scales(self.copies)

    @cached_property
    def made_from(self) -> dict[int, dict[int, float]]:
        """For candidates that were enlarged, those they may have been made from, each with the
        factor, as a length."""
        found: dict[int, dict[int, float]] = {}
        for scales in self._scales:
            for n, scale in scales.items():
                factors = {m: math.exp(scale - smaller) for m, smaller in scales.items()}
                sources = {
                    m: factor
                    for m, factor in factors.items()
                    if was_enlarged(self.records[n], self.records[m], factor)
                }
                if sources:
                    found[n] = sources
        return found

    @cached_property
    def at_its_scale(self) -> list[int]:
        """For each candidate how many show things as large as it does, itself included.

        A crop does, a thumbnail does not.
        """
        counts = [1] * len(self)
        for scales in self._scales:
            for n, scale in scales.items():
                counts[n] = sum(abs(scale - other) < _SAME_SCALE for other in scales.values())
        return counts

    @cached_property
    def same_proportions(self) -> Scores:
        """For each candidate how many have its proportions, itself included; NaN without a map.

        A picture that was made wider is alone with that; crops and turned copies are not.
        """
        counts = [math.nan] * len(self)
        for shapes in followed.shapes(self.copies, self.records):
            for n, shape in shapes.items():
                counts[n] = sum(
                    followed.stretch_between(shape, other) < _SAME_SHAPE
                    for other in shapes.values()
                )
        return counts

    def _lost_chroma(self, a: int, b: int) -> float:
        """How much of the colour halved colour resolution may have taken, as a logarithm."""
        one, other = (self.records[n].quality.chroma_subsampling for n in (a, b))
        return _RESAVED if one == other else _SUBSAMPLED

    def is_no_softer(self, place: int) -> list[int]:
        """The candidates whose detail this one shows too, where the two are compared.

        Measured on the pixels of the two, on the grid of the coarser one.
        """
        return [
            other
            for other, verdict in self.copies[place].items()
            if verdict.transform is not None
            and verdict.measurements.get("softer_a", 0.0) <= _NO_SOFTER
        ]

    @cached_property
    def lossless_twins(self) -> list[list[int]]:
        """For each candidate saved with loss those saved without that have its pixels.

        Turned or not: what is measured of them is the same to the last digit. Saving the other way
        round, from one of these to it, would have changed it.
        """
        noise, sharpness = self.quality("noise"), self.quality("sharpness")
        quality, pixels = self.quality("jpeg_quality"), self.pixels
        lossless = [n for n, record in enumerate(self.records) if record.format in _LOSSLESS]
        return [
            [
                n
                for n in lossless
                if 0 < quality[own] <= _LOSSY
                and noise[own] > _LEAST_MEASURED
                and pixels[own] == pixels[n]
                and abs(noise[own] - noise[n]) <= _TWIN * abs(noise[n])
                and abs(sharpness[own] - sharpness[n]) <= _TWIN * abs(sharpness[n])
            ]
            for own in range(len(self))
        ]

    @cached_property
    def same_orientation(self) -> Scores:
        """For each candidate how many have its orientation, itself included.

        Orientations are followed from image to image through the verdicts; NaN for candidates
        that no verdict leads to from the first.
        """
        counts = [math.nan] * len(self)
        for orientations in followed.orientations(self.copies, self.records):
            for n, orientation in orientations.items():
                counts[n] = sum(other == orientation for other in orientations.values())
        return counts


def _added(verdict: Verdict) -> float:
    found = verdict.measurements
    margin = found.get("border_on_a", 0.0) - found.get("border_on_b", 0.0)
    return found.get("overlay_on_a", 0.0) + max(0.0, margin)


def _outside(verdict: Verdict, side: str) -> float:
    """The share of one side's frame that the other does not show, empty margins apart."""
    seen = verdict.measurements.get(f"frame_share_{side}", 1.0)
    margin = verdict.measurements.get(f"border_on_{side}", 0.0)
    return max(0.0, 1.0 - seen - margin)
