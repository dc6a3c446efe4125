"""The aligned pixels: what is left of the difference after everything an edit may change is out.

Two pictures are brought to one pixel grid (the coarser of the two), to one tone curve and to one
sharpness. What still differs by more than noise and a third of a pixel of misalignment can explain
is *unexplained*: another line of text, another number, a moved person. Measured on 1,564 images:
re-encoding down to quality 5, resizing, blur, noise and grading leave no unexplained pixel in
nearly all copies, while one changed digit on a label leaves dozens.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.geometry import F64, Size, inverse, local_scale, project, size_of
from verify.grading import Grading, fit_grading
from verify.photometry import luminance

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Sigma of the low-pass both images get: takes out sensor noise and JPEG mosquitos, keeps strokes.
_BASE_BLUR = 1.0
_BLUR_LADDER = (0.0, 0.6, 0.9, 1.3, 1.8, 2.5, 3.5, 5.0)
_NOISE_FACTOR = 4.0
_NOISE_FLOOR = 0.8
_MISALIGNMENT = 0.6
_QUANTISATION = 3.0
# A graded copy that ran into black or white has lost what the prediction has there.
_CLIPPING_ALLOWANCE = 12.0
_GRADED = 4.0
_COLOUR_TOLERANCE = 28.0
_COLOUR_NOISE_FACTOR = 8.0
_DETAIL_SHARE = 0.75
_DETAIL_NOISE = 0.5
_TILE = 15
_CHARACTER = 9
_STRONG = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class AlignedPair:
    """Two images on one pixel grid.

    Attributes:
        a, b: uint8 (h, w, 3).
        mask: bool (h, w), where both are seen, a margin of two pixels left out.
        a_is_reference: True when the grid is a's own.
    """

    a: U8
    b: U8
    mask: Mask
    a_is_reference: bool


@dataclass(frozen=True, slots=True, eq=False)
class Residual:
    """What distinguishes two aligned images.

    Attributes:
        a, b: luminance at one tone curve and sharpness, float32 (h, w).
        unexplained: bool (h, w).
        mask: bool (h, w), where the two were compared.
        grading: the two in one grading, and what it took.
        noise: robust standard deviation of the difference, grey levels.
        blur: sigma that made the two equally sharp, pixels of the grid; positive when a was the
            sharper one, negative when b was.
        textured_tiles: number of 15-pixel windows (every 8 pixels) with more than noise in them.
        textured_share: the same as a share of all windows compared.
        agreeing: share of the textured windows whose correlation exceeds 0.8.
        disagreeing: share of the textured windows whose correlation is below 0.5.
        plain_difference: largest difference of the raw luminance between 8×8 blocks, grey levels.
    """

    a: F32
    b: F32
    unexplained: Mask
    mask: Mask
    grading: Grading
    noise: float
    blur: float
    textured_tiles: int
    textured_share: float
    agreeing: float
    disagreeing: float
    plain_difference: float


def align_pixels(a: U8, b: U8, homography: F64) -> AlignedPair | None:
    """Brings both images to the pixel grid of the coarser one.

    Args:
        a, b: uint8 RGB (h, w, 3).
        homography: pixels of a to pixels of b, float64 (3, 3).

    Returns:
        None when they hardly overlap.
    """
    size_a, size_b = size_of(a), size_of(b)
    back = inverse(homography)
    centre = project(back, np.array([[size_b.width / 2, size_b.height / 2]]))[0]
    inside = np.clip(centre, [0, 0], [size_a.width - 1, size_a.height - 1])
    scale = local_scale(homography, (float(inside[0]), float(inside[1])))
    if not np.isfinite(scale) or scale <= 0:
        return None
    if scale >= 1:
        warped, mask = _warp(b, homography, size_a, scale)
        first, second, a_is_reference = a, warped, True
    else:
        warped, mask = _warp(a, back, size_b, 1 / scale)
        first, second, a_is_reference = warped, b, False
    if int(mask.sum()) < 256:
        return None
    return AlignedPair(first, second, mask, a_is_reference)


def _warp(image: U8, homography: F64, size: Size, shrink: float) -> tuple[U8, Mask]:
    if shrink > 1.15:
        sigma = 0.5 * float(np.sqrt(shrink * shrink - 1))
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)
    shape = (size.width, size.height)
    flags = cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(
        image, homography, shape, flags=cv2.INTER_LINEAR | flags, borderMode=cv2.BORDER_REPLICATE
    )
    seen = cv2.warpPerspective(
        np.full(image.shape[:2], 255, np.uint8), homography, shape, flags=cv2.INTER_NEAREST | flags
    )
    seen = cv2.erode(seen, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(warped), np.asarray(seen > 0)


def measure_residual(pair: AlignedPair) -> Residual:
    """Compares two aligned images after taking out grading and sharpness."""
    mask = pair.mask
    grading = fit_grading(pair.a.astype(np.float32), pair.b.astype(np.float32), mask)
    grey_a, grey_b = smoothed(_grey(grading.a)), smoothed(_grey(grading.b))
    left, right, blur = _match_sharpness(grey_a, grey_b, mask)
    difference = np.abs(left - right)
    slope = cv2.dilate(np.maximum(gradient(left), gradient(right)), np.ones((3, 3), np.uint8))
    noise = _noise(difference, slope, mask)
    allowed = _NOISE_FACTOR * noise + _MISALIGNMENT * slope + _QUANTISATION
    if grading.change > _GRADED:
        allowed = allowed + _CLIPPING_ALLOWANCE * _clipped(pair).astype(np.float32)
    unexplained = (difference > allowed) & mask
    unexplained |= _other_colour(grading, mask)
    unexplained = (
        cv2.morphologyEx(unexplained.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        > 0
    )
    tiles = tile_agreement(left, right, mask, noise)
    return Residual(
        a=left,
        b=right,
        unexplained=unexplained,
        mask=mask,
        grading=grading,
        noise=noise,
        blur=blur,
        textured_tiles=tiles.textured,
        textured_share=tiles.textured / max(1, tiles.total),
        agreeing=tiles.agreeing,
        disagreeing=tiles.disagreeing,
        plain_difference=_plain_difference(luminance(pair.a), luminance(pair.b), mask),
    )


def _grey(rgb: F32) -> F32:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


def _noise(difference: F32, slope: F32, mask: Mask) -> float:
    """Robust deviation of the difference, everywhere or where there is detail: the larger.

    Coarse compression leaves plain areas equal and spoils the detail.
    """
    values, slopes = difference[mask][::3], slope[mask][::3]
    everywhere = float(np.median(values))
    edge = max(2.0, float(np.quantile(slopes, _DETAIL_SHARE)))
    detail = values[slopes >= edge]
    in_detail = _DETAIL_NOISE * float(np.median(detail)) if len(detail) > 100 else 0.0
    return max(_NOISE_FLOOR, 1.4826 * max(everywhere, in_detail))


def _other_colour(grading: Grading, mask: Mask) -> Mask:
    """Where the colour is another one, bool (h, w)."""
    height, width = grading.a.shape[:2]
    half = (max(1, width // 2), max(1, height // 2))
    planes = []
    for image in (grading.a, grading.b):
        small = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        ycc = cv2.cvtColor(np.asarray(small), cv2.COLOR_RGB2YCrCb)
        planes.append(cv2.GaussianBlur(ycc, (0, 0), 1.0)[..., 1:])
    distance = cv2.magnitude(*cv2.split(planes[0] - planes[1]))
    inner = cv2.resize(mask.astype(np.uint8), half, interpolation=cv2.INTER_NEAREST) > 0
    noise = float(np.median(distance[inner])) if inner.any() else 0.0
    tolerance = max(_COLOUR_TOLERANCE, _COLOUR_NOISE_FACTOR * noise)
    wrong = (np.asarray(distance) > tolerance).astype(np.uint8)
    wrong = cv2.morphologyEx(wrong, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    # Chroma is coarse: what lies beyond the shared frame bleeds in.
    inner = cv2.erode(
        mask.astype(np.uint8),
        np.ones((9, 9), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    wrong = cv2.resize(wrong, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray((wrong > 0) & (inner > 0))


def _plain_difference(a: F32, b: F32, mask: Mask) -> float:
    """Largest difference between the means of 8×8 blocks, grey levels."""
    blocks = (max(1, mask.shape[1] // 8), max(1, mask.shape[0] // 8))
    difference = cv2.resize(a - b, blocks, interpolation=cv2.INTER_AREA)
    covered = cv2.resize(mask.astype(np.float32), blocks, interpolation=cv2.INTER_AREA) > 0.99
    return float(np.abs(difference[covered]).max()) if covered.any() else 255.0


def smoothed(image: F32, sigma: float = _BASE_BLUR) -> F32:
    """The image after a Gaussian blur, float32 (h, w)."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)


