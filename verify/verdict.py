"""The answer to the one question of this folder: are these two images copies of one picture?"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from verify.geometry import inverse


class Relation(StrEnum):
    """How two images relate. `DIFFERENT` also stands for "not sure"."""

    EXACT = "exact"
    SAME_PIXELS = "same_pixels"
    REENCODED = "reencoded"
    RESIZED = "resized"
    CROPPED = "cropped"
    ROTATED = "rotated"
    FLIPPED = "flipped"
    ADJUSTED = "adjusted"
    OVERLAID = "overlaid"
    EDITED = "edited"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification says of the images a and b.

    Attributes:
        relation: how they relate; `different` whenever the evidence does not suffice.
        score: 0..1, the calibrated share of verdicts like this one that are right about "copy".
        a_covers_b: all that b shows is in a, so that b may be deleted for a. A crop is covered by
            the full picture, a picture with text on it by the clean one, never the reverse.
        b_covers_a: the same the other way round.
        transform: float64 (3, 3), homography from pixels of a's full (oriented) image to pixels of
            b's; None when there is none.
        measurements: what each step of the cascade measured, by name, for the report and the logs.
            Overlays, borders, tone and frame changes are named `overlay_on_a`, `overlay_on_b`,
            `border_on_a`, `border_on_b`, `softer_a` (by how many pixels of blur a is the
            softer one on the common grid), `softer_b`, `tone_change`, `frame_share_a` (share of
            a's frame seen in b), `frame_share_b`, `quarter_turns` (0..3), `is_mirrored` (0 or 1).
            The tones of a where the two agree (`verify.grading.Tones`) are `brightness_a`,
            `contrast_a`, `red_a`, `blue_a` and `colour_a`, those of b likewise.
        reason: one sentence, in a photographer's words.
    """

    relation: Relation
    score: float
    a_covers_b: bool
    b_covers_a: bool
    transform: NDArray[np.float64] | None = None
    measurements: dict[str, float] = field(default_factory=dict)
    reason: str = ""

    @property
    def is_copy(self) -> bool:
        """True when at least one of the two may stand for the other."""
        return self.relation is not Relation.DIFFERENT

    def reversed(self) -> Verdict:
        """The same verdict with a and b exchanged."""
        swap = {"_a": "_b", "_b": "_a"}
        measurements = {
            name[:-2] + swap[name[-2:]] if name[-2:] in swap else name: value
            for name, value in self.measurements.items()
        }
        if measurements.get("scale", 0.0) > 0.0:
            measurements["scale"] = 1.0 / measurements["scale"]
        if not measurements.get("is_mirrored"):
            # A turn is undone by the opposite one, a mirrored turn by itself.
            if "quarter_turns" in measurements:
                measurements["quarter_turns"] = -measurements["quarter_turns"] % 4.0
            if abs(measurements.get("rotation", 180.0)) < 180.0:
                measurements["rotation"] *= -1.0
        return Verdict(
            relation=self.relation,
            score=self.score,
            a_covers_b=self.b_covers_a,
            b_covers_a=self.a_covers_b,
            transform=None if self.transform is None else inverse(self.transform),
            measurements=measurements,
            reason=self.reason,
        )
