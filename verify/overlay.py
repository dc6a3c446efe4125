"""Changed places: something laid over the picture, or another picture?

What is laid over a picture ends in an edge that the clean picture does not have, all along its
outline, and the clean picture has no edge of its own there. A changed digit, another line of text
or a moved person has outlines on both sides, or some places change one way and some the other.
(Edges inside the changed places say less: a flat sticker over a hedge has fewer than the hedge.)
And where the clean picture is paper, print or a screen, a missing word is content, not decoration:
nothing is believed to be an overlay there.

Measured on 15 kinds of look-alikes and four kinds of overlay: outlines of text and watermarks have
a median of 0.02 on the clean side for 1 on the other, changed digits, labels and moved objects
never less than 0.04 and, but for single digits on print, 0.09.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.photometry import is_flat, luminance
from verify.residual import (
    F32,
    AlignedPair,
    Mask,
    Residual,
    gradient,
    tile_agreement,
    worst_window,
)

U8 = NDArray[np.uint8]

_JOIN = 9
_MIN_PIXELS = 6
_LARGE_PLACE = 0.04
_INK_SPREAD = 30.0
_INK_SHARE = 0.2
_INK_PURITY = 0.6
_EDGE_TOLERANCE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Changes:
    """The unexplained places of an aligned pair.

    Attributes:
        places: number of separate changed places.
        changed_share: unexplained pixels as a share of those compared.
        region_share: the places with a margin, as a share of the pixels compared.
        extent: longer side of the box around all places, as a share of the frame.
        outline_a, outline_b: strength of the outlines that only a (only b) shows.
        contrast_a, contrast_b: strength of all edges of a (of b) along the outlines.
        opposed: share of the outlines in places that change against the main direction.
        worst_place: two-sidedness of the place where it is worst, small places left out; 1 when
            such a place changes against the main direction.
        ink_in_clean: share of the changed pixels of the cleaner image that have the colour of what
            is laid over the other: a thing that moved leaves its colour in both.
        paper_a, paper_b: how much of a's (b's) picture is like paper: the larger of the share that
            is flat to the last grey level and the share close to the commonest grey level. 0 when
            nothing changed.
        paper_around: share that is flat close to the changed places, of the cleaner image.
        solid_share: share of the changed pixels further than four from any unchanged one: letters
            have next to none, a person or a disc has most.
        agreement_elsewhere: share of textured windows away from the places that agree.
        worst_elsewhere: lowest correlation of a window of a character's size away from the places.
    """

    places: int
    changed_share: float
    region_share: float
    extent: float
    outline_a: float
    outline_b: float
    contrast_a: float
    contrast_b: float
    opposed: float
    worst_place: float
    ink_in_clean: float
    paper_a: float
    paper_b: float
    paper_around: float
    agreement_elsewhere: float
    worst_elsewhere: float
    solid_share: float = 0.0

    @property
    def overlay_is_on_b(self) -> bool:
        """True when the outlines of the changed places are b's."""
        return self.outline_b >= self.outline_a

    @property
    def two_sidedness(self) -> float:
        """0 when all the outlines are on one side, 1 when both have as many."""
        return _balance(self.outline_a, self.outline_b)

    @property
    def contrast_balance(self) -> float:
        """The same for all edges along the outlines; texture under an overlay raises it."""
        return _balance(self.contrast_a, self.contrast_b)


