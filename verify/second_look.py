"""Pairs that the cheap stages leave open, aligned in batches by a matcher that a GPU runs.

ORB finds no map between two copies once in a hundred times: heavy crops of smooth pictures, small
ones after coarse compression. A network such as LoFTR (Sun et al. 2021) aligns more of them and
costs a hundred times as much on a processor; on a GPU, many pairs at once, it is affordable for
those that are left. A map is only a proposal here too: the aligned pixels decide as always.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from verify.alignment import Proposal
from verify.cascade import NO_MAP, Verifier
from verify.evidence import VerifyImage
from verify.geometry import F64, inverse, orientation_matrix, oriented, size_of
from verify.glance import Glance, coarse_agreement
from verify.homography import estimate_homography
from verify.matchers.base import BatchMatcher
from verify.verdict import Verdict

# 640×480 pixels take some 0.5 GB of a GPU's memory each in LoFTR.
PAIRS_PER_BATCH = 16
_GOOD_ENOUGH = 0.7
# Upright first, then mirrored, then turned.
_ORIENTATIONS = (0, 4, 1, 2, 3, 5, 6, 7)
# In the measurements of a verdict that was looked at twice.
LOOKED_TWICE = "second_look"

Pair = tuple[VerifyImage, VerifyImage]


def is_open(verdict: Verdict) -> bool:
    """True when nothing was found that brings the two together, and nobody has looked twice."""
    return verdict.reason == NO_MAP and LOOKED_TWICE not in verdict.measurements


class SecondLook:
    """Verdicts on open pairs.

    Args:
        matcher: gives the matches of many pairs at once.
        verifier: judges what a map brings together.
        pairs_per_batch: how many the device takes at once.
    """

    def __init__(
        self, matcher: BatchMatcher, verifier: Verifier, pairs_per_batch: int = PAIRS_PER_BATCH
    ) -> None:
        self._matcher = matcher
        self._verifier = verifier
        self._pairs_per_batch = pairs_per_batch

    def verdicts(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """A verdict for each pair: what a map supports, or that there is none even now."""
        found: list[Verdict | None] = [None] * len(pairs)
        for orientation in _ORIENTATIONS if not self._matcher.is_rotation_invariant else (0, 4):
            left = [place for place, verdict in enumerate(found) if verdict is None]
            for start in range(0, len(left), self._pairs_per_batch):
                places = left[start : start + self._pairs_per_batch]
                answers = self._under([pairs[place] for place in places], orientation)
                for place, answer in zip(places, answers, strict=True):
                    found[place] = answer
        return [self._marked(verdict) for verdict in found]

    def _under(self, pairs: Sequence[Pair], orientation: int) -> list[Verdict | None]:
        """Verdicts by maps to the second images in this orientation; None where there is none."""
        keypoints = [
            (
                self._matcher.detect(a.rgb),
                self._matcher.detect(np.ascontiguousarray(oriented(b.rgb, orientation))),
            )
            for a, b in pairs
        ]
        answers: list[Verdict | None] = []
        for (a, b), matches in zip(pairs, self._matcher.match_batch(keypoints), strict=True):
            alignment = estimate_homography(matches)
            if alignment is None:
                answers.append(None)
                continue
            back = inverse(orientation_matrix(size_of(b.rgb), orientation))
            answers.append(self._judged(a, b, back @ alignment.homography, alignment.inliers))
        return answers

    def _judged(
        self, a: VerifyImage, b: VerifyImage, homography: F64, inliers: int
    ) -> Verdict | None:
        agreement = coarse_agreement(Glance.of(a.rgb), Glance.of(b.rgb), homography)
        if agreement is None or agreement < _GOOD_ENOUGH:
            return None
        return self._verifier.under(
            a, b, Proposal(homography, self._matcher.name, inliers, agreement)
        )

    def _marked(self, verdict: Verdict | None) -> Verdict:
        verdict = verdict or self._verifier.without_a_map()
        return replace(verdict, measurements=verdict.measurements | {LOOKED_TWICE: 1.0})
