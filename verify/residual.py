"""The aligned pixels: what is left of the difference after everything an edit may change is out.

Two pictures on one pixel grid are brought to one grading and to one sharpness. What still differs
by more than noise and a fraction of a pixel of misalignment can explain is *unexplained*: another
line of text, another number, a moved person. Re-encoding down to quality 5, resizing, blur, noise
and grading leave no unexplained pixel in nearly all copies, while one changed digit on a label
leaves dozens.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.chroma import Chroma
from verify.grading import Grading, fit_grading
from verify.photometry import luminance
from verify.saving import UNKNOWN, Saving
from verify.specks import inside, opened, quantile, specks
from verify.warp import AlignedPair, Mask
from verify.windows import tile_agreement

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

# Sigma of the low-pass both images get: takes out sensor noise and JPEG mosquitos, keeps strokes.
_BASE_BLUR = 1.0
_BLUR_LADDER = (0.0, 0.6, 0.9, 1.3, 1.8, 2.5, 3.5, 5.0)
# The ladder is climbed until an error is so much worse than the best.
_CLIMBED = 1.1
_NOISE_FACTOR = 4.0
_NOISE_FLOOR = 0.8
_DETAIL_SHARE = 0.75
# What is laid over the picture may be half of its detail: the quieter part of it tells the noise.
_QUIET_DETAIL = 0.3
# Of normal errors, 0.3 are below 0.385 deviations; half of them are misalignment, which is allowed
# for apart.
_DETAIL_NOISE = 0.5 / 0.385
# Pixels of misalignment that are allowed for; the range of 3×3 pixels is twice the slope. Where the
# two meet better than that, less is allowed for: small print is as steep as it is small.
_MISALIGNMENT, _LEAST_MISALIGNMENT = 0.6 / 2, 0.2 / 2
# Share of the places with detail whose difference tells the misalignment, and how many times that
# is allowed for elsewhere.
_MEETING, _MEETING_FACTOR = 0.75, 3.0
_QUANTISATION = 3.0
# Noise of another grading over that of the first, up to which it may explain more: the noisier the
# difference, the less is seen in it.
_AS_QUIET = 1.1
# Deviations of the noise that the pixels of a small place have to be beyond what is allowed,
# together. Of 3,060 copies, 7 had such a place; one digit of seven pixels makes one.
_SPECK = 20.0
# Pixels across, around what clearly differs, in which smaller differences belong to it.
_EDGE_OF_CLEAR = (13, 13)
# Share of the frame below which nothing is laid over a picture, and no shape is told.
_DESCRIBED = 0.002
# Noise up to which, and longer side from which on, smaller differences mean anything: coarse
# compression and a grading taken out make as large ones, and a thumbnail has no print to read.
_FAINT_NOISE, _FAINT_SIDE = 1.1, 160
# The same for small places in another colour: JPEGs of quality 10 have 2 and more.
_FAINT_COLOUR_NOISE = 2.0
# A graded copy that ran into black or white has lost what the prediction has there.
_CLIPPING_ALLOWANCE = 12.0
_GRADED = 4.0
_LIGHT_END, _DARK_END = 250, 5
# More texture than any row of the table of thresholds asks for.
_TEXTURED_TILES, _TEXTURED_SHARE = 64, 0.25
_THREE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Residual:
    """What distinguishes two aligned images.

    Attributes:
        a, b: luminance at one grading and sharpness, float32 (h, w).
        unexplained: bool (h, w).
        mask: bool (h, w), where the two were compared.
        grading: the two in one grading, and what it took.
        noise: robust standard deviation of the difference, grey levels.
        blur: sigma that made the two equally sharp, pixels of the grid; positive when a was the
            sharper one, negative when b was.
        textured_tiles: number of 16-pixel windows (every 8 pixels) with more than noise in them.
        textured_share: the same as a share of all windows compared.
        agreeing: share of the textured windows whose correlation exceeds 0.8.
        disagreeing: share of the textured windows whose correlation is below 0.5.
        seen: share of the grid that was compared.
        plain_difference: largest difference of the raw luminance between 8×8 blocks, grey levels;
            0 where there is texture enough to decide by.
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
    seen: float
    plain_difference: float


