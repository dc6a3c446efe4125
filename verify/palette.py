"""The colours of what was laid over a picture, and places that have none of them.

Letters have a colour, and an outline may have another. Where they cover something that catches the
eye, the clean picture surprises and the letters do not; but it is their colours that are seen
there. Where others are, something else has changed as well.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.warp import Mask

F32 = NDArray[np.float32]

# Pixels that tell a colour, and longer side of the frame on which they are less than a letter.
_FEWEST, _LEAST_SIDE = 20, 160
# Of the surprise in a place, the share on the clean side: of the letters themselves at most, and
# from which on a place is doubtful; and how much surprise there is to be at least.
_OF_LETTERS, _DOUBTFUL, _LEAST_SURPRISE = 0.3, 0.6, 60.0
# Grey levels. Of 231 texts on photographs, five have a doubtful place whose colour is further from
# theirs; of 32 with something else changed as well, which nothing else told, fourteen.
_ANOTHER_COLOUR = 55.0
_ROUNDS = 8


def has_another_colour(changed: Mask, clean_side: F32, overlaid_side: F32, colours: F32) -> bool:
    """True when a place that surprises on the clean side has no colour of what was laid over it.

    Args:
        changed: bool (h, w), n pixels of which are True.
        clean_side, overlaid_side: float32 (n,), by how much each of the two surprises there.
        colours: float32 (n, 3), RGB of the overlaid picture there.
    """
    if max(changed.shape) < _LEAST_SIDE:
        return False
    _, labels = cv2.connectedComponents(changed.astype(np.uint8), connectivity=8)
    of_place = np.asarray(labels)[changed]
    pixels = np.bincount(of_place)
    surprise = np.bincount(of_place, clean_side)
    share = surprise / np.maximum(1e-6, surprise + np.bincount(of_place, overlaid_side))
    is_large = pixels >= _FEWEST
    doubtful = is_large & (share >= _DOUBTFUL) & (surprise >= _LEAST_SURPRISE)
    if not doubtful.any():
        return False
    letters = (is_large & (share < _OF_LETTERS))[of_place]
    core = np.asarray(cv2.erode(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)[changed]
    known = letters & core if int((letters & core).sum()) >= _FEWEST else letters
    if int(known.sum()) < _FEWEST:
        return False
    away = _distance(colours, *_two_colours(colours[known]))
    return any(
        float(np.median(away[of_place == place])) > _ANOTHER_COLOUR
        for place in np.flatnonzero(doubtful)
    )


def _two_colours(colours: F32) -> tuple[F32, F32]:
    """The means of the two groups that colours (n, 3) fall into (Lloyd's algorithm)."""
    grey = colours.sum(axis=1)
    is_light = grey > np.median(grey)
    first = last = colours.mean(axis=0)
    for _ in range(_ROUNDS):
        if is_light.all() or not is_light.any():
            break
        first, last = colours[~is_light].mean(axis=0), colours[is_light].mean(axis=0)
        is_light = ((colours - last) ** 2).sum(axis=1) < ((colours - first) ** 2).sum(axis=1)
    return first, last


def _distance(colours: F32, first: F32, last: F32) -> F32:
    """How far each colour (n, 3) is from those between two, float32 (n,)."""
    along = last - first
    share = np.clip((colours - first) @ along / max(1e-6, float(along @ along)), 0.0, 1.0)
    nearest = first + share[:, None] * along
    return np.asarray(np.sqrt(((colours - nearest) ** 2).sum(axis=1)), np.float32)
