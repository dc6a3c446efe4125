"""Finds the map between two pictures: cheap guesses first, keypoints for what they leave open."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.costs import PairClock
from verify.geometry import (
    F64,
    ORIENTATION_COUNT,
    Size,
    inverse,
    orientation_matrix,
    oriented,
    scaling_matrix,
    size_of,
)
from verify.glance import Glance, coarse_agreement, compare, doubt_at_a_glance
from verify.homography import estimate_homography
from verify.matchers.base import Keypoints, Matcher, MirrorsCheaply
from verify.photometry import luminance
from verify.refine import contrast_normalised, refine_homography

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

EQUAL_FRAMES = "frame"
_DIRECT_CORRELATION = 0.70
_SAME_AT_A_GLANCE, _VEILED = 0.90, 0.33
_BLANK = 3.0
_SAME_ASPECT = 0.02
_MIRROR = 4
_KEYPOINT_CACHE = 512
_GLANCE_CACHE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A map that may bring the pixels of two images together.

    Attributes:
        homography: pixels of a to pixels of b, float64 (3, 3).
        method: "frame" for equal frames up to orientation and size, or a matcher's name.
        inliers: correspondences behind it; 0 for "frame".
        agreement: share of textured windows that agree on small copies.
        doubt: what the small copies say so clearly against a copy that nothing else need be looked
            at; mostly empty.
    """

    homography: F64
    method: str
    inliers: int
    agreement: float
    doubt: str = ""