def measure_residual(
    pair: AlignedPair, saving: Saving = UNKNOWN, least_noise: float = _NOISE_FLOOR
) -> Residual:
    """Compares two aligned images after taking out grading and sharpness.

    Args:
        saving: how the more coarsely saved one was saved.
        least_noise: deviation of the difference in grey levels that is taken for granted.
    """
    grading = fit_grading(pair.a, pair.b, pair.mask)
    residual = _measure(pair, grading, saving, least_noise)
    if grading.is_graded and residual.unexplained.any():
        # What ran into an end has no way back, and which way that is may be hard to see: a
        # grading that explains all in one direction explains it. So does a poorer one, which
        # follows a colour that only a little of the picture has as it follows the others.
        for other_grading in (
            fit_grading(pair.a, pair.b, pair.mask, against=grading),
            fit_grading(pair.a, pair.b, pair.mask, like=grading),
        ):
            other = _measure(pair, other_grading, saving, least_noise)
            is_as_quiet = other.noise <= _AS_QUIET * residual.noise
            if is_as_quiet and other.unexplained.sum() < residual.unexplained.sum():
                residual = other
    return residual


def _measure(pair: AlignedPair, grading: Grading, saving: Saving, least_noise: float) -> Residual:
    mask = pair.mask
    mask_u8 = mask.view(np.uint8)
    left, right, steepest, blur = _match_sharpness(
        _soft_grey(grading.a), _soft_grey(grading.b), mask_u8
    )
    difference = np.asarray(cv2.absdiff(left, right), dtype=np.float32)
    slope = np.asarray(cv2.dilate(steepest, _THREE), dtype=np.float32)
    noise, misalignment = _noise(difference, slope, mask)
    noise = max(noise, least_noise)
    chroma = Chroma.of(grading, mask, blur, saving)
    unexplained = _unexplained(pair, grading, _Left(difference, slope, noise, misalignment), chroma)
    tiles = tile_agreement(left, right, mask, noise)
    is_plain = tiles.textured < max(_TEXTURED_TILES, _TEXTURED_SHARE * tiles.total)
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
        seen=_seen(mask),
        plain_difference=_plain_difference(pair, mask) if is_plain else 0.0,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Left:
    """What is left of the difference, and how well the two meet.

    Attributes:
        difference: of the luminance, float32 (h, w).
        slope: the range around a pixel, float32 (h, w).
        noise: see `Residual`.
        misalignment: how much of the range the difference takes where there is detail.
    """

    difference: F32
    slope: F32
    noise: float
    misalignment: float

    def beyond(self, misalignment: float, more: F32 | float = 0.0) -> F32:
        """What noise and such a misalignment do not explain, float32 (h, w), mostly below 0."""
        allowed = cv2.addWeighted(
            self.slope, misalignment, self.slope, 0.0, _NOISE_FACTOR * self.noise + _QUANTISATION
        )
        return np.asarray(self.difference - allowed - more, dtype=np.float32)


def _unexplained(pair: AlignedPair, grading: Grading, left: _Left, chroma: Chroma) -> Mask:
    """Where the two differ by more than what is allowed, bool (h, w).

    What is laid over a picture is told by its shape, for which a pixel more or less counts: it is
    seen where half a pixel of misalignment cannot explain it. Where the two meet better than that,
    smaller differences count too, but for those at its edges: one digit of a date in the corner.
    """
    mask = pair.mask
    more: F32 | float = 0.0
    if chroma.is_off.any() or ((left.beyond(left.misalignment) > 0) & mask).any():
        # What else there is to allow for is worked out for those that need it.
        more = chroma.allowance()
        if grading.change > _GRADED:
            more = more + _CLIPPING_ALLOWANCE * _clipped(pair)
    clear = opened(((left.beyond(_MISALIGNMENT, more) > 0) | chroma.is_other) & mask)
    faint = mask & (chroma.is_off if left.noise <= _FAINT_COLOUR_NOISE else False)
    if not grading.is_graded and left.noise <= _FAINT_NOISE and max(mask.shape) >= _FAINT_SIDE:
        excess = np.maximum(left.beyond(left.misalignment, more), 0.0)
        # What lies beyond the shared frame bleeds in.
        faint |= specks(excess, inside(mask, 2), _SPECK * left.noise) & mask
    if not faint.any():
        return clear
    if int(clear.sum()) < _DESCRIBED * int(mask.sum()):
        return clear | faint
    around = np.asarray(cv2.dilate(clear.astype(np.uint8), np.ones(_EDGE_OF_CLEAR, np.uint8)) > 0)
    return clear | (faint & ~around)


def _soft_grey(rgb: U8) -> F32:
    return np.asarray(cv2.GaussianBlur(luminance(rgb), (0, 0), _BASE_BLUR), dtype=np.float32)