def find_changes(pair: AlignedPair, residual: Residual) -> Changes:
    """Describes the unexplained places of an aligned pair."""
    mask = residual.mask
    compared = max(1, int(mask.sum()))
    if not residual.unexplained.any():
        return _no_changes(residual)
    joined = cv2.dilate(residual.unexplained.astype(np.uint8), np.ones((_JOIN, _JOIN), np.uint8))
    count, labels, boxes, _centres = cv2.connectedComponentsWithStats(joined)
    pixels = np.bincount(labels[residual.unexplained], minlength=count)
    real = [i for i in range(1, count) if pixels[i] >= _MIN_PIXELS]
    if not real:
        return _no_changes(residual)
    flat_a, flat_b = is_flat(luminance(pair.a)), is_flat(luminance(pair.b))
    paper_a = max(float(flat_a[mask].mean()), _commonest_share(residual.a, mask))
    paper_b = max(float(flat_b[mask].mean()), _commonest_share(residual.b, mask))
    wanted = np.zeros(count, dtype=bool)
    wanted[real] = True
    region = wanted[labels] & mask
    outline = _outline(residual.unexplained) & region
    place = labels[outline]
    slope_a, slope_b = gradient(residual.a), gradient(residual.b)
    only_a = np.clip(slope_a - cv2.dilate(slope_b, _EDGE_TOLERANCE) - 1.0, 0, None)[outline]
    only_b = np.clip(slope_b - cv2.dilate(slope_a, _EDGE_TOLERANCE) - 1.0, 0, None)[outline]
    by_place_a = np.bincount(place, weights=only_a, minlength=count)
    by_place_b = np.bincount(place, weights=only_b, minlength=count)
    total_a, total_b = float(by_place_a.sum()), float(by_place_b.sum())
    on_b = total_b >= total_a
    against = by_place_a > by_place_b if on_b else by_place_b > by_place_a
    opposed = float((by_place_a + by_place_b)[against].sum()) / max(1e-6, total_a + total_b)
    large = pixels >= max(_MIN_PIXELS, _LARGE_PLACE * float(pixels[real].sum()))
    large[0] = False
    worst = max(
        1.0 if against[i] else _balance(float(by_place_a[i]), float(by_place_b[i]))
        for i in np.flatnonzero(large)
    )
    chosen = boxes[real]
    left, top = chosen[:, 0].min(), chosen[:, 1].min()
    right, bottom = (chosen[:, 0] + chosen[:, 2]).max(), (chosen[:, 1] + chosen[:, 3]).max()
    height, width = mask.shape
    ring = (cv2.dilate(region.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0) & mask & ~region
    clean_flat = flat_a if on_b else flat_b
    dirty, clean = (pair.b, pair.a) if on_b else (pair.a, pair.b)
    changed = residual.unexplained & region
    return Changes(
        places=len(real),
        changed_share=float(residual.unexplained[region].sum()) / compared,
        region_share=float(region.sum()) / compared,
        extent=max(float(right - left) / width, float(bottom - top) / height),
        outline_a=total_a,
        outline_b=total_b,
        contrast_a=float(slope_a[outline].sum()),
        contrast_b=float(slope_b[outline].sum()),
        opposed=opposed,
        worst_place=worst,
        ink_in_clean=_ink_in_clean(dirty[changed], clean[changed]),
        paper_a=paper_a,
        paper_b=paper_b,
        paper_around=float(clean_flat[ring].mean()) if ring.any() else 0.0,
        agreement_elsewhere=_agreement_outside(residual, region),
        solid_share=_solid_share(changed),
        worst_elsewhere=worst_window(residual.a, residual.b, mask & ~region),
    )


def paper_share(pair: AlignedPair, residual: Residual) -> float:
    """How much of the more paper-like of the two is like paper, 0..1; see `Changes`."""
    mask = residual.mask
    return max(
        max(float(is_flat(luminance(rgb))[mask].mean()), _commonest_share(grey, mask))
        for rgb, grey in ((pair.a, residual.a), (pair.b, residual.b))
    )


def _commonest_share(grey: F32, mask: Mask) -> float:
    """Share of the pixels within 10 grey levels of the commonest one."""
    counts = np.bincount(np.clip(grey[mask], 0, 255).astype(np.int64), minlength=256)
    windowed = np.convolve(counts, np.ones(21, dtype=np.int64), mode="same")
    return float(windowed.max()) / max(1, int(counts.sum()))


def _solid_share(changed: Mask) -> float:
    places = changed.astype(np.uint8)
    return float(cv2.erode(places, np.ones((9, 9), np.uint8)).sum()) / max(1, int(places.sum()))


def _ink_in_clean(dirty: U8, clean: U8) -> float:
    """How often the plain colours of the overlay occur in the clean picture's place, 0..1.

    Args:
        dirty, clean: the changed pixels of the two images, uint8 (n, 3).
    """
    step = len(dirty) // 3000 + 1
    sample, other = dirty[::step].astype(np.float32), clean[::step].astype(np.float32)
    if len(sample) < 10:
        return 0.0
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    cv2.setRNGSeed(1)
    start = np.zeros((len(sample), 1), dtype=np.int32)
    _, labels, inks = cv2.kmeans(sample, 2, start, criteria, 2, cv2.KMEANS_PP_CENTERS)
    worst = 0.0
    for number, ink in enumerate(np.asarray(inks)):
        members = sample[np.ravel(labels) == number]
        near = float((np.linalg.norm(members - ink, axis=1) < _INK_SPREAD).mean())
        if len(members) >= _INK_SHARE * len(sample) and near >= _INK_PURITY:
            found = float((np.linalg.norm(other - ink, axis=1) < _INK_SPREAD).mean())
            worst = max(worst, found)
    return worst


def _outline(unexplained: Mask) -> Mask:
    places = unexplained.astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray((cv2.dilate(places, kernel) > 0) & ~(cv2.erode(places, kernel) > 0))


def _balance(one: float, other: float) -> float:
    most = max(one, other)
    return min(one, other) / most if most > 0 else 0.0


def _no_changes(residual: Residual) -> Changes:
    return Changes(
        places=0,
        changed_share=0.0,
        region_share=0.0,
        extent=0.0,
        outline_a=0.0,
        outline_b=0.0,
        contrast_a=0.0,
        contrast_b=0.0,
        opposed=0.0,
        worst_place=0.0,
        ink_in_clean=0.0,
        paper_a=0.0,
        paper_b=0.0,
        paper_around=0.0,
        agreement_elsewhere=residual.agreeing,
        worst_elsewhere=worst_window(residual.a, residual.b, residual.mask),
    )


def _agreement_outside(residual: Residual, region: Mask) -> float:
    return tile_agreement(residual.a, residual.b, residual.mask & ~region, residual.noise).agreeing
