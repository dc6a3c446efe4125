"""Colours as numbers: brightness, chroma, and how two sets of colours differ in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

# Values beyond these have run into black or white, and say nothing of their colour.
DARK_END, LIGHT_END = 3.0, 252.0
_COLOURLESS = 2.5
LUMINANCE = np.array([0.299, 0.587, 0.114])


def is_grey(rgb: F64) -> bool:
    """True when there is no colour at all, but for what saving adds."""
    return float(np.abs(chroma_of(rgb)).max(initial=0.0)) < _COLOURLESS


def chroma_of(rgb: F64) -> F64:
    """(Cr, Cb) around 0 of colours (n, 3), float64 (n, 2)."""
    grey = rgb @ LUMINANCE
    return np.stack([0.713 * (rgb[:, 0] - grey), 0.564 * (rgb[:, 2] - grey)], axis=1)


def saturation_factor(more: F64, less: F64) -> float:
    """The factor on `more` that best gives `less`; 1 where there is too little colour to tell."""
    more, less = more - more.mean(axis=0), less - less.mean(axis=0)
    prior = 4.0 * len(more)
    ratio = (float((more * less).sum()) + prior) / (float((more * more).sum()) + prior)
    return float(np.clip(ratio, 0.0, 3.0))


def chroma_moved(a: F64, b: F64) -> F64:
    """What saturation does not explain of how colours (n, 3) differ, (Cr, Cb), float64 (n, 2)."""
    more, less = chroma_of(a), chroma_of(b)
    if more.var(axis=0).sum() < less.var(axis=0).sum():
        more, less = less, more
    return np.asarray(less - saturation_factor(more, less) * more)