def gradient(image: F32) -> F32:
    """Length of the luminance gradient, grey levels per pixel, float32 (h, w)."""
    dx = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    dy = cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return np.asarray(cv2.magnitude(dx, dy))


def coarse_agreement(a: U8, b: U8, homography: F64, side: int = 192) -> float | None:
    """Share of textured windows that agree, on small copies of the images; None without texture.

    A cheap look before the full comparison: unrelated pictures and wrong maps end here.
    """
    small_a, to_a = _shrunk(a, side)
    small_b, to_b = _shrunk(b, side)
    pair = align_pixels(small_a, small_b, to_b @ homography @ inverse(to_a))
    if pair is None:
        return 0.0
    left, right = smoothed(luminance(pair.a)), smoothed(luminance(pair.b))
    tiles = tile_agreement(left, right, pair.mask, 1.5)
    return tiles.agreeing if tiles.textured >= 12 else None


def _shrunk(image: U8, side: int) -> tuple[U8, F64]:
    size = size_of(image)
    factor = side / max(size.width, size.height)
    if factor >= 1:
        return image, np.eye(3)
    target = Size(max(8, round(size.width * factor)), max(8, round(size.height * factor)))
    small = cv2.resize(image, (target.width, target.height), interpolation=cv2.INTER_AREA)
    sx, sy = target.width / size.width, target.height / size.height
    matrix = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]])
    return np.asarray(small), matrix


