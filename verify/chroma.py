"""The colour of an aligned pair: where it is another one, and where it is slightly off."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.grading import Grading
from verify.saving import Saving, not_from_saving
from verify.specks import inside, opened, quantile, specks
from verify.warp import Mask

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

# Sigma of the low-pass both images get, as in `verify.residual`.
_BLUR = 1.0
# What a change of colour space does to the lightness of a saturated colour; and what a grading
# does that was fitted to all colours, to the few that are more colourful than the rest.
_COLOUR_ALLOWANCE = 0.06
_GRADED_COLOUR_ALLOWANCE = 0.15
_TOLERANCE = 28.0
_NOISE_FACTOR = 8.0
# Where nothing was graded, small places count too: beyond so many levels and deviations of the
# noise, by so many deviations together. Of 347 such copies one had such a place; of 106 pairs of
# photographs with a number in the lightness of its ground, of which one digit was another and
# nothing else told, 36 had.
_SMALL, _SMALL_NOISE_FACTOR, _SPECK = 4.0, 4.0, 5.0
# Share of the range of colour around a pixel that bleeding and misalignment may take: so many times
# what they take in three quarters of the places with detail.
_MEETING, _MEETING_FACTOR, _LEAST_BLEEDING, _BLEEDING = 0.75, 3.0, 0.1, 0.45
# Sigma of the blur that undoes a sharpening, from which on colours overshoot at their edges.
_SHARPENED = 0.75
_DETAIL_SHARE, _LEAST_DETAIL, _QUIET_DETAIL, _DETAIL_NOISE = 0.75, 8.0, 0.3, 1.3
_MIN_DETAIL, _LEAST_NOISE = 50, 0.7
# Coarse compression shifts the colour of whole blocks; strokes are thinner than so many pixels.
_STROKE = 5
_THREE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Chroma:
    """The colour of the two, at half resolution, which is all that most JPEGs have.

    Attributes:
        is_other: bool (h, w), where the colour is another one.
        is_off: bool (h, w), small places where it is slightly off: thin letters in another colour
            and the same lightness.
        planes: red and blue of the one, then of the other, float32 (h / 2, w / 2).
        is_graded: tone or colour were changed.
    """

    is_other: Mask
    is_off: Mask
    planes: tuple[tuple[F32, F32], tuple[F32, F32]]
    is_graded: bool

    @classmethod
    def of(cls, grading: Grading, mask: Mask, blur: float, saving: Saving) -> Chroma:
        """Compares the colours of two images in one grading.

        Args:
            mask: bool (h, w), where both are seen.
            blur: sigma that makes the two equally sharp; positive when a is the sharper one.
            saving: how the more coarsely saved one was saved.
        """
        height, width = mask.shape
        half = (max(1, width // 2), max(1, height // 2))
        one = _half_chroma(grading.a, half, max(0.0, blur))
        other = _half_chroma(grading.b, half, max(0.0, -blur))
        distance = _distance(one, other)
        nowhere = np.zeros(mask.shape, dtype=bool)
        largest = cv2.norm(distance, cv2.NORM_INF)
        is_other = is_off = nowhere
        if largest > _TOLERANCE:
            small_mask = cv2.resize(mask.view(np.uint8), half, interpolation=cv2.INTER_NEAREST)
            inner = inside(np.asarray(small_mask) > 0, 2)
            median = _NOISE_FACTOR * quantile(distance[inner], 0.5)
            found = opened((distance > max(_TOLERANCE, median)) & inner)
            if found.any() and saving.is_known:
                saved = _half_chroma(
                    saving.again(grading.a, grading.b), half, saving.sharper_by(blur)
                )
                planes = [np.dstack(colours) for colours in (*saving.ordered(one, other), saved)]
                found = not_from_saving(found, *planes)
            full = cv2.resize(
                found.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
            )
            is_other = np.asarray(full > 0)
        if largest > _SMALL and not grading.is_graded and abs(blur) < _SHARPENED:
            is_off = _off(grading.a, grading.b, mask, blur, saving)
        return cls(is_other, is_off, (one, other), grading.is_graded)

    def allowance(self) -> F32:
        """Grey levels by which the lightness of a colour may be off, float32 (h, w)."""
        colourful = [cv2.magnitude(red - 128, blue - 128) for red, blue in self.planes]
        if self.is_graded:
            doubtful = cv2.max(*colourful) * _GRADED_COLOUR_ALLOWANCE
        else:
            doubtful = cv2.min(*colourful) * _COLOUR_ALLOWANCE
        height, width = self.is_other.shape
        return np.asarray(
            cv2.resize(np.asarray(doubtful), (width, height), interpolation=cv2.INTER_LINEAR),
            dtype=np.float32,
        )


def _distance(one: tuple[F32, F32], other: tuple[F32, F32]) -> F32:
    """How far apart the colours of two are, levels, float32 (h / 2, w / 2)."""
    red, blue = (cv2.subtract(mine, its) for mine, its in zip(one, other, strict=True))
    return np.asarray(cv2.magnitude(red, blue), dtype=np.float32)


def _half_chroma(rgb: U8, half: tuple[int, int], sharper_by: float) -> tuple[F32, F32]:
    """Red and blue chroma at half resolution, as soft as that of the other image."""
    small = cv2.resize(rgb, half, interpolation=cv2.INTER_AREA)
    sigma = float(np.hypot(_BLUR, sharper_by / 2))
    ycc = cv2.cvtColor(np.asarray(small), cv2.COLOR_RGB2YCrCb)
    red, blue = (
        np.asarray(cv2.GaussianBlur(cv2.extractChannel(ycc, n), (0, 0), sigma), np.float32)
        for n in (1, 2)
    )
    return red, blue


def _off(a: U8, b: U8, mask: Mask, blur: float, saving: Saving) -> Mask:
    """Small places in another colour, at full resolution, bool (h, w).

    On bytes, of which OpenCV takes sixteen and more at a time.
    """
    soft_a, soft_b = _full_chroma(a, max(0.0, blur)), _full_chroma(b, max(0.0, -blur))
    distance = _larger(np.asarray(cv2.absdiff(soft_a, soft_b)))
    steepest = _larger(np.asarray(cv2.max(_range(soft_a), _range(soft_b))))
    steepest = np.asarray(cv2.dilate(steepest, _THREE))
    bleeding, noise = _agreement(distance[::2, ::2], steepest[::2, ::2], mask[::2, ::2])
    allowed = max(_SMALL, _SMALL_NOISE_FACTOR * noise)
    beyond = cv2.addWeighted(distance, 1.0, steepest, -bleeding, -allowed, dtype=cv2.CV_32F)
    excess = np.maximum(np.asarray(beyond, dtype=np.float32), 0.0)
    found = specks(excess, inside(mask, 3), _SPECK * noise, thinner_than=_STROKE)
    if found.any() and saving.is_known:
        saved = _full_chroma(saving.again(a, b), saving.sharper_by(blur))
        planes = (*saving.ordered(soft_a, soft_b), saved)
        found = not_from_saving(found, *(colours.astype(np.float32) for colours in planes))
    return found


def _agreement(distance: U8, steepest: U8, mask: Mask) -> tuple[float, float]:
    """How much of the range around a pixel the distance takes, and its deviation elsewhere."""
    values, ranges = distance[mask].astype(np.float32), steepest[mask].astype(np.float32)
    noise = max(_LEAST_NOISE, 1.4826 * quantile(values, 0.5))
    in_detail = ranges >= max(_LEAST_DETAIL, quantile(ranges, _DETAIL_SHARE))
    detail = values[in_detail]
    if len(detail) <= _MIN_DETAIL:
        return _BLEEDING, noise
    noise = max(noise, _DETAIL_NOISE * quantile(detail, _QUIET_DETAIL))
    met = _MEETING_FACTOR * quantile(detail / ranges[in_detail], _MEETING)
    return min(_BLEEDING, max(_LEAST_BLEEDING, met)), noise


def _full_chroma(rgb: U8, sharper_by: float) -> U8:
    """Red and blue chroma, uint8 (h, w, 2)."""
    ycc = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    planes = cv2.merge([cv2.extractChannel(ycc, n) for n in (1, 2)])
    sigma = float(np.hypot(_BLUR, sharper_by))
    return np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma))


def _range(planes: U8) -> U8:
    """Difference of the largest and the smallest of 3×3 pixels in each plane."""
    return np.asarray(cv2.subtract(cv2.dilate(planes, _THREE), cv2.erode(planes, _THREE)))


def _larger(planes: U8) -> U8:
    """The larger of the two planes in each pixel, uint8 (h, w)."""
    return np.asarray(cv2.max(cv2.extractChannel(planes, 0), cv2.extractChannel(planes, 1)))
