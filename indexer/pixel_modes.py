"""Every kind of pixel Pillow loads, as 8-bit sRGB.

Deep pixels are scaled on purpose rather than clipped, which is what Pillow's `convert` does:
- 16-bit grey: v / 257, or v / (4095 / 255) when nothing is above 4095, for 12-bit sensors, X-rays
  and microscopes write their values as they are and would come out black.
- 32-bit integers and floats: as they are when within 0..255 (integers), × 255 when within 0..1
  (floats), as 16-bit when within 0..65535; any other range is stretched from lowest to highest.
  What is not a number counts as the lowest.
16-bit RGB is brought to 8 bits by Pillow itself, by its high bytes: at most one level off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.pillow_pixels import rgb_pixels
from indexer.transparency import choose_background, flatten, has_alpha
from storage.colour_profile import ColourTransform, is_rgb, leads_back, transform_to_srgb
from storage.preview_profile import MAX_PROFILE_BYTES

U8 = NDArray[np.uint8]

# Converted this many pixels at a time, so that a huge picture exists whole only as it was loaded.
_BAND_PIXELS = 4_000_000


def to_rgb(image: Image.Image, factor: int = 1) -> U8:
    """The pixels of a loaded image as sRGB, transparency flattened, ICC profile applied.

    Args:
        image: loaded, of any mode.
        factor: shrink by this whole number, averaging factor × factor blocks.

    Returns:
        uint8 (ceil(h / factor), ceil(w / factor), 3), contiguous.

    Raises:
        Whatever Pillow raises on damaged palettes and the like.
    """
    profile = image.info.get("icc_profile")
    image = _eight_bit(image)
    transform = transform_to_srgb(profile, image.mode) if profile else None
    has_transparency = has_alpha(image)
    background = choose_background(image) if has_transparency else None
    rows = max(1, _BAND_PIXELS // image.width // factor) * factor
    if image.height <= rows:
        return _band(image, transform, has_transparency, background, factor)
    bands = [
        _band(
            image.crop((0, top, image.width, min(top + rows, image.height))),
            transform,
            has_transparency,
            background,
            factor,
        )
        for top in range(0, image.height, rows)
    ]
    return np.concatenate(bands)


def kept_profile(image: Image.Image) -> bytes:
    """The ICC profile that `to_rgb` applies, by which copies that have lost it may be told.

    Empty where none is applied; for greys and inks, for nothing tells what becomes of their copies;
    and where it is too large or `storage.colour_profile.as_stored` could not use it.
    """
    profile = image.info.get("icc_profile")
    # A TIFF may have a number there.
    if not isinstance(profile, bytes) or not is_rgb(image.mode):
        return b""
    # Tried here, where a crash of LittleCMS costs this picture only.
    return profile if len(profile) <= MAX_PROFILE_BYTES and leads_back(profile) else b""


def _band(
    image: Image.Image,
    transform: ColourTransform | None,
    has_transparency: bool,
    background: int | None,
    factor: int,
) -> U8:
    alpha: Image.Image | None = None
    if has_transparency:
        # By way of RGBA, so that palettes, colour keys and premultiplied colours are undone.
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A") if background is not None else None
        image = rgba.convert("RGB") if image.mode not in ("LA", "L") else _grey_of(rgba)
    rgb = transform.apply(image) if transform else image
    if rgb.mode != "RGB":
        rgb = rgb.convert("RGB")
    if alpha is not None and background is not None:
        rgb = flatten(rgb, alpha, background)
    if factor > 1:
        rgb = rgb.reduce(factor)
    return rgb_pixels(rgb)


def _grey_of(rgba: Image.Image) -> Image.Image:
    # Grey profiles read mode L.
    return rgba.getchannel("R")


def scale_to_eight_bit(values: NDArray[np.generic]) -> U8:
    """Deep values scaled to 0..255 by the rules above; uint8 as it is.

    Args:
        values: unsigned, integers or floats of any shape.

    Returns:
        uint8 of the same shape.
    """
    if values.dtype == np.uint8:
        return np.asarray(values, dtype=np.uint8)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        sixteen = values.astype(np.uint16)
        divisor = 257.0 if int(sixteen.max(initial=0)) > 4095 else 4095 / 255
        table = np.rint(np.arange(65536) / divisor).clip(0, 255).astype(np.uint8)
        return np.asarray(table[sixteen], dtype=np.uint8)
    return _by_range(values)


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(scale_to_eight_bit(np.asarray(image)))
    if image.mode == "La":  # premultiplied grey, which Pillow converts to nothing else
        return image.convert("LA")
    return image


def _by_range(values: NDArray[np.generic]) -> U8:
    is_float = values.dtype.kind == "f"
    numbers = values.astype(np.float32)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return np.zeros(numbers.shape, dtype=np.uint8)
    low, high = float(finite.min()), float(finite.max())
    numbers = np.nan_to_num(numbers, nan=low, posinf=high, neginf=low)
    if low >= 0 and is_float and high <= 1:
        offset, scale = 0.0, 255.0
    elif low >= 0 and high <= 255:
        offset, scale = 0.0, 1.0
    elif low >= 0 and high <= 65535:
        offset, scale = 0.0, 1 / 257
    else:
        offset, scale = low, 255.0 / max(high - low, 1e-30)
    # In double precision: a range of integers or of huge floats does not fit single precision.
    scaled = (numbers.astype(np.float64) - offset) * scale
    return np.asarray(np.rint(scaled).clip(0, 255), dtype=np.uint8)
