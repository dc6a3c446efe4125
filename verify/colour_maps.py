"""Maps from the colours of one image to those of the other, from the poorest to the richest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.colours import LUMINANCE, chroma_of, is_grey

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

# Fewer colours fit no map; of those there are, the share that is believed to be no other content.
MIN_SAMPLES = 60
TRUSTED = 0.85
# Error over contrast below which nothing richer is tried.
GOOD_FIT = 0.025
_ROUNDS = 4
_ERROR_CAP = 40.0
_RIDGE = 0.02
_LOW, _HIGH = 10.0, 240.0
_INNER_LOW, _INNER_HIGH = 6.0, 246.0
_BINS = 32
_STRETCH = 32.0
# A richer map has to take away so much of what a poorer one leaves.
_WORTH_IT = 0.92
_GREY_SPREAD = 3.0
# Smallest factor between lightness before and after: below, light does not stay light.
_LEAST_CONTRAST = 0.12
IDENTITY_MAP = np.hstack([np.eye(3), np.zeros((3, 1))])
_TABLE_LOW, _TABLE_STEPS, _TABLE_SIZE = -256, 2, 2 * 768


@dataclass(frozen=True, slots=True, eq=False)
class ColourMap:
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
        if self.matrix is IDENTITY_MAP:
            start = -_TABLE_LOW * _TABLE_STEPS
            table = self.curves[:, start : start + 256 * _TABLE_STEPS : _TABLE_STEPS]
            table = np.ascontiguousarray(np.rint(table.T)[None], dtype=np.uint8)
            return np.asarray(cv2.LUT(rgb, table), dtype=np.uint8)
        return np.asarray(np.rint(self.apply(rgb.astype(np.float32))), dtype=np.uint8)


def fit_map(source: F64, target: F64) -> ColourMap:
    """The simplest of several maps that leaves hardly more than the others.

    The richer a map, the better it follows most of the picture and the worse a colour that only a
    little of it has.
    """
    contrast = _contrast(target)
    best: ColourMap | None = None
    for matrix in _affine_maps(source, target):
        mapped = np.clip(source @ matrix[:, :3].T + matrix[:, 3], 0, 255)
        error = capped_error(mapped, target) / contrast
        if best is None or error < _WORTH_IT * best.error:
            best = ColourMap(matrix, None, error)
        if best.error <= GOOD_FIT:
            return best
    assert best is not None
    if best.matrix is IDENTITY_MAP:
        return best
    # A gamma is a curve of each channel by itself; other grading mixes them first.
    for matrix in (IDENTITY_MAP, best.matrix):
        mapped = source @ matrix[:, :3].T + matrix[:, 3]
        curves = np.stack([_fit_curve(mapped[:, c], target[:, c]) for c in range(3)])
        curved = ColourMap(matrix, curves, 0.0).apply(source.astype(np.float32))
        error = capped_error(curved, target) / contrast
        if error < _WORTH_IT * best.error:
            best = ColourMap(matrix, curves, error)
    return best


def _affine_maps(source: F64, target: F64) -> Iterator[F64]:
    """Affine maps from the poorest to the richest, float64 (3, 4)."""
    if not is_grey(target) or is_grey(source):
        yield IDENTITY_MAP
    if float(chroma_of(target).std()) < _GREY_SPREAD:
        gain, offset = fit_line(source @ LUMINANCE, target @ LUMINANCE)
        yield np.column_stack([np.tile(gain * LUMINANCE, (3, 1)), np.full(3, offset)])
    yield even_map(source, target).matrix
    lines = [fit_line(source[:, channel], target[:, channel]) for channel in range(3)]
    yield np.column_stack([np.diag([line[0] for line in lines]), [line[1] for line in lines]])
    yield _fit_affine(source, target)


def even_map(source: F64, target: F64) -> ColourMap:
    """One factor and one offset for all three channels."""
    gain, offset = fit_line(source.ravel(), target.ravel())
    matrix = np.column_stack([gain * np.eye(3), np.full(3, offset)])
    mapped = np.clip(source @ matrix[:, :3].T + matrix[:, 3], 0, 255)
    return ColourMap(matrix, None, capped_error(mapped, target) / _contrast(target))


def fit_line(x: F64, y: F64) -> tuple[float, float]:
    """Gain and offset that best map x to y, what ran into an end and what agrees least left out."""
    keep = (y > _LOW) & (y < _HIGH) & (x > _LOW) & (x < _HIGH)
    gain, offset = 1.0, 0.0
    for _ in range(_ROUNDS):
        if int(keep.sum()) < MIN_SAMPLES:
            return gain, offset
        spread = float(x[keep].std())
        if spread < 1.0:
            return 1.0, float(np.median(y[keep] - x[keep]))
        # The geometric mean of the two regressions: noise in x would flatten a plain one.
        gain = max(_LEAST_CONTRAST, float(y[keep].std()) / spread)
        offset = float(np.median(y[keep] - gain * x[keep]))
        mapped = gain * x + offset
        left = np.abs(np.clip(mapped, 0, 255) - y)
        limit = int(TRUSTED * (len(left) - 1))
        inside = (mapped > _INNER_LOW) & (mapped < _INNER_HIGH)
        keep = inside & (left <= np.partition(left, limit)[limit])
    return gain, offset


def _contrast(target: F64) -> float:
    return max(4.0, float((target @ LUMINANCE).std()))


def capped_error(mapped: NDArray[np.floating], target: F64) -> float:
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
            if used.sum() < MIN_SAMPLES:
                used = keep
            rows = design[used]
            weight = np.diag([1.0, 1.0, 1.0, 0.01]) * (_RIDGE * 100.0 * len(rows))
            solution[channel] = np.linalg.solve(
                rows.T @ rows + weight, rows.T @ wanted[used, channel] + weight @ prior[channel]
            )
        mapped = design @ solution.T + 128.0
        left = np.abs(np.clip(mapped, 0, 255) - target).sum(axis=1)
        limit = int(TRUSTED * (len(left) - 1))
        keep = left <= np.partition(left, limit)[limit]
        inside = (mapped > _INNER_LOW) & (mapped < _INNER_HIGH)
    if float(LUMINANCE @ solution[:, :3].sum(axis=1)) < _LEAST_CONTRAST:
        return IDENTITY_MAP
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
