"""Candidate pair to verdict, cheap evidence first.

1. What the records say: same digest; two camera originals taken at different times.
2. A map between the two: equal frames in one of eight orientations, then keypoints.
3. The aligned pixels: do they agree everywhere, and if not, is the rest laid over the picture?
4. What each shows of the other: which may stand for which.

The first map whose pixels agree ends the search; when none does, the verdict is `different`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.records import ImageRecord
from verify.alignment import EQUAL_FRAMES, Aligner, Proposal, refined
from verify.calibration import THRESHOLDS, Strictness, Thresholds
from verify.coverage import FrameShare, frame_share
from verify.geometry import F64, Size, inverse, local_scale, project, scaling_matrix, size_of
from verify.matchers.base import Matcher
from verify.overlay import Changes, find_changes, paper_share
from verify.relation import describe
from verify.residual import Residual, align_pixels, measure_residual
from verify.verdict import Relation, Verdict

U8 = NDArray[np.uint8]

VERIFIER_VERSION = "7"
_COLOUR_SPREAD = 6.0
_GREY = 0.15
_ALIGNED = 0.97
# Above this, print is always legible enough: no row of the table asks for more.
_PRINT_SIDE = 480
# Labels, forms, pages and charts have 0.79 to 0.95 of their pixels near one grey level; a
# photograph of a night sky 0.5.
_PRINT = 0.70


@dataclass(frozen=True, slots=True, eq=False)
class VerifyImage:
    """What verification needs of an image.

    Attributes:
        rgb: the preview, uint8 (h, w, 3).
        record: its record.
    """

    rgb: U8
    record: ImageRecord


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that was measured of an aligned pair."""

    proposal: Proposal
    homography: F64
    residual: Residual
    changes: Changes
    share_a: FrameShare
    share_b: FrameShare
    scale: float
    grid_side: int
    paper: float


