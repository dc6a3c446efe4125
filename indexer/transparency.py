"""What to put behind a transparent picture so that it can be seen.

Flattening everything on white makes white lettering, light icons and faint drawings blank, and
blank pictures all look alike. The background is white, as most people flatten, unless too much of
what is visible would vanish on it; then black, then mid-grey, whichever hides least.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

_BACKGROUNDS = (255, 0, 128)
# A pixel vanishes when all its channels are this close to the background.
_VANISHING = 32
# The share of the visible that may vanish before another background is tried.
_MAY_VANISH = 0.05
# Below this share of the area nothing is visible, and the hidden colours are all there is.
_NOTHING_VISIBLE = 0.001
_SAMPLES = 1_000_000


def has_alpha(image: Image.Image) -> bool:
    """Whether pixels can be transparent: an alpha channel, or a transparent colour or palette."""
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def choose_background(image: Image.Image) -> int | None:
    """The grey level to flatten a loaded image on.

    Measured on at most a million pixels of a regular grid, weighted with their opacity.

    Returns:
        255, 0 or 128; None when there is nothing to flatten: fully opaque, or nothing visible, and
        then the colours under the transparency are what the picture is known by.
    """
    step = max(1, int(np.sqrt(image.width * image.height / _SAMPLES)))
    if step > 1:
        size = (max(1, image.width // step), max(1, image.height // step))
        image = image.resize(size, Image.Resampling.NEAREST)
    rgba = np.asarray(image.convert("RGBA"))
    alpha = rgba[..., 3]
    if step == 1 and int(alpha.min()) == 255:
        return None
    weight = alpha.astype(np.float64)
    visible = float(weight.sum())
    if visible < _NOTHING_VISIBLE * 255 * weight.size:
        return None
    darkest, brightest = rgba[..., :3].min(axis=2), rgba[..., :3].max(axis=2)
    vanishing: list[float] = []
    for grey in _BACKGROUNDS:
        hidden = (darkest.astype(np.int16) >= grey - _VANISHING) & (
            brightest.astype(np.int16) <= grey + _VANISHING
        )
        vanishing.append(float(weight[hidden].sum()) / visible)
        if vanishing[-1] <= _MAY_VANISH:
            return grey
    return _BACKGROUNDS[int(np.argmin(vanishing))]


def flatten(rgb: Image.Image, alpha: Image.Image, grey: int) -> Image.Image:
    """The picture over a plain background.

    Args:
        rgb: mode RGB.
        alpha: mode L, the same size.
        grey: background, 0..255.
    """
    background = Image.new("RGB", rgb.size, (grey, grey, grey))
    background.paste(rgb, mask=alpha)
    return background