def _range(image: F32) -> F32:
    """Difference of the lightest and the darkest of 3×3 pixels."""
    return np.asarray(cv2.subtract(cv2.dilate(image, _THREE), cv2.erode(image, _THREE)))


def _noise(difference: F32, slope: F32, mask: Mask) -> tuple[float, float]:
    """Robust deviation of the difference, and how much of the range around a pixel it takes.

    The deviation is the larger one of that everywhere and that where there is detail: coarse
    compression leaves plain areas equal and spoils the detail.
    """
    chosen = mask[::2, ::2]
    values, slopes = difference[::2, ::2][chosen], slope[::2, ::2][chosen]
    everywhere = quantile(values, 0.5)
    edge = max(4.0, quantile(slopes, _DETAIL_SHARE))
    in_detail = slopes >= edge
    detail = values[in_detail]
    if len(detail) <= 50:
        return max(_NOISE_FLOOR, 1.4826 * everywhere), _MISALIGNMENT
    noise = max(_NOISE_FLOOR, 1.4826 * everywhere, _DETAIL_NOISE * quantile(detail, _QUIET_DETAIL))
    met = quantile(detail / slopes[in_detail], _MEETING)
    return noise, min(_MISALIGNMENT, max(_LEAST_MISALIGNMENT, _MEETING_FACTOR * met))


def _clipped(pair: AlignedPair) -> F32:
    """1 where either image runs into black or white, float32 (h, w)."""
    light = cv2.inRange(cv2.max(pair.a, pair.b), (0, 0, 0), (_LIGHT_END - 1,) * 3)
    dark = cv2.inRange(cv2.min(pair.a, pair.b), (_DARK_END + 1,) * 3, (255, 255, 255))
    inside = cv2.min(light, dark)
    return np.asarray(cv2.erode(inside, _THREE) == 0, dtype=np.float32)


def _match_sharpness(a: F32, b: F32, mask: U8) -> tuple[F32, F32, F32, float]:
    """The two equally sharp, the larger of their ranges, and the sigma that it took (`blur`)."""
    ranges = [_range(image) for image in (a, b)]
    # Ranges are no less than 0: their mean is as good as their L1 norm, which is quicker.
    slopes = [cv2.norm(values, cv2.NORM_L1, mask) for values in ranges]
    a_is_sharper = slopes[0] > slopes[1]
    sharp, soft = (a, b) if a_is_sharper else (b, a)
    sharp_range, soft_range = ranges if a_is_sharper else ranges[::-1]
    best: tuple[float, float, F32] | None = None
    for sigma in _BLUR_LADDER:
        blurred = smoothed(sharp, sigma) if sigma else sharp
        error = cv2.norm(blurred, soft, cv2.NORM_L1, mask)
        if best is None or error < best[0]:
            best = (error, sigma, blurred)
        elif error > best[0] * _CLIMBED:
            break
    assert best is not None
    _, sigma, blurred = best
    blurred_range = _range(blurred) if sigma else sharp_range
    steepest = np.asarray(cv2.max(blurred_range, soft_range), dtype=np.float32)
    if a_is_sharper:
        return blurred, soft, steepest, sigma
    return soft, blurred, steepest, -sigma


def smoothed(image: F32, sigma: float = _BASE_BLUR) -> F32:
    """The image after a Gaussian blur, float32 (h, w)."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)


def gradient(image: F32) -> F32:
    """Length of the luminance gradient, grey levels per pixel, float32 (h, w)."""
    dx = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    dy = cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return np.asarray(cv2.magnitude(dx, dy))


def _seen(mask: Mask) -> float:
    """Share of the frame that the other image shows, but for the margin that is never compared."""
    height, width = mask.shape
    return float(mask.sum()) / float(max(1, (height - 4) * (width - 4)))


def _plain_difference(pair: AlignedPair, mask: Mask) -> float:
    """Largest difference between the means of 8×8 blocks, grey levels."""
    blocks = (max(1, mask.shape[1] // 8), max(1, mask.shape[0] // 8))
    means = [
        luminance(np.asarray(cv2.resize(rgb, blocks, interpolation=cv2.INTER_AREA)))
        for rgb in (pair.a, pair.b)
    ]
    share = cv2.resize(mask.astype(np.float32), blocks, interpolation=cv2.INTER_AREA)
    covered: Mask = np.asarray(share) > 0.99
    differences: F32 = np.abs(means[0] - means[1])[covered]
    return float(np.max(differences)) if covered.any() else 255.0
