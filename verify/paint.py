"""Letters painted over a picture: in one colour, or in one with an outline in another.

What they cover may be as busy as they are, so that neither surprises less than the other. But they
were mixed from three colours only: of what was there before, of the letters, and of their outline.
So it is asked of each changed pixel whether these three explain it. What moved, and what another
picture shows under the same letters, has colours of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.colours import LUMINANCE, chroma_of
from verify.warp import Mask

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

# Weight of colour beside that of lightness, which saving spares.
_CHROMA = 0.5
# Grey levels within which a pixel has the colour of a letter, and what saving moves it by.
_SAME, _SAVED = 32.0, 10.0
# Steps of lightness and of colour among which the commonest is looked for; how far apart, in
# `_SAME`, two colours of letters are; how often a colour is put into the middle of its own.
_STEPS = (24.0, 12.0, 12.0)
_APART, _ROUNDS = 1.5, 3
_FEWEST, _FEWEST_OF_A_COLOUR = 20, 5
# The most that one pixel says of which colours were painted, grey levels.
_MOST = 100.0
# Mixtures of the two colours that are tried; colours that may be the second one, and pixels that
# are asked which of them explains most.
_MIXTURES, _TRIED, _ASKED = 9, 8, 500
# Of what the best of them leaves, and of the squared difference, what another may leave.
_NEARLY, _HARDLY = 1.5, 0.002
# Pixels across of a place that is told from the next; longer side of the frame on which strokes of
# letters are no spots. (Of 600 pairs with other changes, 100 to 160 pixels large, 20 look painted;
# of 257 with 200, none.)
_PLACE, _LEAST_SIDE = 7, 200
_THREE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Paint:
    """How well paint in two colours explains the changed places of one of two pictures.

    Attributes:
        unexplained: of the squared difference, what no mixture of the clean picture and the two
            colours explains, 0..1.
        worst: the same of the place of 7×7 pixels where it is largest, grey levels (root of the
            mean square).
        away: of the squared difference, the share by which pixels are further from the colours than
            those of the clean picture are: paint comes, it does not go. 0..1.
        covered: share of the changed pixels that have one of the colours and had it not before; 0
            on thumbnails, where spots look like letters.
    """

    unexplained: float = 1.0
    worst: float = 255.0
    away: float = 1.0
    covered: float = 0.0


NO_PAINT = Paint()


def find_paint(clean: U8, dirty: U8, changed: Mask, mask: Mask) -> Paint:
    """Looks for what was painted over the clean picture to make the dirty one.

    Args:
        clean, dirty: aligned and in one grading, uint8 RGB (h, w, 3).
        changed: bool (h, w), where the two differ.
        mask: bool (h, w), where both are seen.
    """
    # The outermost pixels of a stroke are mixed, and differ too little to be seen.
    where = (np.asarray(cv2.dilate(changed.astype(np.uint8), _THREE)) > 0) & mask
    before, after = _weighted(clean[where]), _weighted(dirty[where])
    difference = np.linalg.norm(after - before, axis=1)
    total = float((difference**2).sum())
    if len(after) < _FEWEST or total <= 0:
        return NO_PAINT
    colours = _of_paint(before, after, np.minimum(difference, _MOST))
    left = np.maximum(_from_mixtures(after, before, colours) - _SAVED, 0.0) ** 2
    there, here = _nearest(before, colours), _nearest(after, colours)
    energy = np.zeros(where.shape, np.float32)
    energy[where] = left
    of_places = cv2.blur(energy, (_PLACE, _PLACE), borderType=cv2.BORDER_CONSTANT)
    is_covered = (here < _SAME) & (there >= _SAME)
    return Paint(
        unexplained=float(left.sum()) / total,
        worst=float(np.sqrt(np.max(of_places))),
        away=float((np.maximum(here - there, 0.0) ** 2).sum()) / total,
        covered=float(is_covered.mean()) if max(mask.shape) >= _LEAST_SIDE else 0.0,
    )


def _weighted(rgb: U8) -> F32:
    """Lightness, and colour of less weight, of colours (n, 3): float32 (n, 3)."""
    values = rgb.astype(np.float64)
    weighted = np.column_stack([values @ LUMINANCE, _CHROMA * chroma_of(values)])
    return weighted.astype(np.float32)


def _of_paint(before: F32, after: F32, weights: F32) -> F32:
    """One or two colours that letters may have, float32 (k, 3), k up to 2.

    The commonest where the two differ, and the commonest of those that explain nearly all of what
    it leaves: strokes of a pixel or two are mixed with their outline nearly everywhere.
    """
    first = _commonest(after, weights, 1)
    if not len(first):
        return first
    step = len(after) // _ASKED + 1
    before, after = before[::step], after[::step]
    others = _commonest(after, weights[::step], _TRIED)
    is_apart = np.linalg.norm(others - first, axis=1) > _APART * _SAME
    pairs = [np.stack([first[0], other]) for other in others[is_apart]]
    if not pairs:
        return first
    left = np.array([_cost(_from_mixtures(after, before, pair)) for pair in pairs])
    enough = _NEARLY * left.min() + _HARDLY * float(((after - before) ** 2).sum())
    return pairs[int(np.argmax(left <= enough))]


def _cost(away: F32) -> float:
    return float((np.maximum(away - _SAVED, 0.0) ** 2).sum())


def _commonest(colours: F32, weights: F32, most: int) -> F32:
    """Colours, far from each other, that some (n, 3) crowd around: the commonest first, float32
    (k, 3), k up to `most`."""
    cells = np.floor(colours / np.array(_STEPS, np.float32)).astype(np.int64)
    _, of_cell = np.unique(cells, axis=0, return_inverse=True)
    of_cell = of_cell.ravel()
    left = weights + np.float32(1e-6)
    found: list[F32] = []
    while len(found) < most and left.any():
        cell = of_cell == int(np.bincount(of_cell, left).argmax())
        near = cell & (left > 0)
        colour = np.average(colours[near], axis=0, weights=left[near])
        for _ in range(_ROUNDS):
            near = (np.linalg.norm(colours - colour, axis=1) < _SAME) & (left > 0)
            if int(near.sum()) < _FEWEST_OF_A_COLOUR:
                break
            colour = np.average(colours[near], axis=0, weights=left[near])
        found.append(np.asarray(colour, np.float32))
        is_like_it = np.linalg.norm(colours - colour, axis=1) <= _APART * _SAME
        left = np.where(cell | is_like_it, np.float32(0), left)
    return np.array(found, np.float32).reshape(-1, 3)


def _from_mixtures(after: F32, before: F32, colours: F32) -> F32:
    """How far each colour is from all that can be mixed of the one before and of two, (n,)."""
    nearest = np.full(len(after), np.inf, np.float32)
    for share in np.linspace(0.0, 1.0, _MIXTURES if len(colours) > 1 else 1, dtype=np.float32):
        paint = (1 - share) * colours[0] + share * colours[-1]
        along = paint - before
        length = np.maximum((along * along).sum(axis=1), np.float32(1e-6))
        opacity = np.clip(((after - before) * along).sum(axis=1) / length, 0.0, 1.0)
        away = np.linalg.norm(after - before - opacity[:, None] * along, axis=1)
        nearest = np.minimum(nearest, away)
    return nearest


def _nearest(colours: F32, to: F32) -> F32:
    """How far each colour is from the nearest of some, float32 (n,)."""
    away: F32 = np.linalg.norm(colours[:, None] - to[None], axis=2).min(axis=1)
    return away