class Aligner:
    """Proposes maps between two images, most likely and cheapest first.

    Args:
        matchers: tried in this order.
        good_enough: a proposal of matching frames is made only above this coarse agreement.
    """

    def __init__(self, matchers: tuple[Matcher, ...], good_enough: float = 0.7) -> None:
        self._matchers = matchers
        self._good_enough = good_enough
        self._keypoints: OrderedDict[tuple[str, bytes, int], Keypoints] = OrderedDict()
        self._glances: OrderedDict[bytes, Glance] = OrderedDict()

    def proposals(
        self, a: U8, b: U8, key_a: bytes, key_b: bytes, clock: PairClock | None = None
    ) -> Iterator[Proposal]:
        """Maps from a to b that look right on small copies.

        Args:
            a, b: uint8 RGB (h, w, 3).
            key_a, key_b: content digests, under which keypoints are remembered.
            clock: charged with the stages it enters, one for each matcher.
        """
        small_a, small_b = self._glance(a, key_a), self._glance(b, key_b)
        for homography, correlation in equal_frame_maps(small_a, small_b):
            found = compare(small_a, small_b, homography)
            if found is None:
                continue
            agreement = found.agreement
            doubt = doubt_at_a_glance(small_a, small_b, correlation, found)
            if agreement is None or doubt:
                # Blank frames: keypoints have nothing to hold on to there, the pixels decide.
                yield Proposal(homography, EQUAL_FRAMES, 0, agreement or 0.0, doubt)
                return
            # What is laid all over a picture takes its tiles apart, but not the whole.
            is_veiled = correlation >= _SAME_AT_A_GLANCE and agreement >= _VEILED
            if agreement >= self._good_enough or is_veiled:
                yield Proposal(homography, EQUAL_FRAMES, 0, agreement)
                break
        for matcher in self._matchers:
            if clock is not None:
                clock.enter(f"keypoints ({matcher.name})")
            for homography, inliers in self._keypoint_maps(matcher, a, b, key_a, key_b):
                agreement = coarse_agreement(small_a, small_b, homography)
                if agreement is not None and agreement >= self._good_enough:
                    yield Proposal(homography, matcher.name, inliers, agreement)
                    break

    def _keypoint_maps(
        self, matcher: Matcher, a: U8, b: U8, key_a: bytes, key_b: bytes
    ) -> Iterator[tuple[F64, int]]:
        keypoints_a = self._detect(matcher, a, key_a, 0)
        turns = range(1) if matcher.is_rotation_invariant else range(4)
        for mirror in (0, _MIRROR):
            for turn in turns:
                orientation = mirror + turn
                keypoints_b = self._detect(matcher, b, key_b, orientation)
                alignment = estimate_homography(matcher.match(keypoints_a, keypoints_b))
                if alignment is not None:
                    back = inverse(orientation_matrix(size_of(b), orientation))
                    yield back @ alignment.homography, alignment.inliers

    def _glance(self, image: U8, key: bytes) -> Glance:
        found = self._glances.get(key)
        if found is None:
            found = self._glances[key] = Glance.of(image)
            if len(self._glances) > _GLANCE_CACHE:
                self._glances.popitem(last=False)
        return found

    def _detect(self, matcher: Matcher, image: U8, key: bytes, orientation: int) -> Keypoints:
        entry = (matcher.name, key, orientation)
        found = self._keypoints.get(entry)
        if found is not None:
            self._keypoints.move_to_end(entry)
            return found
        if orientation in (0, _MIRROR) and isinstance(matcher, MirrorsCheaply):
            both = matcher.detect_with_mirrored(np.ascontiguousarray(image))
            self._remember((matcher.name, key, 0), both[0])
            self._remember((matcher.name, key, _MIRROR), both[1])
            return both[orientation // _MIRROR]
        found = matcher.detect(np.ascontiguousarray(oriented(image, orientation)))
        self._remember(entry, found)
        return found

    def _remember(self, entry: tuple[str, bytes, int], found: Keypoints) -> None:
        self._keypoints[entry] = found
        if len(self._keypoints) > _KEYPOINT_CACHE:
            self._keypoints.popitem(last=False)


def equal_frame_maps(a: Glance, b: Glance) -> list[tuple[F64, float]]:
    """Maps for copies that show the same frame, turned, mirrored or resized; likeliest first.

    Returns:
        Each map with the correlation of the two thumbnails under it.
    """
    thumb_a, thumb_b = a.thumbnail, b.thumbnail
    if max(float(thumb_a.std()), float(thumb_b.std())) < _BLANK:
        return _upright_map(a.size, b.size)
    normal_a = _normalised(thumb_a)
    scored = []
    for orientation in range(ORIENTATION_COUNT):
        normal_b = _normalised(np.ascontiguousarray(oriented(thumb_b, orientation)))
        scored.append((float((normal_a * normal_b).mean()), orientation))
    size_a, size_b = a.size, b.size
    maps = []
    for correlation, orientation in sorted(scored, key=lambda item: (-item[0], item[1]))[:2]:
        if correlation < _DIRECT_CORRELATION:
            continue
        turned = Size(size_b.height, size_b.width) if orientation % 2 else size_b
        back = inverse(orientation_matrix(size_b, orientation))
        maps.append((back @ scaling_matrix(size_a, turned), correlation))
    return maps


def _upright_map(size_a: Size, size_b: Size) -> list[tuple[F64, float]]:
    """The map between two frames without structure, which have nothing to correlate."""
    aspect = (size_a.width * size_b.height) / (size_a.height * size_b.width)
    return [(scaling_matrix(size_a, size_b), 0.0)] if abs(aspect - 1) < _SAME_ASPECT else []


def refined(a: U8, b: U8, homography: F64, rounds: int = 2) -> tuple[F64, float]:
    """The homography after sub-pixel refinement on the pixels, in the grid of the coarser image.

    Returns:
        The homography, and by how many pixels of the grid the given one was wrong (the median);
        infinite when nothing could be measured.
    """
    size_a, size_b = size_of(a), size_of(b)
    if size_a.area <= size_b.area:
        return _refined_one_way(a, b, homography, rounds)
    back, shift = _refined_one_way(b, a, inverse(homography), rounds)
    return inverse(back), shift


def _refined_one_way(a: U8, b: U8, homography: F64, rounds: int) -> tuple[F64, float]:
    size_a, size_b = size_of(a), size_of(b)
    seen = cv2.warpPerspective(
        np.full((size_b.height, size_b.width), 255, np.uint8),
        homography,
        (size_a.width, size_a.height),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )
    return refine_homography(
        contrast_normalised(luminance(a)),
        contrast_normalised(luminance(b)),
        homography,
        np.asarray(seen),
        rounds,
    )


def _normalised(grey: F32) -> F32:
    return np.asarray((grey - grey.mean()) / (grey.std() + 1e-3))
