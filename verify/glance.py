"""A cheap look at two images on small copies, before anything is compared in full."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.geometry import F64, Size, inverse, size_of
from verify.photometry import commonest_share, is_flat, luminance
from verify.residual import smoothed
from verify.warp import align_pixels
from verify.windows import Tiles, tile_agreement

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


_SIDE = 192
_THUMBNAIL = 32
_MIN_TEXTURED = 12
_NOISE = 1.5
# Two pages of one kind: the frames are alike, some windows are equal, and some are not.
_ALIKE, _ANCHORED, _CONTRADICTED = 0.80, 0.30, 0.05
_PAPER = 0.65
# Grey levels between blocks of two blank frames; more than any row of the table lets through.
_BLANK_DIFFERENCE = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """The small copies of an image.

    Attributes:
        size: of the image itself.
        small: uint8 RGB, its longer side 192 pixels or as it is.
        to_small: pixels of the image to pixels of `small`, float64 (3, 3).
        thumbnail: luminance, float32 (32, 32).
        paper: how much of it is like paper, see `verify.overlay.Changes`.
        is_blank: no texture, neither here nor in the image itself.
    """

    size: Size
    small: U8
    to_small: F64
    thumbnail: F32
    paper: float
    is_blank: bool

    @classmethod
    def of(cls, image: U8) -> Glance:
        """The glance at an image, uint8 RGB (h, w, 3)."""
        small, to_small = _shrunk(image)
        thumb = cv2.resize(small, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
        grey = luminance(small)
        everywhere = np.ones(grey.shape, dtype=bool)
        return cls(
            size=size_of(image),
            small=small,
            to_small=to_small,
            thumbnail=luminance(np.asarray(thumb)),
            paper=max(float(is_flat(grey).mean()), commonest_share(grey, everywhere)),
            is_blank=_is_blank(grey) and _is_blank(luminance(image)),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two glances under one map.

    Attributes:
        tiles: how their windows agree.
        agreement: share of textured windows that agree; None without texture.
        difference: largest difference of the luminance between blocks, grey levels.
    """

    tiles: Tiles
    difference: float

    @property
    def agreement(self) -> float | None:
        """Share of textured windows that agree; None without texture."""
        return self.tiles.agreeing if self.tiles.textured >= _MIN_TEXTURED else None


def compare(a: Glance, b: Glance, homography: F64) -> Comparison | None:
    """A cheap look before the full comparison; None when the two hardly overlap.

    Args:
        homography: pixels of a's image to pixels of b's, float64 (3, 3).
    """
    pair = align_pixels(a.small, b.small, b.to_small @ homography @ inverse(a.to_small))
    if pair is None:
        return None
    left, right = smoothed(luminance(pair.a)), smoothed(luminance(pair.b))
    difference = 0.0
    if a.is_blank and b.is_blank:
        seen = pair.mask.astype(np.float32)
        blocks = (max(1, seen.shape[1] // 8), max(1, seen.shape[0] // 8))
        means = cv2.resize((left - right) * seen, blocks, interpolation=cv2.INTER_AREA)
        difference = float(np.abs(np.asarray(means)).max())
    return Comparison(tile_agreement(left, right, pair.mask, _NOISE), difference)


def coarse_agreement(a: Glance, b: Glance, homography: F64) -> float | None:
    """Share of textured windows that agree, on small copies; None without texture.

    Unrelated pictures and wrong maps end here.

    Args:
        homography: pixels of a's image to pixels of b's, float64 (3, 3).
    """
    found = compare(a, b, homography)
    return found.agreement if found is not None else 0.0


def doubt_at_a_glance(a: Glance, b: Glance, correlation: float, found: Comparison) -> str:
    """What the full comparison would surely say against a copy; empty when it has to be made.

    Two slides of one lecture, or two pages of one form, agree in their frames and in what is
    printed on both, and nothing that is laid over paper is believed to be decoration. Two blank
    frames have to be equal all over.

    Args:
        correlation: of the two thumbnails.
        found: the two compared under the same map.
    """
    tiles = found.tiles
    if (
        correlation >= _ALIKE
        and min(a.paper, b.paper) >= _PAPER
        and tiles.textured >= _MIN_TEXTURED
        and tiles.agreeing >= _ANCHORED
        and tiles.disagreeing >= _CONTRADICTED
    ):
        return "something changed on a page, a screen or a drawing"
    if a.is_blank and b.is_blank and found.difference > _BLANK_DIFFERENCE:
        return "too little texture to be sure"
    return ""


def _is_blank(grey: F32) -> bool:
    soft = smoothed(grey)
    everywhere = np.ones(grey.shape, dtype=bool)
    return tile_agreement(soft, soft, everywhere, _NOISE).textured < _MIN_TEXTURED


def _shrunk(image: U8) -> tuple[U8, F64]:
    size = size_of(image)
    factor = _SIDE / max(size.width, size.height)
    if factor >= 1:
        return image, np.eye(3)
    target = Size(max(8, round(size.width * factor)), max(8, round(size.height * factor)))
    if factor <= 0.5:
        # Halving by area is the fastest of all resizes, and what is left to do costs a quarter.
        image = np.asarray(
            cv2.resize(image, (size.width // 2, size.height // 2), interpolation=cv2.INTER_AREA)
        )
    small = cv2.resize(image, (target.width, target.height), interpolation=cv2.INTER_AREA)
    sx, sy = target.width / size.width, target.height / size.height
    matrix = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]])
    return np.asarray(small), matrix
