"""The images a keeper is chosen from, and what the verdicts among them say of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.records import ImageRecord
from verify.enlargement import was_enlarged
from verify.geometry import project
from verify.verdict import Relation, Verdict

F64 = NDArray[np.float64]

# Grey levels that re-encoding alone moves tones by.
_SAME_TONE = 4.0
# What saving takes of the colour, as a logarithm of saturation: again as before, and with halved
# colour resolution, which averages away what is colourful from pixel to pixel.
_RESAVED, _SUBSAMPLED = 0.05, 0.25
_MOVED = ("brightness", "contrast", "red", "blue")
_TONES = len(_MOVED) + 1
# A grey level of contrast moves the tones by 0.8 on average; a saturation changed by a half is seen
# as clearly as ten grey levels. Below so much colour, in grey levels, there is none to compare.
_CONTRAST_MOVES, _SATURATION_SEEN = 0.8, 25.0
_LEAST_COLOUR = 1.0
_SAME_SCALE = 0.05
# Of the squared stretch: some 2 % of the side.
_SAME_SHAPE = 0.04
_GREY = 1.2
# Pixels of blur that are no difference in sharpness.
_NO_SOFTER = 0.6
_LOSSLESS = frozenset(("PNG", "BMP", "TIFF"))
# JPEG of higher quality hardly changes what is measured of a picture.
_LOSSY = 96.0
_TWIN = 1e-3
# In grey levels; all pictures without any noise measure the same.
_LEAST_MEASURED = 0.3
_MIRROR = np.diag([-1.0, 1.0])
_QUARTER = np.array([[0.0, 1.0], [-1.0, 0.0]])
# The eight orientations as maps of directions; y points down.
_ORIENTATIONS = np.stack(
    [
        np.linalg.matrix_power(_QUARTER, turns) @ base
        for base in (np.eye(2), _MIRROR)
        for turns in range(4)
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An image that may become the keeper, or that witnesses what the others are.

    Attributes:
        image_id: of the catalog.
        record: of the image.
        uri: of the blob that would stay.
        last_modified: of its oldest blob, seconds since the epoch.
        preferred: for each rule of `--prefer` about folders, whether a blob lies under it.
        is_protected, is_decided: under a protected prefix; somebody decided to keep it.
        is_reference: in the reference index.
    """

    image_id: int
    record: ImageRecord
    uri: str
    last_modified: float
    preferred: tuple[bool, ...] = ()
    is_protected: bool = False
    is_decided: bool = False
    is_reference: bool = False


