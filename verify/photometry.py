"""Takes out what grading changes: a monotone tone curve, and saturation with white balance.

What is left after the fit is a difference of content. The model is kept poor on purpose: the tone
curve may not turn light into dark (a redrawn dark variant is another picture), and colour may be
strengthened, weakened and shifted, but not rotated (a red shirt is not a copy of a blue one).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_BINS = 32
_MIN_PER_BIN = 30
_STRETCH = 32.0


@dataclass(frozen=True, slots=True)
class ToneFit:
    """How the other image's tones map to the reference's.

    Attributes:
        mapped: the other luminance through the curve, float32 (h, w).
        change: mean absolute move of a grey level by the curve: 0 for an ungraded copy.
    """

    mapped: F32
    change: float


@dataclass(frozen=True, slots=True)
class ColourFit:
    """How the other image's colour maps to the reference's.

    Attributes:
        residual: 99th percentile of the distance left in the (Cb, Cr) plane, grey levels.
        saturation: factor that was applied to the other image's colour.
        shift: length of the colour shift, white balance included, grey levels.
        spread_a, spread_b: standard deviation of the colour of each image, grey levels.
    """

    residual: float
    saturation: float
    shift: float
    spread_a: float
    spread_b: float


def luminance(rgb: U8) -> F32:
    """Rec. 601 luminance, float32 (h, w), 0..255."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def is_flat(grey: F32) -> Mask:
    """Where five by five pixels have one grey level, as print and screens do, bool (h, w)."""
    mean = cv2.boxFilter(grey, -1, (5, 5))
    variance = cv2.boxFilter(grey * grey, -1, (5, 5)) - mean * mean
    return np.asarray(variance < 0.8)


def fit_tone(reference: F32, other: F32, mask: Mask) -> ToneFit:
    """Fits the monotone curve that best maps `other` to `reference` where `mask` is set.

    Medians of the reference given a level of the other image, so that text or a sticker over part
    of the picture does not bend the curve; made monotone by averaging the running maximum from
    below with the running minimum from above.

    Args:
        reference, other: luminance, float32 (h, w).
        mask: bool (h, w), at least one pixel set.
    """
    x, y = other[mask], reference[mask]
    if len(x) > 20_000:
        step = len(x) // 20_000 + 1
        x, y = x[::step], y[::step]
    levels, medians = _binned_medians(x, y)
    if len(levels) < 2:
        offset = float(np.median(y) - np.median(x))
        return ToneFit(np.asarray(other + np.float32(offset), dtype=np.float32), abs(offset))
    values = np.asarray(medians)
    rising = np.maximum.accumulate(values)
    falling = np.minimum.accumulate(values[::-1])[::-1]
    curve = 0.5 * (rising + falling)
    # Highlights on a dark picture lie far beyond the last of its equally filled bins: there the
    # curve goes on as steep as it was over the last stretch, to the ends of the range.
    reach = 256.0
    low, high = _end_slope(levels, curve), _end_slope(levels[::-1], curve[::-1])
    grid = np.concatenate([[levels[0] - reach], levels, [levels[-1] + reach]])
    mapped_levels = np.concatenate([[curve[0] - reach * low], curve, [curve[-1] + reach * high]])
    table = np.interp(np.arange(0, 256, 0.25), grid, mapped_levels).astype(np.float32)
    index = np.clip(other * 4.0, 0, 1023).astype(np.int32)
    change = float(np.mean(np.abs(table[index[mask]] - other[mask])))
    return ToneFit(table[index], change)


