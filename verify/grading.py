"""Takes out what grading changes: brightness, contrast, gamma, saturation, white balance, grey.

One image's colours are mapped to the other's by an affine map of RGB with the range's two ends
clipped, and where that leaves something, by a monotone curve for each channel. The map goes the way
that loses less: a grey copy can be made from colour and not the reverse, and what ran into white
has no way back. What is left after the fit is a difference of content. The model is kept poor on
purpose: light may not turn into dark (a redrawn dark variant is another picture).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_SAMPLES = 1000
_MIN_SAMPLES = 60
_ROUNDS = 4
_TRUSTED = 0.85
_ERROR_CAP = 40.0
_RIDGE = 0.02
_LOW, _HIGH = 10.0, 240.0
_INNER_LOW, _INNER_HIGH = 6.0, 246.0
_DARK_END, _LIGHT_END = 3.0, 252.0
_COLOURLESS = 2.5
_WELL_INSIDE = 8.0
# Share of the values by which one picture has clearly lost more than the other.
_LOST_APART = 0.002
_BINS = 32
_STRETCH = 32.0
# A richer map has to take away so much of what a poorer one leaves.
_WORTH_IT = 0.92
# Error over contrast below which nothing richer is tried.
_GOOD_FIT = 0.025
_GREY_SPREAD = 3.0
# The other direction has to be so much better, or noise would choose it.
_CLEARLY_BETTER = 0.9
# Smallest factor between lightness before and after: below, light does not stay light.
_LEAST_CONTRAST = 0.12
# Below this, in grey levels, a grading is none.
_IDENTITY = 0.75
_GRADED, _RESATURATED = 1.0, 0.1
_UNGRADED = 1.5
# Mean move of luminance with which brightness was changed all over.
_BRIGHTENED = 4.0
_MOVED_MEAN, _MOVED_CONTRAST = 1.0, 0.03
_RECOLOURED_SHARE = 0.97
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_IDENTITY_MAP = np.hstack([np.eye(3), np.zeros((3, 1))])
_TABLE_LOW, _TABLE_STEPS, _TABLE_SIZE = -256, 2, 2 * 768


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
        grey, chroma = rgb @ _LUMINANCE, chroma_of(rgb)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Map:
    """A map of RGB colours.

    Attributes:
        matrix: float64 (3, 4), the affine part.
        curves: float32 (3, _TABLE_SIZE), or None for clipping alone.
        error: mean of what it leaves, over the contrast of the target.
    """

    matrix: F64
    curves: F32 | None
    error: float

    def apply(self, rgb: F32) -> F32:
        """The mapped colours, float32 (..., 3)."""
        shape = rgb.shape
        rows = rgb.reshape(-1, 1, 3)
        mapped = np.asarray(cv2.transform(rows, self.matrix), dtype=np.float32)
        if self.curves is None:
            return np.clip(mapped, 0.0, 255.0, out=mapped).reshape(shape)
        index = ((mapped - _TABLE_LOW) * _TABLE_STEPS).astype(np.int32)
        np.clip(index, 0, _TABLE_SIZE - 1, out=index)
        for channel in range(3):
            mapped[..., channel] = self.curves[channel][index[..., channel]]
        return mapped.reshape(shape)

    def apply_to_image(self, rgb: U8) -> U8:
        """The mapped colours of an image, uint8 (h, w, 3)."""
        if self.curves is None:
            # OpenCV rounds and clips.
            return np.asarray(cv2.transform(rgb, self.matrix), dtype=np.uint8)
        if self.matrix is _IDENTITY_MAP:
            start = -_TABLE_LOW * _TABLE_STEPS
            table = self.curves[:, start : start + 256 * _TABLE_STEPS : _TABLE_STEPS]
            table = np.ascontiguousarray(np.rint(table.T)[None], dtype=np.uint8)
            return np.asarray(cv2.LUT(rgb, table), dtype=np.uint8)
        return np.asarray(np.rint(self.apply(rgb.astype(np.float32))), dtype=np.uint8)


def fit_grading(a: U8, b: U8, mask: Mask, *, against: Grading | None = None) -> Grading:
    """Brings two aligned images to one grading.

    Args:
        a, b: uint8 RGB (h, w, 3).
        mask: bool (h, w), where both are seen; text or a sticker over part of it does not bend
            the fit.
        against: what was found before; the map is fitted the other way.
    """
    sample_a, sample_b = _samples(a, b, mask)
    chroma_a, chroma_b = chroma_of(sample_a), chroma_of(sample_b)
    spread_a, spread_b = float(chroma_a.std(axis=0).max()), float(chroma_b.std(axis=0).max())
    result_a, result_b, change, recolouring = a, b, 0.0, 0.0
    a_is_mapped = True
    mapped, target = sample_a, sample_b
    if _looks_graded(sample_a, sample_b):
        a_is_mapped = not against.a_is_mapped if against else _lies_before(sample_a, sample_b)
        source, target = (sample_a, sample_b) if a_is_mapped else (sample_b, sample_a)
        chosen = _fit(source, target)
        is_open = chosen.matrix is not _IDENTITY_MAP and chosen.error > _GOOD_FIT
        if against is None and is_open:
            backward = _fit(target, source)
            if backward.error < _CLEARLY_BETTER * chosen.error:
                chosen, source, a_is_mapped = backward, target, not a_is_mapped
        target = sample_b if a_is_mapped else sample_a
        mapped = chosen.apply(source.astype(np.float32)).astype(np.float64)
        change = float(np.abs((mapped - source) @ _LUMINANCE).mean())
        if float(np.abs(mapped - source).mean()) > _IDENTITY:
            recolouring = _recolouring(source, mapped)
            result_a = chosen.apply_to_image(a) if a_is_mapped else a
            result_b = b if a_is_mapped else chosen.apply_to_image(b)
    # Not what is laid over the picture.
    left = np.abs(mapped - target).sum(axis=1)
    agreeing = left <= np.partition(left, limit := int(_TRUSTED * (len(left) - 1)))[limit]
    more, less = (chroma_a, chroma_b) if spread_a >= spread_b else (chroma_b, chroma_a)
    return Grading(
        a=result_a,
        b=result_b,
        change=change,
        saturation=saturation_factor(more, less),
        shift=float(np.hypot(*(more.mean(axis=0) - less.mean(axis=0)))),
        tint=_tint(sample_a[agreeing], sample_b[agreeing]),
        recolouring=recolouring,
        spread_a=spread_a,
        spread_b=spread_b,
        a_is_mapped=a_is_mapped,
        tones_a=Tones.of(sample_a[agreeing]),
        tones_b=Tones.of(sample_b[agreeing]),
    )


def _tint(a: F64, b: F64) -> float:
    """How far the mean of colours (n, 3) moved otherwise than with brightness and saturation."""
    inside = np.all((np.minimum(a, b) > _DARK_END) & (np.maximum(a, b) < _LIGHT_END), axis=1)
    if inside.sum() >= _MIN_SAMPLES:
        kept_a, kept_b = a[inside], b[inside]
        if np.abs((kept_a - kept_b) @ _LUMINANCE).mean() > _BRIGHTENED:
            # A ground that ran into white with all the rest says nothing of its colour.
            a, b = kept_a, kept_b
    more, less = chroma_of(a), chroma_of(b)
    if more.var(axis=0).sum() < less.var(axis=0).sum():
        more, less = less, more
    moved = less.mean(axis=0) - saturation_factor(more, less) * more.mean(axis=0)
    return float(np.hypot(*moved))


def _looks_graded(a: F64, b: F64) -> bool:
    """False when means and contrasts say that nothing was graded, the quickest of all answers."""
    if _is_grey(a) != _is_grey(b):
        return True
    if _capped_error(a, b) <= _UNGRADED:
        return False
    moved = np.abs(a.mean(axis=0) - b.mean(axis=0)).max()
    contrasts = (np.append(a.std(axis=0), chroma_of(a).std()) + 1.0) / (
        np.append(b.std(axis=0), chroma_of(b).std()) + 1.0
    )
    return bool(moved > _MOVED_MEAN or np.abs(contrasts - 1.0).max() > _MOVED_CONTRAST)


def _is_grey(rgb: F64) -> bool:
    """True when there is no colour at all, but for what saving adds."""
    return float(np.abs(chroma_of(rgb)).max(initial=0.0)) < _COLOURLESS


def _lies_before(a: F64, b: F64) -> bool:
    """True when a is the likelier one to be mapped: less of what it shows ran into an end in b.

    Colour never comes from grey. Where nothing tells, the one with more colour and contrast.
    """
    if _is_grey(a) != _is_grey(b):
        return _is_grey(b)
    lost_in_b, lost_in_a = _share_lost(a, b), _share_lost(b, a)
    if abs(lost_in_b - lost_in_a) > _LOST_APART:
        return lost_in_b > lost_in_a
    spreads = [float(rgb.std(axis=0).sum() + chroma_of(rgb).std(axis=0).sum()) for rgb in (a, b)]
    return spreads[0] >= spreads[1]


def _share_lost(before: F64, after: F64) -> float:
    """The share of the values that are at an end after and were well inside before."""
    light = (after >= _LIGHT_END) & (before < _LIGHT_END - _WELL_INSIDE)
    dark = (after <= _DARK_END) & (before > _DARK_END + _WELL_INSIDE)
    return float((light | dark).mean())


def _samples(a: U8, b: U8, mask: Mask) -> tuple[F64, F64]:
    """Colours of the two at the same places, (n, 3), each the mean of two by two pixels."""
    height, width = mask.shape[0] // 2 * 2, mask.shape[1] // 2 * 2
    seen = mask[:height:2, :width:2] & mask[1:height:2, 1:width:2]
    step = max(1, int(np.sqrt(int(seen.sum()) / _SAMPLES)))
    chosen = seen[::step, ::step]
    if int(chosen.sum()) < _MIN_SAMPLES:
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


def brightness_of(rgb: F64) -> F64:
    """Luminance of colours (n, 3), float64 (n,)."""
    return np.asarray(rgb @ _LUMINANCE)


def chroma_of(rgb: F64) -> F64:
    """(Cr, Cb) around 0 of colours (n, 3), float64 (n, 2)."""
    grey = rgb @ _LUMINANCE
    return np.stack([0.713 * (rgb[:, 0] - grey), 0.564 * (rgb[:, 2] - grey)], axis=1)


def saturation_factor(more: F64, less: F64) -> float:
    """The factor on `more` that best gives `less`; 1 where there is too little colour to tell."""
    more, less = more - more.mean(axis=0), less - less.mean(axis=0)
    prior = 4.0 * len(more)
    ratio = (float((more * less).sum()) + prior) / (float((more * more).sum()) + prior)
    return float(np.clip(ratio, 0.0, 3.0))


def _recolouring(source: F64, mapped: F64) -> float:
    """How far colours are moved otherwise than by one factor and a shift that goes with lightness.

    Args:
        source, mapped: colours before and after, float64 (n, 3).
    """
    before, after = chroma_of(source), chroma_of(mapped)
    lightness = (source @ _LUMINANCE - 128.0) / 128.0
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


def _fit(source: F64, target: F64) -> _Map:
    """The simplest of several maps that leaves hardly more than the others.

    The richer a map, the better it follows most of the picture and the worse a colour that only a
    little of it has.
    """
    contrast = max(4.0, float((target @ _LUMINANCE).std()))
    best: _Map | None = None
    for matrix in _affine_maps(source, target):
        mapped = np.clip(source @ matrix[:, :3].T + matrix[:, 3], 0, 255)
        error = _capped_error(mapped, target) / contrast
        if best is None or error < _WORTH_IT * best.error:
            best = _Map(matrix, None, error)
        if best.error <= _GOOD_FIT:
            return best
    assert best is not None
    if best.matrix is _IDENTITY_MAP:
        return best
    # A gamma is a curve of each channel by itself; other grading mixes them first.
    for matrix in (_IDENTITY_MAP, best.matrix):
        mapped = source @ matrix[:, :3].T + matrix[:, 3]
        curves = np.stack([_fit_curve(mapped[:, c], target[:, c]) for c in range(3)])
        curved = _Map(matrix, curves, 0.0).apply(source.astype(np.float32))
        error = _capped_error(curved, target) / contrast
        if error < _WORTH_IT * best.error:
            best = _Map(matrix, curves, error)
    return best


def _affine_maps(source: F64, target: F64) -> Iterator[F64]:
    """Affine maps from the poorest to the richest, float64 (3, 4)."""
    if not _is_grey(target) or _is_grey(source):
        yield _IDENTITY_MAP
    if float(chroma_of(target).std()) < _GREY_SPREAD:
        gain, offset = _line(source @ _LUMINANCE, target @ _LUMINANCE)
        yield np.column_stack([np.tile(gain * _LUMINANCE, (3, 1)), np.full(3, offset)])
    lines = [_line(source[:, channel], target[:, channel]) for channel in range(3)]
    yield np.column_stack([np.diag([line[0] for line in lines]), [line[1] for line in lines]])
    yield _fit_affine(source, target)


def _line(x: F64, y: F64) -> tuple[float, float]:
    """Gain and offset that best map x to y, what ran into an end and what agrees least left out."""
    keep = (y > _LOW) & (y < _HIGH) & (x > _LOW) & (x < _HIGH)
    gain, offset = 1.0, 0.0
    for _ in range(_ROUNDS):
        if int(keep.sum()) < _MIN_SAMPLES:
            return gain, offset
        spread = float(x[keep].std())
        if spread < 1.0:
            return 1.0, float(np.median(y[keep] - x[keep]))
        # The geometric mean of the two regressions: noise in x would flatten a plain one.
        gain = max(_LEAST_CONTRAST, float(y[keep].std()) / spread)
        offset = float(np.median(y[keep] - gain * x[keep]))
        mapped = gain * x + offset
        left = np.abs(np.clip(mapped, 0, 255) - y)
        limit = int(_TRUSTED * (len(left) - 1))
        inside = (mapped > _INNER_LOW) & (mapped < _INNER_HIGH)
        keep = inside & (left <= np.partition(left, limit)[limit])
    return gain, offset


def _capped_error(mapped: NDArray[np.floating], target: F64) -> float:
    """Mean error of colour; what is laid over the picture counts for no more than a cap."""
    return float(np.minimum(np.abs(mapped - target), _ERROR_CAP).mean())


def _fit_affine(source: F64, target: F64) -> F64:
    """Least squares on the pixels that agree best, those that ran into an end left out."""
    design = np.hstack([source - 128.0, np.full((len(source), 1), 64.0)])
    prior = np.hstack([np.eye(3), np.full((3, 1), 0.0)])
    wanted = target - 128.0
    # What ran into an end is told by the prediction: choosing by the target would bend the fit.
    ends = (target > _LOW) & (target < _HIGH)
    inside = ends & (source > _LOW) & (source < _HIGH)
    keep = np.ones(len(source), dtype=bool)
    solution = prior.copy()
    for _ in range(_ROUNDS):
        for channel in range(3):
            used = keep & inside[:, channel]
            if used.sum() < _MIN_SAMPLES:
                used = keep
            rows = design[used]
            weight = np.diag([1.0, 1.0, 1.0, 0.01]) * (_RIDGE * 100.0 * len(rows))
            solution[channel] = np.linalg.solve(
                rows.T @ rows + weight, rows.T @ wanted[used, channel] + weight @ prior[channel]
            )
        mapped = design @ solution.T + 128.0
        left = np.abs(np.clip(mapped, 0, 255) - target).sum(axis=1)
        limit = int(_TRUSTED * (len(left) - 1))
        keep = left <= np.partition(left, limit)[limit]
        inside = (mapped > _INNER_LOW) & (mapped < _INNER_HIGH)
    if float(_LUMINANCE @ solution[:, :3].sum(axis=1)) < _LEAST_CONTRAST:
        return _IDENTITY_MAP
    matrix = solution.copy()
    matrix[:, 3] = 64.0 * solution[:, 3] + 128.0 - 128.0 * solution[:, :3].sum(axis=1)
    return matrix


def _fit_curve(x: F64, y: F64) -> F32:
    """The monotone curve from x to y as a table, float32 (_TABLE_SIZE,)."""
    grid = np.arange(_TABLE_SIZE) / _TABLE_STEPS + _TABLE_LOW
    levels, values = _binned_medians(x, y)
    if len(levels) < 2:
        offset = float(np.median(y) - np.median(x))
        return np.clip(grid + offset, 0, 255).astype(np.float32)
    rising = np.maximum.accumulate(values)
    falling = np.minimum.accumulate(values[::-1])[::-1]
    curve = 0.5 * (rising + falling)
    # Highlights on a dark picture lie far beyond the last of its equally filled bins: there the
    # curve goes on as steep as it was over the last stretch.
    reach = 512.0
    low, high = _end_slope(levels, curve), _end_slope(levels[::-1], curve[::-1])
    levels = np.concatenate([[levels[0] - reach], levels, [levels[-1] + reach]])
    curve = np.concatenate([[curve[0] - reach * low], curve, [curve[-1] + reach * high]])
    return np.clip(np.interp(grid, levels, curve), 0, 255).astype(np.float32)


def _binned_medians(x: F64, y: F64) -> tuple[F64, F64]:
    """Means of x and medians of y in equally filled bins of x."""
    order = np.argsort(x, kind="stable")
    bins = min(_BINS, max(1, len(x) // 8))
    size = len(x) // bins
    levels = x[order][: bins * size].reshape(bins, size).mean(axis=1)
    values = np.median(y[order][: bins * size].reshape(bins, size), axis=1)
    # Bins of one flat area are one: they differ by chance.
    starts = np.flatnonzero(np.diff(levels, prepend=-1e9) > 0.5)
    counts = np.diff(np.append(starts, bins))
    return np.add.reduceat(levels, starts) / counts, np.add.reduceat(values, starts) / counts


def _end_slope(levels: F64, curve: F64) -> float:
    """The slope of the curve over the first `_STRETCH` grey levels, or over all where fewer."""
    steps = np.abs(levels - levels[0])
    end = int(np.argmax(steps >= _STRETCH)) or len(levels) - 1
    return float(np.clip(abs(curve[end] - curve[0]) / max(float(steps[end]), 1.0), 0.0, 4.0))