class Verifier:
    """Decides whether two images are copies of one picture.

    Args:
        matchers: keypoint matchers, tried in this order.
        strictness: the row of the calibrated table.
    """

    def __init__(
        self, matchers: tuple[Matcher, ...], strictness: Strictness = Strictness.SAFE
    ) -> None:
        self._aligner = Aligner(matchers)
        self._thresholds = THRESHOLDS[strictness]
        names = "+".join(f"{matcher.name}-{matcher.version}" for matcher in matchers)
        self.version = f"{VERIFIER_VERSION}/{strictness.value}/{names}"

    def verify(self, a: VerifyImage, b: VerifyImage) -> Verdict:
        """The verdict on a and b."""
        if a.record.digest == b.record.digest:
            return Verdict(Relation.EXACT, 1.0, True, True, np.eye(3), {}, "the same bytes")
        best: Verdict | None = None
        is_aligned = False
        for proposal in self._aligner.proposals(a.rgb, b.rgb, a.record.digest, b.record.digest):
            for homography in _candidate_maps(a, b, proposal):
                evidence = self.measure(a, b, proposal, homography)
                if evidence is None:
                    continue
                verdict = self.judge(a, b, evidence)
                if verdict.is_copy:
                    return verdict
                # The first map that brings the pixels together explains a "different" best.
                if best is None or evidence.changes.agreement_elsewhere >= _ALIGNED:
                    best = verdict
                is_aligned = evidence.changes.agreement_elsewhere >= _ALIGNED
            if is_aligned:
                # The pixels do meet; another map would only show the same changes again.
                break
        if best is not None:
            return best
        return Verdict(
            Relation.DIFFERENT, 0.0, False, False, None, {}, "no map brings the two together"
        )

    def measure(
        self, a: VerifyImage, b: VerifyImage, proposal: Proposal, homography: F64
    ) -> Evidence | None:
        """Measures everything `judge` looks at, under one map from a's preview to b's."""
        pair = align_pixels(a.rgb, b.rgb, homography)
        if pair is None:
            return None
        grid_side = max(pair.mask.shape)
        residual = measure_residual(pair)
        changes = find_changes(pair, residual)
        return Evidence(
            proposal=proposal,
            homography=homography,
            residual=residual,
            changes=changes,
            share_a=frame_share(a.rgb, size_of(b.rgb), homography),
            share_b=frame_share(b.rgb, size_of(a.rgb), inverse(homography)),
            scale=_full_scale(a, b, homography),
            grid_side=grid_side,
            paper=paper_share(pair, residual) if grid_side < _PRINT_SIDE else 0.0,
        )

    def judge(self, a: VerifyImage, b: VerifyImage, evidence: Evidence) -> Verdict:
        """The verdict that the evidence of one alignment supports."""
        limits = self._thresholds
        measurements = _measurements(evidence)
        doubt = self._doubt(a, b, evidence, limits)
        transform = _full_transform(a, b, evidence.homography)
        if doubt:
            return Verdict(Relation.DIFFERENT, 0.0, False, False, transform, measurements, doubt)
        a_covers_b = _covers(evidence, limits, by_a=True)
        b_covers_a = _covers(evidence, limits, by_a=False)
        if not a_covers_b and not b_covers_a:
            return Verdict(
                Relation.DIFFERENT,
                0.0,
                False,
                False,
                transform,
                measurements,
                "each shows something that the other does not",
            )
        relation, reason, extra = describe(a.record, b.record, transform, evidence)
        measurements |= extra
        return Verdict(
            relation,
            _score(evidence),
            a_covers_b,
            b_covers_a,
            transform,
            measurements,
            reason,
        )

    def _doubt(self, a: VerifyImage, b: VerifyImage, evidence: Evidence, limits: Thresholds) -> str:
        """Why this is no proof of a copy; empty when it is one."""
        residual, changes = evidence.residual, evidence.changes
        taken_a, taken_b = a.record.metadata.taken_at, b.record.metadata.taken_at
        if taken_a and taken_b and taken_a != taken_b:
            return "the two were taken at different times"
        if max(a.record.metadata.frames, b.record.metadata.frames) > 1:
            return "only the first of several frames was compared"
        if not _has_texture(residual, limits):
            return self._doubt_without_texture(evidence, limits)
        if evidence.grid_side < limits.min_print_side and evidence.paper > _PRINT:
            return "too small to tell one print from another"
        if residual.noise > limits.max_noise:
            return "the pictures differ all over"
        if changes.agreement_elsewhere < limits.min_agreement:
            return "the details do not agree"
        if changes.worst_elsewhere < limits.min_worst_window:
            return "a small detail is another one"
        if changes.changed_share <= limits.max_unexplained:
            if residual.disagreeing > limits.max_disagreement:
                return "some details contradict each other"
            return ""
        return _doubt_overlay(changes, limits)

    def _doubt_without_texture(self, evidence: Evidence, limits: Thresholds) -> str:
        same_frame = min(evidence.share_a.seen, evidence.share_b.seen) > 0.985
        residual = evidence.residual
        if (
            same_frame
            and residual.plain_difference <= limits.max_plain_difference
            and residual.noise <= limits.max_plain_noise
            and evidence.changes.changed_share == 0
            and residual.grading.shift <= 2.0
            and 0.9 <= residual.grading.saturation <= 1.1
            and residual.disagreeing <= limits.max_disagreement
        ):
            return ""
        return "too little texture to be sure"


def _has_texture(residual: Residual, limits: Thresholds) -> bool:
    tiles, share = residual.textured_tiles, residual.textured_share
    if tiles >= limits.min_textured_tiles and share >= limits.min_textured_share:
        return True
    return tiles >= limits.min_thumbnail_tiles and share >= limits.min_thumbnail_share


def _candidate_maps(a: VerifyImage, b: VerifyImage, proposal: Proposal) -> Iterator[F64]:
    """The maps to try for a proposal: equal frames need no refinement in most cases."""
    if proposal.method == EQUAL_FRAMES:
        yield proposal.homography
    yield refined(a.rgb, b.rgb, proposal.homography)


def _doubt_overlay(changes: Changes, limits: Thresholds) -> str:
    if (
        changes.two_sidedness > limits.max_two_sidedness
        or changes.contrast_balance > limits.max_contrast_balance
        or changes.opposed > limits.max_opposed
        or changes.worst_place > limits.max_worst_place
        or changes.ink_in_clean > limits.max_ink_in_clean
        or changes.solid_share > limits.max_solid_share
    ):
        return "something changed in the picture"
    paper = changes.paper_a if changes.overlay_is_on_b else changes.paper_b
    if paper > limits.max_paper or changes.paper_around > limits.max_paper_around:
        return "something changed on a page, a screen or a drawing"
    if changes.region_share > limits.max_overlay_share:
        return "too much of the picture changed"
    if (
        changes.changed_share < limits.min_overlay_share
        or changes.extent < limits.min_overlay_extent
    ):
        return "a small detail changed"
    return ""