class Contest:
    """Candidates and the verdicts among them.

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
        self.copies: dict[int, dict[int, Verdict]] = {n: {} for n in range(len(candidates))}
        for (a, b), verdict in verdicts.items():
            if verdict.is_copy:
                self.copies[a][b] = verdict

    def __len__(self) -> int:
        return len(self.candidates)

    def quality(self, name: str) -> F64:
        """One measure of `Quality` for each candidate."""
        return np.array([float(getattr(record.quality, name)) for record in self.records])

    def added(self) -> F64:
        """For each candidate the share of its pixels that is a margin or a mark put on it, or 0.

        The most that any verdict says. Margins of the two are set against each other: where a
        turned copy lost a corner of sky, that corner looks like a margin of the other.
        """
        return np.array(
            [
                max((_added(verdict) for verdict in self.copies[n].values()), default=0.0)
                for n in range(len(self))
            ]
        )

    def worst_measured(self, name: str) -> F64:
        """For each candidate the largest of this measurement over its verdicts, or 0.

        The name is the one that a verdict has when the candidate is its a.
        """
        return np.array(
            [
                max((v.measurements.get(name, 0.0) for v in self.copies[n].values()), default=0.0)
                for n in range(len(self))
            ]
        )

    def missing_share(self) -> F64:
        """For each candidate the share of the picture that another shows and it does not.

        Empty margins do not count. What it shows and the other does not is set against it, for a
        turned copy loses corners and gains none.
        """
        missing = np.zeros(len(self))
        for n, verdicts in self.copies.items():
            for verdict in verdicts.values():
                lost = _outside(verdict, "b")
                gained = _outside(verdict, "a")
                missing[n] = max(missing[n], lost - gained)
        return missing

    def tone_distance(self) -> F64:
        """For each candidate the difference in tone and colour to the others, mean logarithm.

        The largest of three or more does not count: one pair measured wrongly must not decide.
        NaN where fewer than two others are linked with it: two pictures differ equally from
        each other. Copies edited independently all lie near the original they were made from, so
        the smallest is likely the original (the medoid).

        What two differ by is followed through the verdicts: not each was compared with each.
        """
        distances = np.full(len(self), np.nan)
        for tones in self._tones():
            if len(tones) < 3:
                continue
            for n in tones:
                found = sorted(
                    _tone_distance(tones[n], tones[other], self._lost_chroma(n, other))
                    for other in tones
                    if other != n
                )
                counted = np.array(found[:-1] if len(found) >= 3 else found)
                # Logarithms: to be equal to one of them says more than to be far from another.
                distances[n] = np.log(_SAME_TONE + counted).mean()
        return distances

    def _tones(self) -> list[dict[int, F64]]:
        """For each set of linked candidates what they differ by from one of them, see `_step`."""
        return self._followed(_step, np.zeros(_TONES))

    def _followed(self, step: Callable[[Verdict], F64], start: F64) -> list[dict[int, F64]]:
        """For each set of linked candidates the sum of steps from one of them to each."""
        found: list[dict[int, F64]] = []
        known: set[int] = set()
        # From those that most were compared with: the fewer steps, the fewer errors.
        for root in sorted(self.copies, key=lambda n: (-len(self.copies[n]), n)):
            if root in known:
                continue
            sums = {root: start}
            queue = deque([root])
            while queue:
                n = queue.popleft()
                for other, verdict in self.copies[n].items():
                    if other not in sums:
                        sums[other] = sums[n] + step(verdict)
                        queue.append(other)
            known |= sums.keys()
            found.append(sums)
        return found

    def made_from(self) -> dict[int, list[int]]:
        """For candidates that were enlarged, those they may have been made from."""
        found: dict[int, list[int]] = {}
        for scales in self._followed(_scaling, np.zeros(1)):
            for n, scale in scales.items():
                sources = [
                    other
                    for other, smaller in scales.items()
                    if was_enlarged(
                        self.records[n], self.records[other], float(np.exp(scale - smaller)[0])
                    )
                ]
                if sources:
                    found[n] = sources
        return found

    def at_its_scale(self) -> NDArray[np.int64]:
        """For each candidate how many show things as large as it does, itself included, int64 (n,).

        A crop does, a thumbnail does not.
        """
        counts = np.ones(len(self), dtype=np.int64)
        for scales in self._followed(_scaling, np.zeros(1)):
            for n, scale in scales.items():
                counts[n] = sum(
                    bool(abs(scale - other)[0] < _SAME_SCALE) for other in scales.values()
                )
        return counts

    def same_proportions(self) -> F64:
        """For each candidate how many have its proportions, itself included; NaN without a map.

        A picture that was made wider is alone with that; crops and turned copies are not.
        """
        counts = np.full(len(self), np.nan)
        known: set[int] = set()
        for root in sorted(self.copies, key=lambda n: (-len(self.copies[n]), n)):
            if root in known or not self.copies[root]:
                continue
            maps = {root: np.eye(2)}
            queue = deque([root])
            while queue:
                n = queue.popleft()
                for other, verdict in self.copies[n].items():
                    if other not in maps:
                        maps[other] = _directions(verdict, self.records[n]) @ maps[n]
                        queue.append(other)
            known |= maps.keys()
            # How a circle of the first is stretched in each, whichever way round that is.
            shapes = {n: _shape(found) for n, found in maps.items()}
            for n, shape in shapes.items():
                counts[n] = sum(
                    bool(np.abs(shape - other).max() < _SAME_SHAPE) for other in shapes.values()
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

    def lossless_twins(self) -> NDArray[np.bool_]:
        """True for (a, b) where b is saved without loss and has the pixels of a, saved with loss.

        Turned or not: what is measured of them is the same to the last digit. Saving the other way
        round, from b to a, would have changed it.
        """
        noise, sharpness = self.quality("noise"), self.quality("sharpness")
        quality = self.quality("jpeg_quality")
        is_lossless = np.array([record.format in _LOSSLESS for record in self.records])
        pixels = np.array([record.width * record.height for record in self.records])
        with_loss = (quality > 0) & (quality <= _LOSSY) & (noise > _LEAST_MEASURED)
        return np.asarray(
            with_loss[:, None]
            & is_lossless
            & (pixels[:, None] == pixels)
            & np.isclose(noise[:, None], noise, rtol=_TWIN, atol=0.0)
            & np.isclose(sharpness[:, None], sharpness, rtol=_TWIN, atol=0.0)
        )

    def same_orientation(self) -> F64:
        """For each candidate how many have its orientation, itself included.

        Orientations are followed from image to image through the verdicts; NaN for candidates
        that no verdict leads to from the first.
        """
        labels: dict[int, int] = {}
        counts = np.full(len(self), np.nan)
        for start in range(len(self)):
            if start in labels or not self.copies[start]:
                continue
            found = self._follow(start)
            labels |= found
            for n, label in found.items():
                counts[n] = sum(other == label for other in found.values())
        return counts

    def _follow(self, start: int) -> dict[int, int]:
        labels = {start: 0}
        queue = [start]
        while queue:
            n = queue.pop()
            for other, verdict in self.copies[n].items():
                if other not in labels:
                    step = _ORIENTATIONS[_orientation(verdict, self.records[n])]
                    labels[other] = _nearest(step @ _ORIENTATIONS[labels[n]])
                    queue.append(other)
        return labels


def _added(verdict: Verdict) -> float:
    found = verdict.measurements
    margin = found.get("border_on_a", 0.0) - found.get("border_on_b", 0.0)
    return found.get("overlay_on_a", 0.0) + max(0.0, margin)


def _outside(verdict: Verdict, side: str) -> float:
    """The share of one side's frame that the other does not show, empty margins apart."""
    seen = verdict.measurements.get(f"frame_share_{side}", 1.0)
    margin = verdict.measurements.get(f"border_on_{side}", 0.0)
    return max(0.0, 1.0 - seen - margin)