def _match_sharpness(a: F32, b: F32, mask: Mask) -> tuple[F32, F32, float]:
    slope_a, slope_b = (float(gradient(image)[mask].mean()) for image in (a, b))
    a_is_sharper = slope_a > slope_b
    sharp, soft = (a, b) if a_is_sharper else (b, a)
    best: tuple[float, float, F32] | None = None
    for sigma in _BLUR_LADDER:
        blurred = smoothed(sharp, sigma) if sigma else sharp
        error = float(np.abs(blurred - soft)[mask][::3].mean())
        if best is None or error < best[0]:
            best = (error, sigma, blurred)
        elif error > best[0] * 1.1:
            break
    assert best is not None
    _, sigma, blurred = best
    return (blurred, soft, sigma) if a_is_sharper else (soft, blurred, -sigma)


def _clipped(pair: AlignedPair) -> Mask:
    ends = [(rgb.max(axis=2) >= 250) | (rgb.min(axis=2) <= 5) for rgb in (pair.a, pair.b)]
    near = cv2.dilate((ends[0] | ends[1]).astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(near > 0)


def worst_window(a: F32, b: F32, mask: Mask) -> float:
    """Lowest correlation of the two in a window of 9×9 pixels with strong contrast, -1..1.

    Keeps what is as small as a character: a window of its size sees another digit although single
    pixels of it stay within what its own steep edges allow. Measured on 12 pictures and 17 edits,
    copies stay above 0.9 unless a grading clipped them (0.77); 90 pairs of labels that differ in
    one digit of 10 pixels are at most at 0.77. Digits of 8 pixels reach 0.93.

    Args:
        a, b: luminance at one tone curve and sharpness, float32 (h, w).
        mask: bool (h, w); windows that leave it do not count.

    Returns:
        1 when no window has strong contrast.
    """
    size = (_CHARACTER, _CHARACTER)
    mean_a, mean_b = cv2.boxFilter(a, -1, size), cv2.boxFilter(b, -1, size)
    var_a = cv2.boxFilter(a * a, -1, size) - mean_a * mean_a
    var_b = cv2.boxFilter(b * b, -1, size) - mean_b * mean_b
    inside = cv2.erode(
        mask.astype(np.uint8),
        np.ones(size, np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    strong = (inside > 0) & (np.maximum(var_a, var_b) > _STRONG * _STRONG)
    if not strong.any():
        return 1.0
    covariance = cv2.boxFilter(a * b, -1, size) - mean_a * mean_b
    spread = np.sqrt(np.maximum(var_a, 0) * np.maximum(var_b, 0) + 1.0)
    return float((np.asarray(covariance) / spread)[strong].min())


@dataclass(frozen=True, slots=True)
class Tiles:
    total: int
    textured: int
    agreeing: float
    disagreeing: float


def tile_agreement(a: F32, b: F32, mask: Mask, noise: float) -> Tiles:
    weight = mask.astype(np.float32)
    window = (_TILE, _TILE)
    step = (slice(_TILE // 2, None, 8), slice(_TILE // 2, None, 8))

    def mean(image: F32) -> F32:
        return np.asarray(cv2.boxFilter(image * weight, -1, window)[step])

    share = np.asarray(cv2.boxFilter(weight, -1, window)[step])
    safe = share + 1e-6
    mean_a, mean_b = mean(a) / safe, mean(b) / safe
    var_a = np.maximum(mean(a * a) / safe - mean_a * mean_a, 0)
    var_b = np.maximum(mean(b * b) / safe - mean_b * mean_b, 0)
    covariance = mean(a * b) / safe - mean_a * mean_b
    usable = share > 0.8
    textured = (np.maximum(var_a, var_b) > 9 * noise * noise) & usable
    correlation = covariance / np.sqrt(var_a * var_b + 1e-3)
    count = int(textured.sum())
    values = correlation[textured]
    return Tiles(
        total=int(usable.sum()),
        textured=count,
        agreeing=float((values > 0.8).mean()) if count else 0.0,
        disagreeing=float((values < 0.5).mean()) if count else 0.0,
    )
