"""Which of two aligned pictures shows all that the other shows.

A crop is covered by the full picture and not the reverse. What lies outside the shared frame does
not count when it is an empty margin: the border or the letterbox around a copy, the corners that a
rotation left blank. An empty margin has one colour and ends in an edge where the picture begins;
the white sky that a crop cut off has no such edge, and is part of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.geometry import F64, Size, corners, project, size_of
from verify.photometry import is_flat, luminance
from verify.residual import gradient
from verify.warp import Mask

U8 = NDArray[np.uint8]

# Rounding of a crop to whole pixels and the softness of a refined map.
_SLACK = 0.012
_MARGIN_SPREAD = 7.0
_MARGIN_STEP = 6.0
_EDGE_RATIO = 1.6
_EDGE_OFFSET = 3.0
# Measured on 17 pictures: pastes into screens and other pictures have a median of 0.89, but for
# white on white; 204 crops 0.08, and but for two of a printed page at most 0.40.
_EDGE_SHARE = 0.4
_AROUND = (29, 29)
_FLATTER_OUTSIDE = 0.45
_SAME_COLOUR = 6.0
# Longer side of an image from which on so many pixels across count as touched by the picture.
_BLEEDING = ((320, 7), (160, 5), (0, 3))
# How far out a strip beside the picture is looked at, pixels, and how far the picture's colour is
# from its own, grey levels; letters may reach into it.
_STRIP, _STRIP_STEP, _STRIP_PLAIN = 6, 12.0, 0.85
# Of a frame, what the corners take that a turned copy has lost, or has left blank; how plain they
# are then; degrees.
_CORNERS, _BLANK, _LEAST_TURN = 0.08, 0.98, 1.5
# How far beside an empty margin the picture is looked at, pixels.
_RING = 8


@dataclass(frozen=True, slots=True)
class FrameShare:
    """How much of one image's frame the other shows.

    Attributes:
        seen: share of the frame that lies inside the other's frame.
        lost: share that lies outside of it and is no empty margin.
        margin: share that lies outside of it and is an empty margin.
        is_pasted: the other's picture ends in an edge inside this image, with something else
            around it: a screenshot, a collage, a page with the picture on it.
        plain: of what lies outside, the share that has one grey level, as screens have around a
            picture; 0 where nothing was pasted.
    """

    seen: float
    lost: float
    margin: float
    is_pasted: bool
    plain: float = 0.0


def frame_share(image: U8, other: Size, homography: F64) -> FrameShare:
    """How much of `image` is inside the frame of the other image.

    Args:
        image: uint8 RGB (h, w, 3).
        other: size of the other image.
        homography: pixels of `image` to pixels of the other, float64 (3, 3).
    """
    size = size_of(image)
    if _is_within(size, other, homography):
        return FrameShare(seen=1.0, lost=0.0, margin=0.0, is_pasted=False)
    inside = (
        cv2.warpPerspective(
            np.full((other.height, other.width), 255, np.uint8),
            homography,
            (size.width, size.height),
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        )
        > 0
    )
    seen = float(inside.mean())
    outside = ~inside
    share = 1.0 - seen
    if share <= _SLACK:
        return FrameShare(seen=seen, lost=0.0, margin=0.0, is_pasted=False)
    margin = _empty_margin(image, outside)
    empty = float(margin.mean())
    lost = max(0.0, share - empty)
    if lost <= _SLACK:
        return FrameShare(seen=seen, lost=0.0, margin=empty, is_pasted=False)
    if lost <= _CORNERS and _is_turned(size, homography):
        # Screens and collages with so little beside the picture do not show it askew.
        is_blank = float(is_flat(luminance(image))[outside].mean()) >= _BLANK
        left = 0.0 if is_blank else lost
        return FrameShare(seen=seen, lost=left, margin=share - left, is_pasted=False)
    is_pasted = _ends_in_an_edge(image, inside, margin)
    plain = float(is_flat(luminance(image))[outside].mean()) if is_pasted else 0.0
    return FrameShare(seen=seen, lost=lost, margin=empty, is_pasted=is_pasted, plain=plain)


def _is_within(size: Size, other: Size, homography: F64) -> bool:
    """True when the whole frame is inside the other's, as those of resized copies are."""
    x, y = project(homography, corners(size)).T
    return bool(
        min(x.min(), y.min()) >= -0.51
        and x.max() <= other.width - 0.49
        and y.max() <= other.height - 0.49
    )


def _is_turned(size: Size, homography: F64) -> bool:
    """True when the two are turned against each other otherwise than by quarters."""
    across = np.array([[0.25, 0.5], [0.75, 0.5]]) * [size.width, size.height]
    (left, right) = project(homography, across)
    turned = float(np.degrees(np.arctan2(*(right - left)[::-1]))) % 90.0
    return min(turned, 90.0 - turned) >= _LEAST_TURN


def _empty_margin(image: U8, outside: Mask) -> Mask:
    """The parts of `outside` that have one colour and end in an edge, bool (h, w)."""
    # The map is good to a pixel or two, and compression bleeds the picture into its border. Of a
    # thumbnail, the corners that a rotation left blank are hardly wider than that.
    bleeding = next(width for side, width in _BLEEDING if max(outside.shape) >= side)
    core = cv2.erode(
        outside.astype(np.uint8), np.ones((bleeding, bleeding), np.uint8),
        borderType=cv2.BORDER_CONSTANT, borderValue=1,
    )  # fmt: skip
    # A hairline is all bleeding, but for its outermost pixels.
    kernel = np.ones((bleeding + 2, bleeding + 2), np.uint8)
    thin = outside & ~np.asarray(cv2.dilate(core, kernel) > 0)
    hairline = thin.copy()
    hairline[1:-1, 1:-1] = False
    sure: list[_Part] = []
    unsure: list[_Part] = []
    for part in [*_parts(image, outside, core > 0), *_parts(image, outside, hairline)]:
        if part.is_of_one_colour:
            (sure if part.ends_in_a_step else unsure).append(part)
    # A dark picture hides the step to its black border; the other sides of the border tell.
    known = [part.colour for part in sure]
    sure += [
        part
        for part in unsure
        if any(float(np.abs(part.colour - colour).max()) < _SAME_COLOUR for colour in known)
    ]
    result = np.zeros(outside.shape, dtype=bool)
    for part in sure:
        grown = cv2.dilate(part.pixels.astype(np.uint8), kernel) > 0
        result[part.window] |= np.asarray(grown) & outside[part.window]
    return result


