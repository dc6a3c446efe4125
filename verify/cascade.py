"""Candidate pair to verdict, cheap evidence first.

1. What the records say: same digest; two camera originals taken at different times.
2. A map between the two: equal frames in one of eight orientations, then keypoints.
3. The aligned pixels: do they agree everywhere, and if not, is the rest laid over the picture?
4. What each shows of the other: which may stand for which.

The first map whose pixels agree ends the search; when none does, the verdict is `different`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from storage.colour_profile import as_stored
from storage.records import ImageRecord
from verify.alignment import EQUAL_FRAMES, Aligner, Proposal, refined
from verify.calibration import THRESHOLDS, Strictness, Thresholds
from verify.close_look import look_closely
from verify.costs import PairClock, StageCosts
from verify.coverage import FrameShare
from verify.doubts import (
    BOTH_STAY,
    CLEAN_ONE_STAYS,
    NEITHER_COVERS,
    NO_TEXTURE,
    doubt_at_close_look,
    doubt_in_pixels,
    doubt_in_records,
)
from verify.enlargement import was_enlarged
from verify.evidence import (
    Evidence,
    Frames,
    VerifyImage,
    frame_measurements,
    measure,
    measure_frames,
    measure_imitation,
    measurements,
)
from verify.geometry import F64
from verify.imitation import filtered, likeness, resaved, shaded
from verify.matchers.base import Matcher
from verify.relation import describe, lost_its_colour, named_without_profile
from verify.score import score
from verify.verdict import Relation, Verdict

VERIFIER_VERSION = "58"
NO_MAP = "no map brings the two together"
# Of the frame: rounding, and the margin that is never compared.
_WHOLE = 0.98
# The pixels do meet: another map would only show the same changes again.
_ALIGNED = 0.90
# Noise in grey levels up to which two frames without texture do meet.
_QUIET = 4.0
# What a copy may have left at the close look without being looked at under a finer map.
_WELL_MET = 0.2
# Correlation of two pictures from which on an edit may be all that they differ by: those that were
# blurred, sharpened or shaded have 0.65 and more.
_ALIKE = 0.6
# Longer side of the grid, in pixels, from which on it is tried: a pin on a thumbnail is a speck.
_EDITED_SIDE = 160
# A refinement that moves the picture by less than this, in pixels, changes nothing; one that moves
# it by less than that has shown that the map was the right one.
_MOVED, _NEARLY_MET = 0.4, 1.5
# The same for a copy that has something left at the close look: small print tells less.
_HARDLY_MOVED = 0.1


class Verifier:
    """Decides whether two images are copies of one picture.

    Args:
        matchers: keypoint matchers, tried in this order.
        strictness: the row of the calibrated table.
        second_look: name and version of the matcher that open pairs go to afterwards, if any.

    Attributes:
        version: what a cached verdict depends on.
        costs: pairs and CPU time of the stages: records, frames, keypoints (by matcher), pixels.
    """

    def __init__(
        self,
        matchers: tuple[Matcher, ...],
        strictness: Strictness = Strictness.SAFE,
        second_look: str = "",
    ) -> None:
        self._aligner = Aligner(matchers)
        self._thresholds = THRESHOLDS[strictness]
        self.costs = StageCosts()
        names = "+".join(f"{matcher.name}-{matcher.version}" for matcher in matchers)
        self.version = f"{VERIFIER_VERSION}/{strictness.value}/{names}"
        if second_look:
            self.version += f"/then-{second_look}"

    def verify(self, a: VerifyImage, b: VerifyImage) -> Verdict:
        """The verdict on a and b."""
        with self.costs.pair() as clock:
            return self._verify(a, b, clock)

    def under(self, a: VerifyImage, b: VerifyImage, proposal: Proposal) -> Verdict | None:
        """The verdict under a map that was found elsewhere; None when the two hardly overlap."""
        with self.costs.pair() as clock:
            clock.enter("pixels")
            return self._try(a, b, proposal)[0]

    def without_a_map(self) -> Verdict:
        """The verdict on a pair that nothing brings together."""
        return _different(NO_MAP)

    def _verify(self, a: VerifyImage, b: VerifyImage, clock: PairClock) -> Verdict:
        clock.enter("records")
        if a.record.digest == b.record.digest:
            return Verdict(Relation.EXACT, 1.0, True, True, np.eye(3), {}, "the same bytes")
        doubt = doubt_in_records(a.record, b.record)
        if doubt:
            return _different(doubt)
        best: Verdict | None = None
        clock.enter("frames")
        for proposal in self._aligner.proposals(
            a.rgb, b.rgb, a.record.digest, b.record.digest, clock
        ):
            if proposal.doubt:
                return _different(proposal.doubt)
            clock.enter("pixels")
            verdict, is_settled = self._try(a, b, proposal)
            if verdict is not None and verdict.is_copy:
                return verdict
            # The first map that brings the pixels together explains a "different" best.
            if best is None or is_settled:
                best = verdict
            if is_settled:
                break
        return best or _different(NO_MAP)

    def _try(
        self, a: VerifyImage, b: VerifyImage, proposal: Proposal
    ) -> tuple[Verdict | None, bool]:
        """The verdict under a proposed map, and whether no other map need be tried."""
        verdict, is_settled = self._as_shown(a, b, proposal)
        if verdict is None or verdict.is_copy or verdict.reason in BOTH_STAY:
            return verdict, is_settled
        stored = self._as_stored(a, b, proposal, verdict)
        return (verdict, is_settled) if stored is None else (stored, True)

    def _as_stored(
        self, a: VerifyImage, b: VerifyImage, proposal: Proposal, shown: Verdict
    ) -> Verdict | None:
        """The verdict on two that are copies by the colours that their files have.

        Args:
            shown: the verdict by those that are seen.
        """
        if shown.measurements.get("agreement", 0.0) < _ALIGNED:
            return None
        files = _without_profile(a, b)
        verdict = None if files is None else self._as_shown(*files, proposal)[0]
        if verdict is None or not verdict.is_copy:
            return None
        named = named_without_profile(verdict, shown)
        return named if named.a_covers_b or named.b_covers_a else None

    def _as_shown(
        self, a: VerifyImage, b: VerifyImage, proposal: Proposal
    ) -> tuple[Verdict | None, bool]:
        """The same, the colours taken for what they are."""
        verdict, evidence, is_settled = self._as_they_are(a, b, proposal)
        if verdict is None or evidence is None or verdict.is_copy or verdict.reason in BOTH_STAY:
            return verdict, is_settled
        edited = self._with_one_edited(a, b, evidence)
        return (verdict, is_settled) if edited is None else (edited, True)

    def _with_one_edited(
        self, a: VerifyImage, b: VerifyImage, evidence: Evidence
    ) -> Verdict | None:
        """The verdict of two that are copies once an edit of the one is done to the other."""
        if evidence.grid_side < _EDITED_SIDE or likeness(evidence.residual) < _ALIKE:
            return None
        for imitate in (resaved, shaded, filtered):
            imitation = imitate(evidence.pair, evidence.residual, evidence.saving)
            if imitation is not None:
                evidence = measure_imitation(evidence, imitation)
                verdict = self.judge(a, b, evidence)
                if verdict.is_copy:
                    return verdict
        return None

    def _as_they_are(
        self, a: VerifyImage, b: VerifyImage, proposal: Proposal
    ) -> tuple[Verdict | None, Evidence | None, bool]:
        """The verdict under a map, what it rests on, and whether no other map need be tried."""
        homography = proposal.homography
        best: Verdict | None = None
        before: Evidence | None = None
        noise, least_shift = 0.0, 0.0
        if proposal.method == EQUAL_FRAMES:
            # Equal frames need no refinement in most cases.
            evidence = before = measure(a, b, proposal, homography)
            if evidence is not None:
                best = self.judge(a, b, evidence)
                noise = evidence.residual.noise
                is_blank = best.reason == NO_TEXTURE and noise < _QUIET
                has_met = best.measurements.get("left", 0.0) <= _WELL_MET
                if (best.is_copy and has_met) or is_blank:
                    return best, before, True
                least_shift = _HARDLY_MOVED if best.is_copy else _MOVED
        homography, shift = refined(a.rgb, b.rgb, homography)
        if best is not None and shift < least_shift:
            return best, before, True
        evidence = measure(a, b, proposal, homography)
        if (
            best is not None
            and best.is_copy
            and (evidence is None or evidence.residual.noise > noise)
        ):
            # The pixels meet better as they were.
            return best, before, True
        if evidence is None:
            return best, before, False
        verdict = self.judge(a, b, evidence)
        is_settled = evidence.changes.agreement_elsewhere >= _ALIGNED or shift < _NEARLY_MET
        return verdict, evidence, verdict.is_copy or is_settled

    def judge(self, a: VerifyImage, b: VerifyImage, evidence: Evidence) -> Verdict:
        """The verdict that the evidence of one alignment supports."""
        limits = self._thresholds
        measured = measurements(evidence)
        doubt = doubt_in_pixels(evidence, limits)
        if doubt:
            return _different(doubt, evidence.transform, measured)
        if evidence.changes.changed_share == 0:
            close = look_closely(evidence.residual)
            measured |= {"odd": close.odd, "lost": close.lost, "left": close.left}
            finer = b.rgb if evidence.pair.a_is_reference else a.rgb
            doubt = doubt_at_close_look(close, evidence, finer, limits)
            if doubt:
                return _different(doubt, evidence.transform, measured)
        frames = measure_frames(a, b, evidence.homography)
        measured |= frame_measurements(frames)
        pair = (a.record, b.record, evidence, frames, limits)
        a_covers_b, b_covers_a = _covers(*pair, by_a=True), _covers(*pair, by_a=False)
        if not a_covers_b and not b_covers_a:
            return _different(NEITHER_COVERS, evidence.transform, measured)
        if a_covers_b != b_covers_a:
            covering, covered = (frames.a, frames.b) if a_covers_b else (frames.b, frames.a)
            if covering.margin - covered.margin > limits.max_margin:
                return _different(CLEAN_ONE_STAYS, evidence.transform, measured)
        relation, reason, extra = describe(a.record, b.record, evidence, frames)
        return Verdict(
            relation,
            score(measured, is_copy=True),
            a_covers_b,
            b_covers_a,
            evidence.transform,
            measured | extra,
            reason,
        )


def _different(
    doubt: str, transform: F64 | None = None, measured: dict[str, float] | None = None
) -> Verdict:
    measured = measured or {}
    probability = score(measured, is_copy=False) if measured else 0.0
    return Verdict(Relation.DIFFERENT, probability, False, False, transform, measured, doubt)


def _without_profile(a: VerifyImage, b: VerifyImage) -> tuple[VerifyImage, VerifyImage] | None:
    """The two as their files have them, where one has a profile and the other has none at all.

    Copies have often lost it, and were edited by what knew nothing of it.
    """
    tagged, other = (a, b) if a.profile else (b, a)
    if not tagged.profile or other.record.metadata.has_icc:
        return None
    stored = as_stored(tagged.rgb, tagged.profile)
    if stored is None:
        return None
    plain = replace(tagged, rgb=stored)
    return (plain, b) if tagged is a else (a, plain)


def _covers(a: ImageRecord, b: ImageRecord, evidence: Evidence, frames: Frames,
            limits: Thresholds, *, by_a: bool) -> bool:  # fmt: skip
    """True when all that the one shows is in the other (`by_a`: all of b is in a)."""
    changes = evidence.changes
    covered, covering = (frames.b, frames.a) if by_a else (frames.a, frames.b)
    if covered.lost > 0 and not _is_only_framed(covered, covering, limits):
        return False
    if covering.is_pasted:
        # A screenshot or a collage with the picture in it is not where the picture came from.
        return False
    if changes.changed_share > 0 and changes.overlay_is_on_b != by_a:
        return False
    # Pixels of the covered image for one of the covering, and how much softer the latter is.
    finer = evidence.scale if by_a else 1.0 / evidence.scale
    finest, other = (b, a) if by_a else (a, b)
    if finer > limits.max_resolution_loss and not was_enlarged(finest, other, finer):
        return False
    softer = -evidence.residual.blur if by_a else evidence.residual.blur
    if softer > limits.max_softness:
        return False
    return not _lost_its_colour(evidence, of_a=by_a)


def _is_only_framed(covered: FrameShare, covering: FrameShare, limits: Thresholds) -> bool:
    """True when a screen with hardly anything on it is all that is around the other's picture.

    A page, a collage or a conversation has something of its own to show.
    """
    return (
        covered.is_pasted
        and covering.seen >= _WHOLE
        and covered.seen >= limits.min_pasted_share
        and covered.plain >= limits.min_plain_around
    )


def _lost_its_colour(evidence: Evidence, *, of_a: bool) -> bool:
    grading = evidence.residual.grading
    colour, other = grading.tones_a.colour, grading.tones_b.colour
    return lost_its_colour(colour, other) if of_a else lost_its_colour(other, colour)