def _step(verdict: Verdict) -> F64:
    """What b has more than a: brightness, contrast, red, blue, log of colour; float64 (5,)."""
    found = verdict.measurements
    if verdict.relation in (Relation.EXACT, Relation.SAME_PIXELS) or "colour_a" not in found:
        return np.zeros(_TONES)
    moved = [found[f"{name}_b"] - found[f"{name}_a"] for name in _MOVED]
    colours = [max(_LEAST_COLOUR, found[f"colour_{side}"]) for side in "ba"]
    return np.array([*moved, np.log(colours[0] / colours[1])])


def _scaling(verdict: Verdict) -> F64:
    """Logarithm of the pixels of b for one of a, as a length; float64 (1,)."""
    return np.log([max(1e-3, verdict.measurements.get("scale", 1.0))])


def _tone_distance(a: F64, b: F64, lost_chroma: float) -> float:
    brightness, contrast, red, blue, colour = np.abs(b - a)
    # A grey copy says nothing of colour beyond that it has none.
    saturation = max(0.0, min(_GREY, colour) - lost_chroma)
    tone = np.hypot(brightness, _CONTRAST_MOVES * contrast)
    return float(tone + np.hypot(red, blue) + _SATURATION_SEEN * saturation)


def _orientation(verdict: Verdict, record: ImageRecord) -> int:
    """Which of the eight orientations b is of a."""
    return _nearest(_directions(verdict, record))


def _directions(verdict: Verdict, record: ImageRecord) -> F64:
    """Where a step to the right and one down in the middle of a lead to in b, float64 (2, 2)."""
    if verdict.transform is None:
        turns = round(verdict.measurements.get("quarter_turns", 0.0)) % 4
        is_mirrored = verdict.measurements.get("is_mirrored", 0.0) > 0.5
        return np.asarray(_ORIENTATIONS[turns + 4 * is_mirrored], dtype=np.float64)
    centre = np.array([record.width / 2, record.height / 2])
    steps = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    origin, right, down = project(verdict.transform, centre + steps)
    return np.stack([right - origin, down - origin], axis=1)


def _shape(directions: F64) -> F64:
    stretch = directions.T @ directions
    return np.asarray(stretch / max(1e-9, float(np.sqrt(abs(np.linalg.det(stretch))))))


def _nearest(directions: F64) -> int:
    return int(np.argmax(np.einsum("kij,ij->k", _ORIENTATIONS, directions)))
