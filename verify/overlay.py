"""Changed places: something laid over the picture, or another picture?

Where something was laid over a picture, the clean picture goes on from its surroundings and the
other does not. Both are compared with a prediction from around the changed places: under text or
a sticker all of the surprise is on one side. A changed number, another line or a moved person
surprises on both sides: what the one shows here, the other shows there. And through a watermark
the picture is still to be seen, only weaker.

Where the clean picture is paper, print or a screen, a missing word is content, not decoration:
nothing is believed to be an overlay there. Nor is anything solid, unless it has the one flat colour
to the last grey level that drawn things have and photographed ones do not.

Measured on 108 overlaid copies and 540 pairs of look-alikes (half of them on photographs): 90 % of
the text has a surprise on the clean side of at most 0.10 (0.20 at half size); moved things have at
least 0.10, where they are not solid 0.15, and labels with another number 0.29. What shows through
a watermark correlates by 0.65 to 0.96, all else by 0.52 at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.ground import clean_paper
from verify.paint import NO_PAINT, Paint, find_paint
from verify.palette import has_another_colour
from verify.photometry import is_flat, luminance
from verify.places import JOIN, Lines, Places, find_places, line_of
from verify.residual import F32, Residual
from verify.veil import Veil, fit_veil
from verify.warp import AlignedPair, Mask
from verify.windows import tile_agreement, worst_window

U8 = NDArray[np.uint8]

# Slope of the softened places on their outline.
_OUTLINE = 0.3 / 8
_LARGE_PLACE, _LARGE_PIXELS = 0.04, 12
# How far the surroundings reach into a changed place, pixels; four times as far where it is wide.
_REACH = 3.0
_FAR_WEIGHT = 0.03
# Variance of colour that is no surprise anywhere, and the most that one pixel may say.
_PLAIN_VARIANCE = 100.0
_MOST_SURPRISE = 9.0
# Strokes of letters are thinner than this, as a share of the frame's longer side and in pixels.
_SOLID, _SOLID_PIXELS = 0.022, 11
# Of 445 texts and watermarks, 0.02 have more than 0.75 of their pixels in such spots, and the most
# is 0.88; of 40 pictures with specks, the least is 0.92.
_SPOT_FILLS, _SPOT_ASPECT, _SPOT_PIXELS = 0.6, 2, 4
# Mean detail in grey levels of a plain wall.
_DETAIL_FLOOR = 0.3
_HOPELESS_AGREEMENT, _HOPELESS_WINDOW = 0.75, 0.60
_MIN_CORE = 40
_MAX_CORE = 3000
# Correlation from which on a veil is looked for.
_VEILED, _NO_VEIL = 0.45, Veil()
_SURELY_VEILED, _SURELY_ONE_SIDED = 0.55, 0.10
_NOT_CLIPPED = (12.0, 250.0)
# What shows through the letters of watermarks correlates by so much; how far around them is theirs.
_CLEAR, _BESIDE_A_VEIL = 0.75, np.ones((19, 19), np.uint8)
# Standard deviation in grey levels that the clean picture has to have for something to show, and
# how much weaker it may become.
_VEIL_TEXTURE = 15.0
_LEAST_SEEN, _MOST_SEEN = 0.25, 0.92


@dataclass(frozen=True, slots=True)
class Changes:
    """The unexplained places of an aligned pair.

    Attributes:
        places: number of separate changed places.
        changed_share: unexplained pixels as a share of those compared.
        region_share: the places with a margin, as a share of the pixels compared.
        extent: longer side of the box around all places, as a share of the frame.
        line_extent: the same of the largest line of places that stand close to each other.
        beside: share of the changed pixels that are in no line of some length.
        overlay_is_on_b: True when b is the one with something laid over it.
        opposed: share of the surprise that is on the clean side, 0..0.5.
        worst_place: the same of the place where it is largest, small places left out, 0..1.
        has_another_colour: in some place the clean one surprises, and the other has no colour there
            that what was laid over the picture has elsewhere.
        outlined: how much steeper the overlaid one is than the other across the outlines of the
            changed places, -1..1; a thing that moved has its outlines in both.
        sharply_outlined: the same on the pixels as they are, not softened: strokes that are a pixel
            or two wide have their edges there.
        translucency: correlation of the two in the middle of the changed places: the clean picture
            shows through; 0 where it would not be weaker there, or has nothing to show.
        paint: how well paint in two colours explains the changed places, where they are letters.
        veil: the line from the clean picture to the other in the changed places, if there is one.
        detail_kept: detail of the clean picture in the changed places, for that around them; what
            was painted over with its surroundings has none.
        detail_added: the same of the other picture: strokes of letters have a multiple.
        solid_share: share of the changed pixels that are further inside than strokes of letters
            reach; a person, a disc or a sticker has most.
        textured_solid_share: those of them that are not of one flat colour.
        spotted: share of the changed pixels in spots, which are about as wide as high and fill
            their box: birds, moles and dust, not strokes of letters.
        strewn: the largest line of places is of spots that stand apart.
        paper: how much of the clean picture is like paper, see `photometry.paper_likeness`; of
            the more paper-like of the two where one may have grain.
        paper_around: share that is flat close to the changed places, of the clean picture.
        agreement_elsewhere: share of textured windows away from the places that agree.
        worst_elsewhere: lowest correlation of a window of a character's size away from the places.
    """

    agreement_elsewhere: float
    worst_elsewhere: float
    places: int = 0
    changed_share: float = 0.0
    region_share: float = 0.0
    extent: float = 0.0
    line_extent: float = 0.0
    beside: float = 0.0
    overlay_is_on_b: bool = True
    opposed: float = 0.0
    worst_place: float = 0.0
    has_another_colour: bool = False
    outlined: float = 0.0
    sharply_outlined: float = 0.0
    translucency: float = 0.0
    veil: Veil = _NO_VEIL
    paint: Paint = NO_PAINT
    detail_kept: float = 1.0
    detail_added: float = 1.0
    solid_share: float = 0.0
    textured_solid_share: float = 0.0
    spotted: float = 0.0
    strewn: bool = False
    paper: float = 0.0
    paper_around: float = 0.0


def find_changes(pair: AlignedPair, residual: Residual) -> Changes:
    """Describes the unexplained places of an aligned pair."""
    mask = residual.mask
    if not residual.unexplained.any():
        worst = worst_window(residual.a, residual.b, mask, residual.noise)
        return Changes(residual.agreeing, worst)
    places = find_places(residual.unexplained)
    region = places.region & mask
    agreement, worst = residual.agreeing, 1.0
    if places.count:
        agreement = tile_agreement(residual.a, residual.b, mask & ~region, residual.noise).agreeing
    line = line_of(region)
    worst = worst_window(residual.a, residual.b, mask & ~line, residual.noise)
    if not places.count:
        return Changes(agreement, worst)
    compared = max(1, int(mask.sum()))
    changed = residual.unexplained & region
    total = max(1, int(changed.sum()))
    if agreement < _HOPELESS_AGREEMENT or worst < _HOPELESS_WINDOW:
        # No row of the table of thresholds lets this through, whatever was laid over it.
        return Changes(
            agreement,
            worst,
            places.count,
            total / compared,
            float(region.sum()) / compared,
            opposed=0.5,
        )
    surprise = _surprise(residual, changed, places)
    on_b, opposed = surprise.is_on_b, surprise.opposed
    veil_is_on_b, translucency = _translucency(residual, changed)
    if translucency >= _CLEAR:
        # The ends of faint letters are no changed pixels, and no pictures of their own.
        around = cv2.dilate(line.astype(np.uint8), _BESIDE_A_VEIL) > 0
        worst = worst_window(residual.a, residual.b, mask & ~around, residual.noise)
    if translucency > _SURELY_VEILED and opposed > _SURELY_ONE_SIDED:
        # Under a veil the texture goes on and surprises on both sides.
        on_b = veil_is_on_b
    dirty, clean = (pair.b, pair.a) if on_b else (pair.a, pair.b)
    matched = (residual.a, residual.b) if on_b else (residual.b, residual.a)
    clean_grey = luminance(clean)
    clean_flat = is_flat(clean_grey)
    ring = (cv2.dilate(region.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0) & mask & ~region
    solid = _solid(changed)
    drawn = _is_drawn(luminance(dirty))
    height, width = mask.shape
    left, top, right, bottom = places.box
    lines = Lines.of(line)
    outlined, sharply_outlined = _outlined(residual, changed, on_b=on_b)
    graded = (residual.grading.a, residual.grading.b)
    graded = graded if on_b else graded[::-1]
    return Changes(
        agreement_elsewhere=agreement,
        worst_elsewhere=worst,
        places=places.count,
        changed_share=total / compared,
        region_share=float(region.sum()) / compared,
        extent=max((right - left) / width, (bottom - top) / height),
        line_extent=float(lines.extents.max()),
        beside=lines.beside(changed),
        overlay_is_on_b=on_b,
        opposed=opposed,
        worst_place=surprise.worst_place,
        has_another_colour=surprise.has_another_colour,
        outlined=outlined,
        sharply_outlined=sharply_outlined,
        translucency=translucency,
        veil=fit_veil(*matched, changed, places) if translucency >= _VEILED else _NO_VEIL,
        paint=find_paint(*graded, changed, mask),
        detail_kept=_relative_detail(clean_grey, changed, ring),
        detail_added=_relative_detail(luminance(dirty), changed, ring),
        solid_share=float(solid.sum()) / total,
        textured_solid_share=float((solid & ~drawn).sum()) / total,
        spotted=_spotted(changed),
        strewn=lines.are_strewn(places),
        paper=clean_paper(clean_grey, luminance(dirty), residual),
        paper_around=float(clean_flat[ring].mean()) if ring.any() else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Surprise:
    """What is unlike its surroundings; the attributes as of `Changes`."""

    is_on_b: bool
    opposed: float
    worst_place: float
    has_another_colour: bool


def _surprise(residual: Residual, changed: Mask, places: Places) -> _Surprise:
    """Which of the two is overlaid, and how much of the surprise is on the other side.

    Both are compared with the mean colour around the changed places; a pixel's surprise is the
    difference of the squared distances over the variance of colour around it, so that in a hedge
    a pixel says less than in the sky.
    """
    a, b = residual.grading.a, residual.grading.b
    known = residual.mask & ~(cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    mean, variance = _from_around(np.asarray(cv2.addWeighted(a, 0.5, b, 0.5, 0)), known)
    a, b = a[changed].astype(np.float32), b[changed].astype(np.float32)
    expected, doubt = mean[changed], variance[changed] + _PLAIN_VARIANCE
    of_a = ((a - expected) ** 2).sum(axis=1)
    of_b = ((b - expected) ** 2).sum(axis=1)
    surprise = np.clip((of_b - of_a) / doubt, -_MOST_SURPRISE, _MOST_SURPRISE)
    on_b = bool(surprise.sum() >= 0)
    clean_side = np.maximum(-surprise if on_b else surprise, 0)
    weight = np.abs(surprise)
    opposed = float(clean_side.sum()) / max(1e-6, float(weight.sum()))
    dirty = np.asarray(b if on_b else a, np.float32)
    label = places.labels[changed]
    pixels = np.bincount(label)
    by_place = np.bincount(label, clean_side) / np.maximum(1e-6, np.bincount(label, weight))
    large = pixels >= max(_LARGE_PIXELS, _LARGE_PLACE * len(label))
    return _Surprise(
        on_b,
        opposed,
        float(by_place[large].max(initial=0.0)),
        has_another_colour(changed, clean_side, weight - clean_side, dirty),
    )


def _outlined(residual: Residual, changed: Mask, *, on_b: bool) -> tuple[float, float]:
    """How much steeper the overlaid one is across the outlines of the changed places, -1..1.

    On busy ground what was painted over may be no more surprising than what was painted, but it
    has no edges where the strokes have theirs.

    Returns:
        On the pixels at one sharpness, and on the pixels as they are.
    """
    soft = cv2.GaussianBlur(changed.astype(np.float32), (0, 0), 1.0)
    across = _slopes(np.asarray(soft, dtype=np.float32))
    length = np.asarray(cv2.magnitude(*across), dtype=np.float32)
    places = changed.astype(np.uint8)
    grown, shrunk = (
        np.asarray(change(places, np.ones((3, 3), np.uint8)) > 0)
        for change in (cv2.dilate, cv2.erode)
    )
    outline = grown & ~shrunk & residual.mask & (length > _OUTLINE)
    if not outline.any():
        return 0.0, 0.0
    x, y = (direction[outline] / length[outline] for direction in across)

    def steepness(image: F32) -> F32:
        along_x, along_y = _slopes(image)
        return np.asarray(np.abs(along_x[outline] * x + along_y[outline] * y))

    def one_sided(a: F32, b: F32) -> float:
        steeper = steepness(b) - steepness(a)
        share = float(steeper.sum()) / max(1e-6, float(np.abs(steeper).sum()))
        return share if on_b else -share

    grading = residual.grading
    return (
        one_sided(residual.a, residual.b),
        one_sided(luminance(grading.a), luminance(grading.b)),
    )


def _slopes(image: F32) -> tuple[F32, F32]:
    """The slopes along x and along y, units a pixel, float32 (h, w)."""
    x, y = (
        np.asarray(cv2.Sobel(image, cv2.CV_32F, *order, ksize=3, scale=1 / 8), dtype=np.float32)
        for order in ((1, 0), (0, 1))
    )
    return x, y


def _from_around(rgb: U8, known: Mask) -> tuple[F32, F32]:
    """Mean colour, (h, w, 3), and variance of colour, (h, w), of the known pixels near each.

    On half-size copies: what comes from three and more pixels away is smooth.
    """
    height, width = known.shape
    half = (max(1, width // 2), max(1, height // 2))
    quarter = (max(1, half[0] // 4), max(1, half[1] // 4))
    weight = np.asarray(
        cv2.resize(known.astype(np.float32), half, interpolation=cv2.INTER_AREA), np.float32
    )
    weight[weight < 1.0] = 0.0
    small = np.asarray(cv2.resize(rgb, half, interpolation=cv2.INTER_AREA), np.float32)
    square = cv2.transform(cv2.multiply(small, small), np.ones((1, 3)))
    layers = np.dstack([small, np.asarray(square)]) * weight[..., None]

    def gathered(image: F32) -> F32:
        # A wide blur of a smaller copy: as good here, at a sixteenth of the cost.
        reduced = cv2.resize(image, quarter, interpolation=cv2.INTER_AREA)
        wide = cv2.resize(
            cv2.GaussianBlur(reduced, (0, 0), _REACH / 2), half, interpolation=cv2.INTER_LINEAR
        )
        near = cv2.GaussianBlur(image, (0, 0), _REACH / 2)
        both = cv2.addWeighted(near, 1.0, wide, _FAR_WEIGHT, 0)
        full = cv2.resize(both, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(full, dtype=np.float32)

    means = gathered(layers) / (gathered(weight) + np.float32(1e-6))[..., None]
    mean = means[..., :3]
    return mean, np.maximum(means[..., 3] - (mean * mean).sum(axis=2), 0)


def _translucency(residual: Residual, changed: Mask) -> tuple[bool, float]:
    """Which of the two has a veil over it, and how well the other shows through it, 0..1."""
    core = cv2.erode(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if int(core.sum()) < _MIN_CORE:
        return True, 0.0
    step = int(core.sum()) // _MAX_CORE + 1
    x, y = residual.a[core][::step], residual.b[core][::step]
    spread_a, spread_b = float(x.std()), float(y.std())
    if min(spread_a, spread_b) < 1.0:
        return True, 0.0
    on_b = spread_b < spread_a
    slope = min(spread_a, spread_b) / max(spread_a, spread_b)
    correlation = float(np.corrcoef(x, y)[0, 1])
    is_veil = (
        max(spread_a, spread_b) > _VEIL_TEXTURE and _LEAST_SEEN < correlation * slope < _MOST_SEEN
    )
    return on_b, max(0.0, correlation) if is_veil else 0.0


def _relative_detail(grey: F32, changed: Mask, ring: Mask) -> float:
    """Mean detail of a picture in the changed places over that around them, 1 where there is none.

    Args:
        grey: luminance of the picture as it is, float32 (h, w).
    """
    detail = np.asarray(cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), 1.0)))
    joined = cv2.morphologyEx(
        changed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((JOIN, JOIN), np.uint8)
    )
    inside = np.asarray(cv2.erode(joined, np.ones((5, 5), np.uint8)) > 0)
    if int(inside.sum()) < _MIN_CORE:
        inside = changed
    if not ring.any():
        return 1.0
    within, around = float(detail[inside].mean()), float(detail[ring].mean())
    return (within + _DETAIL_FLOOR) / (around + _DETAIL_FLOOR)


def _solid(changed: Mask) -> Mask:
    side = max(_SOLID_PIXELS, round(_SOLID * max(changed.shape))) | 1
    return np.asarray(cv2.erode(changed.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def _spotted(changed: Mask) -> float:
    """The share of the changed pixels that are in spots, 0..1."""
    _count, _labels, boxes, _centres = cv2.connectedComponentsWithStats(changed.astype(np.uint8))
    width, height, pixels = np.asarray(boxes)[1:, 2:5].T
    fills = pixels >= _SPOT_FILLS * width * height
    is_round = np.maximum(width, height) <= _SPOT_ASPECT * np.minimum(width, height)
    seen = pixels >= _SPOT_PIXELS
    return float(pixels[fills & is_round & seen].sum()) / max(1, int(pixels[seen].sum()))


def _is_drawn(grey: F32) -> Mask:
    """Where there is one flat grey level that is neither black nor white."""
    return np.asarray(is_flat(grey) & (grey > _NOT_CLIPPED[0]) & (grey < _NOT_CLIPPED[1]))
