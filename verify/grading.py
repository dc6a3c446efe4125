"""Takes out what grading changes: brightness, contrast, gamma, saturation, white balance, grey.

One image's colours are mapped to the other's by an affine map of RGB with the range's two ends
clipped, and where that leaves something, by a monotone curve for each channel. The map goes the way
that loses less: a grey copy can be made from colour and not the reverse, and what ran into white
has no way back. What is left after the fit is a difference of content. The model is kept poor on
purpose: light may not turn into dark (a redrawn dark variant is another picture).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify.colour_maps import (
    GOOD_FIT,
    IDENTITY_MAP,
    MIN_SAMPLES,
    TRUSTED,
    capped_error,
    even_map,
    fit_map,
)
from verify.colours import (
    DARK_END,
    LIGHT_END,
    LUMINANCE,
    chroma_moved,
    chroma_of,
    is_grey,
    saturation_factor,
)

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_SAMPLES = 1000
_WELL_INSIDE = 8.0
# Share of the values by which one picture has clearly lost more than the other.
_LOST_APART = 0.002
# The other direction has to be so much better, or noise would choose it.
_CLEARLY_BETTER = 0.9
# Below this, in grey levels, a grading is none.
_IDENTITY = 0.75
_GRADED, _RESATURATED = 1.0, 0.1
_UNGRADED = 1.5
# Mean move of luminance with which brightness was changed all over.
_BRIGHTENED = 4.0
_MOVED_MEAN, _MOVED_CONTRAST = 1.0, 0.03
_RECOLOURED_SHARE = 0.97


@dataclass(frozen=True, slots=True)
class Tones:
    """The tones of one image where both are seen and agree, grey levels.

    Attributes:
        brightness: mean luminance.
        contrast: standard deviation of the luminance.
        red, blue: mean of Cr and of Cb.
        colour: standard deviation of the two.
    """

    brightness: float
    contrast: float
    red: float
    blue: float
    colour: float

    @classmethod
    def of(cls, rgb: F64) -> Tones:
        """Of colours (n, 3)."""
        grey, chroma = rgb @ LUMINANCE, chroma_of(rgb)
        red, blue = chroma.mean(axis=0)
        spread = float(np.sqrt(chroma.var(axis=0).sum()))
        return cls(float(grey.mean()), float(grey.std()), float(red), float(blue), spread)


@dataclass(frozen=True, slots=True, eq=False)
class Grading:
    """Two aligned images in one grading.

    Attributes:
        a, b: uint8 RGB (h, w, 3); one of them as it was, the other mapped to it.
        change: mean absolute move of luminance by the map, grey levels: 0 for an ungraded copy.
        saturation: factor on the colour of the more colourful image that gives the other's.
        shift: length of the move of the mean colour in the (Cb, Cr) plane, grey levels.
        tint: the same but for what brightness, its ends and saturation explain.
        recolouring: of the colours, how far the map moves them other than by saturation and white
            balance, grey levels (97th percentile): a red shirt is not a copy of a blue one.
        spread_a, spread_b: standard deviation of the colour of each image, grey levels.
        a_is_mapped: the map goes from a to b, not from b to a.
        tones_a, tones_b: what was graded, of each image as it is.
    """

    a: U8
    b: U8
    change: float
    saturation: float
    shift: float
    tint: float
    recolouring: float
    spread_a: float
    spread_b: float
    a_is_mapped: bool
    tones_a: Tones
    tones_b: Tones

    @property
    def is_graded(self) -> bool:
        """True when tone or colour were changed by more than re-encoding does."""
        return self.change > _GRADED or abs(self.saturation - 1.0) > _RESATURATED


def fit_grading(
    a: U8, b: U8, mask: Mask, *, against: Grading | None = None, like: Grading | None = None
) -> Grading:
    """Brings two aligned images to one grading.

    Args:
        a, b: uint8 RGB (h, w, 3).
        mask: bool (h, w), where both are seen; text or a sticker over part of it does not bend
            the fit.
        against: what was found before; the map is fitted the other way.
        like: what was found before; the map is fitted the same way, and is one of brightness and
            contrast alone.
    """
    sample_a, sample_b = _samples(a, b, mask)
    chroma_a, chroma_b = chroma_of(sample_a), chroma_of(sample_b)
    spread_a, spread_b = float(chroma_a.std(axis=0).max()), float(chroma_b.std(axis=0).max())
    result_a, result_b, change, recolouring = a, b, 0.0, 0.0
    a_is_mapped = True
    lit: F64 | None = None
    mapped, target = sample_a, sample_b
    if _looks_graded(sample_a, sample_b):
        if like is not None:
            a_is_mapped = like.a_is_mapped
        else:
            a_is_mapped = not against.a_is_mapped if against else _lies_before(sample_a, sample_b)
        source, target = (sample_a, sample_b) if a_is_mapped else (sample_b, sample_a)
        chosen = fit_map(source, target) if like is None else even_map(source, target)
        is_open = chosen.matrix is not IDENTITY_MAP and chosen.error > GOOD_FIT
        if against is None and like is None and is_open:
            backward = fit_map(target, source)
            if backward.error < _CLEARLY_BETTER * chosen.error:
                chosen, source, a_is_mapped = backward, target, not a_is_mapped
        target = sample_b if a_is_mapped else sample_a
        mapped = chosen.apply(source.astype(np.float32)).astype(np.float64)
        change = float(np.abs((mapped - source) @ LUMINANCE).mean())
        if float(np.abs(mapped - source).mean()) > _IDENTITY:
            recolouring = _recolouring(source, mapped)
            lit = _ran_into_an_end(source, target) if change > _BRIGHTENED else None
            if lit is not None:
                recolouring = min(recolouring, _recolouring(lit, mapped))
            result_a = chosen.apply_to_image(a) if a_is_mapped else a
            result_b = b if a_is_mapped else chosen.apply_to_image(b)
    # Not what is laid over the picture.
    left = np.abs(mapped - target).sum(axis=1)
    agreeing = left <= np.partition(left, limit := int(TRUSTED * (len(left) - 1)))[limit]
    more, less = (chroma_a, chroma_b) if spread_a >= spread_b else (chroma_b, chroma_a)
    tint = _tint(sample_a[agreeing], sample_b[agreeing])
    if lit is not None:
        tint = min(tint, _mean_moved(lit[agreeing], target[agreeing]))
    return Grading(
        a=result_a,
        b=result_b,
        change=change,
        saturation=saturation_factor(more, less),
        shift=float(np.hypot(*(more.mean(axis=0) - less.mean(axis=0)))),
        tint=tint,
        recolouring=recolouring,
        spread_a=spread_a,
        spread_b=spread_b,
        a_is_mapped=a_is_mapped,
        tones_a=Tones.of(sample_a[agreeing]),
        tones_b=Tones.of(sample_b[agreeing]),
    )


def _tint(a: F64, b: F64) -> float:
    """How far the mean of colours (n, 3) moved otherwise than with brightness and saturation."""
    inside = np.all((np.minimum(a, b) > DARK_END) & (np.maximum(a, b) < LIGHT_END), axis=1)
    if inside.sum() >= MIN_SAMPLES:
        kept_a, kept_b = a[inside], b[inside]
        if np.abs((kept_a - kept_b) @ LUMINANCE).mean() > _BRIGHTENED:
            # A ground that ran into white with all the rest says nothing of its colour.
            a, b = kept_a, kept_b
    return _mean_moved(a, b)


def _mean_moved(a: F64, b: F64) -> float:
    return float(np.hypot(*chroma_moved(a, b).mean(axis=0)))


def _ran_into_an_end(source: F64, target: F64) -> F64 | None:
    """The source as bright as the target, where it ran into black or white on the way.

    One factor and one offset for all three channels, with the range's ends clipped, move the
    colours of what runs into an end, and those alone: yellow paper turns white. None where hardly
    anything has.
    """
    lit = even_map(source, target).apply(source.astype(np.float32)).astype(np.float64)
    ran = (lit > LIGHT_END) | (lit < DARK_END)
    return lit if float(ran.mean()) > _LOST_APART else None


def _looks_graded(a: F64, b: F64) -> bool:
    """False when means and contrasts say that nothing was graded, the quickest of all answers."""
    if is_grey(a) != is_grey(b):
        return True
    if capped_error(a, b) <= _UNGRADED:
        return False
    moved = np.abs(a.mean(axis=0) - b.mean(axis=0)).max()
    contrasts = (np.append(a.std(axis=0), chroma_of(a).std()) + 1.0) / (
        np.append(b.std(axis=0), chroma_of(b).std()) + 1.0
    )
    return bool(moved > _MOVED_MEAN or np.abs(contrasts - 1.0).max() > _MOVED_CONTRAST)


def _lies_before(a: F64, b: F64) -> bool:
    """True when a is the likelier one to be mapped: less of what it shows ran into an end in b.

    Colour never comes from grey. Where nothing tells, the one with more colour and contrast.
    """
    if is_grey(a) != is_grey(b):
        return is_grey(b)
    lost_in_b, lost_in_a = _share_lost(a, b), _share_lost(b, a)
    if abs(lost_in_b - lost_in_a) > _LOST_APART:
        return lost_in_b > lost_in_a
    spreads = [float(rgb.std(axis=0).sum() + chroma_of(rgb).std(axis=0).sum()) for rgb in (a, b)]
    return spreads[0] >= spreads[1]


def _share_lost(before: F64, after: F64) -> float:
    """The share of the values that are at an end after and were well inside before."""
    light = (after >= LIGHT_END) & (before < LIGHT_END - _WELL_INSIDE)
    dark = (after <= DARK_END) & (before > DARK_END + _WELL_INSIDE)
    return float((light | dark).mean())


def _samples(a: U8, b: U8, mask: Mask) -> tuple[F64, F64]:
    """Colours of the two at the same places, (n, 3), each the mean of two by two pixels."""
    height, width = mask.shape[0] // 2 * 2, mask.shape[1] // 2 * 2
    seen = mask[:height:2, :width:2] & mask[1:height:2, 1:width:2]
    step = max(1, int(np.sqrt(int(seen.sum()) / _SAMPLES)))
    chosen = seen[::step, ::step]
    if int(chosen.sum()) < MIN_SAMPLES:
        return a[mask].astype(np.float64), b[mask].astype(np.float64)

    def means(image: U8) -> F64:
        corners = [
            image[top : height : 2 * step, left : width : 2 * step][chosen].astype(np.uint16)
            for top in (0, 1)
            for left in (0, 1)
        ]
        # Whole grey levels, as saved pictures have.
        return ((sum(corners[1:], corners[0]) + 2) // 4).astype(np.float64)

    return means(a), means(b)


def _recolouring(source: F64, mapped: F64) -> float:
    """How far colours are moved otherwise than by one factor and a shift that goes with lightness.

    Args:
        source, mapped: colours before and after, float64 (n, 3).
    """
    before, after = chroma_of(source), chroma_of(mapped)
    lightness = (source @ LUMINANCE - 128.0) / 128.0
    count = len(before)
    # Unknowns: the factor, and for each of Cr and Cb a shift and its slope with lightness.
    design = np.zeros((2 * count, 5))
    design[:count, 0], design[count:, 0] = before[:, 0], before[:, 1]
    design[:count, 1], design[count:, 2] = 1.0, 1.0
    design[:count, 3], design[count:, 4] = lightness, lightness
    wanted = np.concatenate([after[:, 0], after[:, 1]])
    ridge = np.diag([1.0, 1e-3, 1e-3, 1.0, 1.0]) * count * 1e-3
    # Where there is too little colour to tell, none was changed.
    pull = ridge @ np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    solution = np.linalg.solve(design.T @ design + ridge, design.T @ wanted + pull)
    solution[0] = np.clip(solution[0], 0.0, 3.0)
    left = wanted - design @ solution
    return float(np.quantile(np.hypot(left[:count], left[count:]), _RECOLOURED_SHARE))