def _covers(evidence: Evidence, limits: Thresholds, *, by_a: bool) -> bool:
    """True when all that the one shows is in the other (`by_a`: all of b is in a)."""
    changes = evidence.changes
    covered = evidence.share_b if by_a else evidence.share_a
    if covered.lost > 0:
        return False
    covering = evidence.share_a if by_a else evidence.share_b
    if covering.is_pasted:
        # A screenshot or a collage with the picture in it is not where the picture came from.
        return False
    if changes.changed_share > limits.max_unexplained and changes.overlay_is_on_b != by_a:
        return False
    # Pixels of the covered image for one of the covering, and how much softer the latter is.
    finer = evidence.scale if by_a else 1.0 / evidence.scale
    if finer > limits.max_resolution_loss:
        return False
    softer = -evidence.residual.blur if by_a else evidence.residual.blur
    if softer > limits.max_softness:
        return False
    return not _lost_its_colour(evidence, of_a=by_a)


def _lost_its_colour(evidence: Evidence, *, of_a: bool) -> bool:
    colour = evidence.residual.grading
    spread, other = colour.spread_a, colour.spread_b
    if not of_a:
        spread, other = other, spread
    return other > _COLOUR_SPREAD and spread < _GREY * other


def _full_transform(a: VerifyImage, b: VerifyImage, homography: F64) -> F64:
    to_preview = scaling_matrix(Size(a.record.width, a.record.height), size_of(a.rgb))
    to_full = scaling_matrix(size_of(b.rgb), Size(b.record.width, b.record.height))
    full = to_full @ homography @ to_preview
    return np.asarray(full / full[2, 2])


def _full_scale(a: VerifyImage, b: VerifyImage, homography: F64) -> float:
    """Full pixels of b for one full pixel of a, as a length, in the middle of what they share."""
    full = _full_transform(a, b, homography)
    middle_b = np.array([[b.record.width / 2, b.record.height / 2]])
    middle = project(inverse(full), middle_b)[0]
    middle = np.clip(middle, [0, 0], [a.record.width - 1, a.record.height - 1])
    return local_scale(full, (float(middle[0]), float(middle[1])))


def _score(evidence: Evidence) -> float:
    """How sure a verdict of "copy" is, 0..1."""
    agreement = evidence.changes.agreement_elsewhere
    detail = min(1.0, evidence.residual.textured_tiles / 400)
    quiet = 1.0 - min(1.0, evidence.residual.noise / 20.0)
    overlay = 0.03 if evidence.changes.changed_share > 0 else 0.0
    return float(np.clip(0.90 + 0.05 * agreement * quiet + 0.05 * detail - overlay, 0.0, 1.0))


def _measurements(evidence: Evidence) -> dict[str, float]:
    residual, changes = evidence.residual, evidence.changes
    overlaid = changes.region_share
    return {
        "inliers": float(evidence.proposal.inliers),
        "coarse_agreement": evidence.proposal.agreement,
        "agreement": changes.agreement_elsewhere,
        "disagreement": residual.disagreeing,
        "worst_window": changes.worst_elsewhere,
        "textured_tiles": float(residual.textured_tiles),
        "noise": residual.noise,
        "blur": residual.blur,
        "tone_change": residual.grading.change,
        "saturation": residual.grading.saturation,
        "colour_shift": residual.grading.shift,
        "changed_share": changes.changed_share,
        "two_sidedness": changes.two_sidedness,
        "contrast_balance": changes.contrast_balance,
        "opposed": changes.opposed,
        "worst_place": changes.worst_place,
        "ink_in_clean": changes.ink_in_clean,
        "paper": changes.paper_a if changes.overlay_is_on_b else changes.paper_b,
        "paper_around": changes.paper_around,
        "extent": changes.extent,
        "places": float(changes.places),
        "overlay_on_a": 0.0 if changes.overlay_is_on_b else overlaid,
        "overlay_on_b": overlaid if changes.overlay_is_on_b else 0.0,
        "border_on_a": evidence.share_a.margin,
        "border_on_b": evidence.share_b.margin,
        "frame_share_a": evidence.share_a.seen,
        "frame_share_b": evidence.share_b.seen,
        "scale": evidence.scale,
    }
