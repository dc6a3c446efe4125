"""What a picture stands on: paper, an even ground, or neither."""

from __future__ import annotations

import numpy as np

from verify.colours import DARK_END, LIGHT_END, LUMINANCE, chroma_moved, chroma_of
from verify.photometry import commonest_share, luminance, paper_likeness
from verify.residual import F32, Residual
from verify.warp import AlignedPair

# Grey levels by which an even ground varies once it was saved.
_EVEN = 2
# Noise from which on the clean picture may have grain that the other one lacks, and from which on
# both may: nothing is flat then before it is softened.
_GRAINY, _GRAINY_BOTH = 1.5, 2.5
# Share of the pixels, and grey levels, of what counts as one ground; pixels that are looked at.
_LEAST_GROUND, _GROUND_LEVELS, _SAMPLES = 0.1, 8, 20_000


def clean_paper(clean: F32, dirty: F32, residual: Residual) -> float:
    """How much of the clean picture is like paper: grain on it makes no photograph of a page."""
    greys = [clean]
    if residual.noise > _GRAINY:
        greys.append(dirty)
    if residual.noise > _GRAINY_BOTH:
        greys += [residual.a, residual.b]
    return max(paper_likeness(grey, residual.mask) for grey in greys)


def ground_share(residual: Residual) -> float:
    """How much of the one with more of it is one even ground, 0..1.

    A drawing stands on one; a sky at dusk, which is as smooth, runs through many grey levels.
    """
    return max(commonest_share(grey, residual.mask, _EVEN) for grey in (residual.a, residual.b))


def ground_tint(pair: AlignedPair, residual: Residual) -> float:
    """How far the colour of one ground moved, otherwise than with all colours, grey levels.

    The largest over the even grounds of both: keys on a dark case are as white as they were when
    the case has another colour, and so is the picture on average. A ground whose colour is as it
    was has not moved, although the fine colours around it have lost some in a JPEG.
    """
    step = max(1, int(np.sqrt(int(residual.mask.sum()) / _SAMPLES)))
    seen = residual.mask[::step, ::step]
    if not seen.any():
        return 0.0
    a = pair.a[::step, ::step][seen].astype(np.float64)
    b = pair.b[::step, ::step][seen].astype(np.float64)
    moves = chroma_moved(a, b), chroma_of(b) - chroma_of(a)
    levels = [(rgb @ LUMINANCE).astype(np.int64) // _GROUND_LEVELS for rgb in (a, b)]
    _, of_ground, counts = np.unique(
        levels[0] * 256 + levels[1], return_inverse=True, return_counts=True
    )
    found = 0.0
    for ground in np.flatnonzero(counts >= _LEAST_GROUND * len(a)):
        chosen = of_ground.ravel() == ground
        means = np.stack([a[chosen].mean(axis=0), b[chosen].mean(axis=0)])
        if means.min() > DARK_END and means.max() < LIGHT_END:
            moved = min(float(np.hypot(*move[chosen].mean(axis=0))) for move in moves)
            found = max(found, moved)
    return found


def sheet_share(residual: Residual) -> float:
    """How much of the one with less of it is one even ground, 0..1.

    That of a page is even in every copy, but for its grain; a night sky runs through many grey
    levels, and coarse compression makes few of them.
    """
    grading = residual.grading
    return min(
        commonest_share(luminance(rgb), residual.mask, 2 * _EVEN) for rgb in (grading.a, grading.b)
    )


def paper_share(pair: AlignedPair, residual: Residual) -> float:
    """How much of the more paper-like of two aligned pictures is like paper, 0..1."""
    return max(paper_likeness(luminance(rgb), residual.mask) for rgb in (pair.a, pair.b))
