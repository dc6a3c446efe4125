"""Takes out what grading changes: brightness, contrast, gamma, saturation, white balance, grey.

One image's colours are mapped to the other's by an affine map of RGB with the range's two ends
clipped, and where that leaves something, by a monotone curve for each channel. The map goes the way
that loses less: a grey copy can be made from colour and not the reverse, and what ran into white
has no way back. What is left after the fit is a difference of content. The model is kept poor on
purpose: light may not turn into dark (a redrawn dark variant is another picture).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_SAMPLES = 5000
_MIN_SAMPLES = 60
_ROUNDS = 5
_TRUSTED = 0.85
_ERROR_CAP = 40.0
_RIDGE = 0.02
_LOW, _HIGH = 10.0, 240.0
_INNER_LOW, _INNER_HIGH = 6.0, 246.0
_BINS = 32
_STRETCH = 32.0
# A curve has to take away so much of what the affine map left.
_CURVE_GAIN = 0.9
# The other direction has to be so much better, or noise would choose it.
_CLEARLY_BETTER = 0.9
# Smallest factor between lightness before and after: below, light does not stay light.
_LEAST_CONTRAST = 0.12
# Below this, in grey levels, a grading is none.
_IDENTITY = 0.75
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_TABLE_LOW, _TABLE_STEPS, _TABLE_SIZE = -256, 2, 2 * 768


@dataclass(frozen=True, slots=True, eq=False)
class Grading:
    """Two aligned images in one grading.

    Attributes:
        a, b: float32 (h, w, 3), 0..255; one of them as it was, the other mapped to it.
        change: mean absolute move of luminance by the map, grey levels: 0 for an ungraded copy.
        saturation: factor on the colour of the more colourful image that gives the other's.
        shift: length of the move of the mean colour in the (Cb, Cr) plane, grey levels.
        spread_a, spread_b: standard deviation of the colour of each image, grey levels.
    """

    a: F32
    b: F32
    change: float
    saturation: float
    shift: float
    spread_a: float
    spread_b: float


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


def fit_grading(a: F32, b: F32, mask: Mask) -> Grading:
    """Brings two aligned images to one grading.

    Args:
        a, b: float32 RGB (h, w, 3), 0..255.
        mask: bool (h, w), where both are seen; text or a sticker over part of it does not bend
            the fit.
    """
    sample_a, sample_b = _samples(a, b, mask)
    chroma_a, chroma_b = _chroma(sample_a), _chroma(sample_b)
    spread_a, spread_b = float(chroma_a.std(axis=0).max()), float(chroma_b.std(axis=0).max())
    forward = _fit(sample_a, sample_b)
    backward = _fit(sample_b, sample_a)
    a_is_mapped = not backward.error < _CLEARLY_BETTER * forward.error
    chosen, source = (forward, sample_a) if a_is_mapped else (backward, sample_b)
    mapped = chosen.apply(source.astype(np.float32))
    change = float(np.abs((mapped - source) @ _LUMINANCE).mean())
    more, less = (chroma_a, chroma_b) if spread_a >= spread_b else (chroma_b, chroma_a)
    result_a, result_b = a, b
    if float(np.abs(mapped - source).mean()) > _IDENTITY:
        result_a = chosen.apply(a) if a_is_mapped else a
        result_b = b if a_is_mapped else chosen.apply(b)
    return Grading(
        a=result_a,
        b=result_b,
        change=change,
        saturation=_saturation(more, less),
        shift=float(np.hypot(*(more.mean(axis=0) - less.mean(axis=0)))),
        spread_a=spread_a,
        spread_b=spread_b,
    )


def _samples(a: F32, b: F32, mask: Mask) -> tuple[F64, F64]:
    """Colours of the two at the same places, (n, 3), each the mean of a few pixels."""
    half = (max(1, mask.shape[1] // 3), max(1, mask.shape[0] // 3))
    seen = cv2.resize(mask.astype(np.float32), half, interpolation=cv2.INTER_AREA) > 0.99
    places = np.flatnonzero(seen)
    if len(places) < _MIN_SAMPLES:
        places = np.flatnonzero(mask)
        small = (a.reshape(-1, 3), b.reshape(-1, 3))
    else:
        small = tuple(
            np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA)).reshape(-1, 3)
            for image in (a, b)
        )
    places = places[:: len(places) // _SAMPLES + 1]
    return small[0][places].astype(np.float64), small[1][places].astype(np.float64)


def _chroma(rgb: F64) -> F64:
    """(Cr, Cb) around 0, (n, 2)."""
    grey = rgb @ _LUMINANCE
    return np.stack([0.713 * (rgb[:, 0] - grey), 0.564 * (rgb[:, 2] - grey)], axis=1)


def _saturation(more: F64, less: F64) -> float:
    """The factor on `more` that best gives `less`; 1 where there is too little colour to tell."""
    more, less = more - more.mean(axis=0), less - less.mean(axis=0)
    prior = 4.0 * len(more)
    ratio = (float((more * less).sum()) + prior) / (float((more * more).sum()) + prior)
    return float(np.clip(ratio, 0.0, 3.0))


def _fit(source: F64, target: F64) -> _Map:
    matrix = _fit_affine(source, target)
    mapped = source @ matrix[:, :3].T + matrix[:, 3]
    contrast = max(4.0, float((target @ _LUMINANCE).std()))
    clipped = np.clip(mapped, 0, 255)
    error = _capped_error(clipped, target)
    curves = np.stack([_fit_curve(mapped[:, c], target[:, c]) for c in range(3)])
    curved = _Map(matrix, curves, 0.0)
    error_with_curves = _capped_error(curved.apply(source.astype(np.float32)), target)
    if error_with_curves < _CURVE_GAIN * error:
        return _Map(matrix, curves, error_with_curves / contrast)
    return _Map(matrix, None, error / contrast)


def _capped_error(mapped: NDArray[np.floating], target: F64) -> float:
    """Mean error of luminance; what is laid over the picture counts for no more than a cap."""
    return float(np.minimum(np.abs((mapped - target) @ _LUMINANCE), _ERROR_CAP).mean())


def _fit_affine(source: F64, target: F64) -> F64:
    """Least squares on the pixels that agree best, those that ran into an end left out."""
    identity = np.hstack([np.eye(3), np.zeros((3, 1))])
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
        return identity
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