def _parts(image: U8, outside: Mask, pixels: Mask) -> Iterator[_Part]:
    """The connected parts of what lies outside, as far as these pixels of it go."""
    count, labels, boxes, _centres = cv2.connectedComponentsWithStats(pixels.astype(np.uint8))
    for label in range(1, count):
        yield _Part.of(image, outside, np.asarray(labels), label, np.asarray(boxes)[label])


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A connected part of what lies outside the shared frame.

    Attributes:
        window: rows and columns of the image that hold it, with a margin.
        pixels: bool, which pixels of the window are the part.
        colour: float64 (3,), its median.
        is_of_one_colour: nothing else is on it.
        ends_in_a_step: the picture beside it has another colour.
    """

    window: tuple[slice, slice]
    pixels: Mask
    colour: NDArray[np.float64]
    is_of_one_colour: bool
    ends_in_a_step: bool

    @classmethod
    def of(
        cls, image: U8, outside: Mask, labels: NDArray[np.integer], label: int,
        box: NDArray[np.integer],
    ) -> _Part:  # fmt: skip
        left, top, width, height = (int(value) for value in box[:4])
        window = (
            slice(max(0, top - _RING), top + height + _RING),
            slice(max(0, left - _RING), left + width + _RING),
        )
        pixels = labels[window] == label
        rgb = image[window]
        inside = rgb[pixels]
        colour = np.median(inside[:: len(inside) // 4000 + 1], axis=0)
        deviation = np.abs(rgb.astype(np.float32) - colour.astype(np.float32))
        largest = np.maximum(np.maximum(deviation[..., 0], deviation[..., 1]), deviation[..., 2])
        of_part = largest[pixels]
        is_plain = (
            float(np.quantile(of_part, 0.97)) <= _MARGIN_SPREAD * 2
            and float(of_part.mean()) <= _MARGIN_SPREAD
        )
        has_step = False
        if is_plain:
            kernel = np.ones((2 * _RING + 1, 2 * _RING + 1), np.uint8)
            near = np.asarray(cv2.dilate(pixels.astype(np.uint8), kernel) > 0) & ~outside[window]
            has_step = not near.any() or float(np.median(largest[near])) >= _MARGIN_STEP
        return cls(window, pixels, np.asarray(colour, dtype=np.float64), is_plain, has_step)


def _is_a_strip(image: U8, outside: Mask, within: Mask) -> bool:
    """True when all along the line one colour begins that the picture does not have there.

    Below it may be a caption.
    """
    if not outside.any() or not within.any():
        return False
    beyond = image[outside].astype(np.float32)
    colour = np.median(beyond, axis=0)
    is_plain = np.abs(beyond - colour).max(axis=1) <= 2 * _MARGIN_SPREAD
    step = np.abs(image[within].astype(np.float32) - colour).max(axis=1)
    return float(is_plain.mean()) >= _STRIP_PLAIN and float(np.median(step)) >= _STRIP_STEP


def _ends_in_an_edge(image: U8, inside: Mask, margin: Mask) -> bool:
    """True when the picture does not go on across the line where the other's frame ends."""
    picture = inside.astype(np.uint8)
    # In the frame's own border there is no line to look at.
    framed = cv2.copyMakeBorder(picture, 1, 1, 1, 1, cv2.BORDER_REPLICATE)

    def distance_band(outer: int, inner: int) -> Mask:
        grown = cv2.dilate(framed, np.ones((2 * outer + 1, 2 * outer + 1), np.uint8))
        shrunk = cv2.erode(framed, np.ones((2 * inner + 1, 2 * inner + 1), np.uint8))
        return np.asarray((grown > 0) & ~(shrunk > 0))[1:-1, 1:-1]

    line = distance_band(2, 2) & ~margin
    near = distance_band(14, 14) & ~distance_band(7, 7) & ~margin
    if not line.any() or not near.any():
        return False
    strip = distance_band(_STRIP, 0) & ~distance_band(2, 2) & ~margin & ~inside
    if _is_a_strip(image, strip, distance_band(0, _RING) & inside):
        return True
    grey = luminance(image)
    outside = distance_band(12, 0) & ~distance_band(2, 2) & ~margin & ~inside
    within = distance_band(0, 12) & ~distance_band(2, 2) & inside
    if outside.any() and within.any():
        flat = is_flat(grey)
        if float(flat[outside].mean()) - float(flat[within].mean()) > _FLATTER_OUTSIDE:
            return True
    slope = np.asarray(cv2.dilate(gradient(grey), np.ones((5, 5), np.uint8)))
    # Each point of the line against its own surroundings: a crop of a skyline runs through plain
    # sky and busy roofs, whose common median says nothing of either.
    weight = near.astype(np.float32)
    around = cv2.boxFilter(slope * weight, -1, _AROUND) / (
        cv2.boxFilter(weight, -1, _AROUND) + 1e-6
    )
    is_edge = slope > _EDGE_RATIO * np.asarray(around) + _EDGE_OFFSET
    return bool(is_edge[line].mean() > _EDGE_SHARE)