def _binned_medians(x: F32, y: F32) -> tuple[list[float], list[float]]:
    """Medians of x, and of y, in equally filled bins of x."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    # Ties stay together, or a flat area would be cut into bins that differ by chance.
    quantiles = x[np.linspace(0, len(x) - 1, _BINS + 1).astype(np.int64)[1:-1]]
    cuts = np.unique(np.searchsorted(x, quantiles)).tolist()
    bounds = [0, *(cut for cut in cuts if cut), len(x)]
    smallest = min(_MIN_PER_BIN, max(3, len(x) // 50))
    levels: list[float] = []
    medians: list[float] = []
    for start, end in itertools.pairwise(bounds):
        if end - start < smallest:
            continue
        middle = (end - start) // 2
        levels.append(float(x[start + middle]))
        medians.append(float(np.partition(y[start:end], middle)[middle]))
    return levels, medians


def _end_slope(levels: Sequence[float], curve: NDArray[np.float64]) -> float:
    """The slope of the curve over the first `_STRETCH` grey levels, or over all where fewer."""
    steps = np.abs(np.asarray(levels) - levels[0])
    end = int(np.argmax(steps >= _STRETCH)) or len(levels) - 1
    return float(np.clip(abs(curve[end] - curve[0]) / max(float(steps[end]), 1.0), 0.1, 4.0))


def fit_colour(reference_rgb: U8, other_rgb: U8, mask: Mask, blur: float = 0.8) -> ColourFit:
    """Fits saturation and white balance, and measures the colour that is left.

    The more colourful of the two is mapped to the other, so that a grey copy is explained and a
    coloured object that the other shows in another colour is not. Works at half resolution, which
    is all the colour that most JPEGs have.

    Args:
        reference_rgb, other_rgb: uint8 (h, w, 3), aligned.
        mask: bool (h, w), where to compare.
        blur: sigma in pixels of the half-size images.
    """
    half = (max(1, mask.shape[1] // 2), max(1, mask.shape[0] // 2))
    mask = cv2.resize(mask.astype(np.uint8), half, interpolation=cv2.INTER_NEAREST) > 0
    planes: list[F32] = []
    for image in (reference_rgb, other_rgb):
        small = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        ycc = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).astype(np.float32)
        planes.append(np.asarray(cv2.GaussianBlur(ycc, (0, 0), blur), dtype=np.float32))
    if int(mask.sum()) < 16:
        return ColourFit(255.0, 1.0, 0.0, 0.0, 0.0)
    spread = [float(plane[..., 1:][mask].std()) for plane in planes]
    target, source = (planes[0], planes[1]) if spread[1] >= spread[0] else (planes[1], planes[0])
    t, s = target[mask], source[mask]
    if len(t) > 20_000:
        step = len(t) // 20_000 + 1
        t, s = t[::step], s[::step]
    keep = np.ones(len(t), dtype=bool)
    coefficients = np.zeros(5)
    coefficients[0] = 1.0
    for _ in range(3):
        # Unknowns: saturation, and for each of Cr and Cb a shift and its slope with luminance.
        ts, ss = t[keep], s[keep]
        count = len(ts)
        if count < 50:
            break
        design = np.zeros((2 * count, 5))
        design[:count, 0] = ss[:, 1] - 128
        design[count:, 0] = ss[:, 2] - 128
        design[:count, 1] = 1
        design[count:, 2] = 1
        design[:count, 3] = (ss[:, 0] - 128) / 128
        design[count:, 4] = (ss[:, 0] - 128) / 128
        values = np.concatenate([ts[:, 1], ts[:, 2]]) - 128
        ridge = np.diag([1.0, 1e-3, 1e-3, 1.0, 1.0]) * count * 1e-3
        # Where there is too little colour to tell, none was changed.
        pull = ridge @ np.array([1.0, 0, 0, 0, 0])
        coefficients = np.linalg.solve(design.T @ design + ridge, design.T @ values + pull)
        coefficients[0] = np.clip(coefficients[0], 0.0, 3.0)
        error = np.hypot(*_colour_error(t, s, coefficients))
        keep = error <= max(4.0, float(np.quantile(error, 0.85)))
    left = np.hypot(*_colour_error(target[mask], source[mask], coefficients))
    return ColourFit(
        residual=float(np.quantile(left, 0.99)),
        saturation=float(coefficients[0]),
        shift=float(np.hypot(coefficients[1], coefficients[2])),
        spread_a=spread[0],
        spread_b=spread[1],
    )


def _colour_error(
    target: NDArray[np.floating], source: NDArray[np.floating], c: NDArray[np.float64]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    light = (source[..., 0] - 128) / 128
    red = c[0] * (source[..., 1] - 128) + c[1] + c[3] * light - (target[..., 1] - 128)
    blue = c[0] * (source[..., 2] - 128) + c[2] + c[4] * light - (target[..., 2] - 128)
    return red, blue
