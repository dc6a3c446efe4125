"""The name of a relation, from the map and the measurements, in a photographer's words."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from storage.records import ImageRecord
from verify.geometry import project
from verify.grading import Tones
from verify.verdict import Relation, Verdict

if TYPE_CHECKING:
    from verify.evidence import Evidence, Frames

_TURNED_DEGREES = 0.7
_RESIZED = 1.02
_CROPPED = 0.975
_TONE = 3.0
_BLURRED = 1.3
_NOISY = 3.5
# Of a spread of colour, grey levels; the share of it up to which another picture is grey.
_COLOUR_SPREAD, _GREY = 6.0, 0.15
_TONES = [f"{tone.name}_{side}" for tone in fields(Tones) for side in "ab"]
_NO_PROFILE = "one of them without its colour profile"


def describe(
    a: ImageRecord, b: ImageRecord, evidence: Evidence, frames: Frames
) -> tuple[Relation, str, dict[str, float]]:
    """Names how b relates to a.

    Args:
        a, b: the records.
        evidence: what the pixels show.
        frames: what each shows of the other's frame.

    Returns:
        The relation, one sentence, and the measurements `quarter_turns`, `is_mirrored` and
        `rotation` (degrees, counter-clockwise, of b against a).
    """
    centre = np.array([a.width / 2, a.height / 2])
    origin, right, down = project(evidence.transform, centre + np.array([[0, 0], [1, 0], [0, 1]]))
    along, across = right - origin, down - origin
    mirrored = bool(along[0] * across[1] - along[1] * across[0] < 0)
    angle = float(np.degrees(np.arctan2(-along[1], along[0])))
    if mirrored:
        # b is the mirrored a, turned: undo the mirror first.
        angle = float(np.degrees(np.arctan2(along[1], -along[0])))
    if round(angle) == -180:
        angle = 180.0
    quarter = round(angle / 90) % 4
    tilt = angle - 90 * round(angle / 90)
    found: list[tuple[Relation, str]] = []
    if mirrored:
        found.append((Relation.FLIPPED, "mirrored"))
    if quarter or abs(tilt) > _TURNED_DEGREES:
        found.append((Relation.ROTATED, f"turned by {angle:.0f}°"))
    seen_a, seen_b = frames.a.seen, frames.b.seen
    border_a, border_b = frames.a.margin, frames.b.margin
    if frames.a.is_pasted or frames.b.is_pasted:
        found.append((Relation.OVERLAID, "one of them on a screen or a page"))
    elif seen_a + border_a < _CROPPED or seen_b + border_b < _CROPPED:
        seen = seen_a if seen_a + border_a < _CROPPED else seen_b
        # Read from either side.
        found.append((Relation.CROPPED, f"one shows {100 * seen:.0f} % of the other's frame"))
    residual = evidence.residual
    grading = residual.grading
    if grading.change > _TONE or not 0.85 <= grading.saturation <= 1.15 or grading.shift > 4:
        found.append((Relation.ADJUSTED, "other brightness or colour"))
    elif abs(residual.blur) >= _BLURRED:
        found.append((Relation.ADJUSTED, "other sharpness"))
    elif residual.noise > _NOISY:
        found.append((Relation.ADJUSTED, "noise or compression"))
    if evidence.changes.changed_share > 0:
        found.append((Relation.OVERLAID, "text or a mark laid over one of them"))
    elif max(border_a, border_b) > 0 and not any(r is Relation.ROTATED for r, _ in found):
        found.append((Relation.OVERLAID, "a border around one of them"))
    extra = {
        "quarter_turns": float(quarter),
        "is_mirrored": float(mirrored),
        "rotation": angle,
    }
    if len(found) > 1:
        return Relation.EDITED, ", ".join(text for _, text in found), extra
    if found:
        return found[0][0], found[0][1], extra
    if max(evidence.scale, 1 / evidence.scale) > _RESIZED:
        return Relation.RESIZED, f"{a.width}×{a.height} and {b.width}×{b.height}", extra
    return Relation.REENCODED, "the same picture, saved again", extra


def named_without_profile(copy: Verdict, shown: Verdict) -> Verdict:
    """The verdict on two copies of which one has lost the profile of its colours, saying so.

    Args:
        copy: by the colours that the files have.
        shown: by those that are seen: which of the two is grey is told by them.
    """
    tones = {name: shown.measurements[name] for name in _TONES if name in shown.measurements}
    measured = copy.measurements | tones
    colour_a, colour_b = measured["colour_a"], measured["colour_b"]
    relation, reason = Relation.ADJUSTED, _NO_PROFILE
    if copy.relation is not Relation.REENCODED:
        reason = f"{copy.reason}, {_NO_PROFILE}"
        relation = copy.relation if copy.relation is Relation.ADJUSTED else Relation.EDITED
    return replace(
        copy,
        relation=relation,
        reason=reason,
        a_covers_b=copy.a_covers_b and not lost_its_colour(colour_a, colour_b),
        b_covers_a=copy.b_covers_a and not lost_its_colour(colour_b, colour_a),
        measurements=measured,
    )


def lost_its_colour(colour: float, other: float) -> bool:
    """True for a picture that is grey beside another with such a spread of its colours."""
    return other > _COLOUR_SPREAD and colour < _GREY * other
