"""Embedded ICC profiles: the same picture in Display P3, Adobe RGB or sRGB becomes the same RGB."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

U8 = NDArray[np.uint8]

# Which colour space of a profile describes which Pillow modes, and the mode the transform reads.
_SPACES = {
    "RGB ": ("RGB", frozenset({"RGB", "RGBA", "RGBX", "RGBa", "P", "PA", "YCbCr"})),
    "GRAY": ("L", frozenset({"1", "L", "LA", "La"})),
    "CMYK": ("CMYK", frozenset({"CMYK"})),
}
# Grey levels by which a profile may move a colour and still count as sRGB: vendors' variants of
# sRGB round their primaries and their curve differently.
_SAME_AS_SRGB = 2
# Grey levels between the colours that a profile is tried on, and the share of them that may not run
# into an end of the range. Of most of the others: how far from where they were they come back, and
# how many times as large a step between two of them is shown.
_PROBE_STEP, _LEAST_WITHIN = 15, 0.15
_MOSTLY, _BACK_WITHIN, _LARGEST, _LEAST = 0.9, 3, 4.0, 0.4
# The same of the colours of one picture, on the mean and nearly all.
_MEAN_AWAY, _NEARLY_ALL, _MOST_AWAY = 1.5, 0.999, 16


def is_rgb(mode: str) -> bool:
    """True for Pillow's modes whose pixels a profile of an RGB space describes."""
    return mode in _SPACES["RGB "][1]


class ColourTransform:
    """From the colours of one profile to those of another: sRGB is one of the two.

    Relative colorimetric with black point compensation, as photo editors convert.

    Raises:
        Whatever Pillow raises for a profile that is damaged, or that tells another way only.
    """

    def __init__(
        self, source: ImageCms.ImageCmsProfile, target: ImageCms.ImageCmsProfile, mode: str
    ) -> None:
        """
        Args:
            mode: Pillow's, of the pixels that the source describes.
        """
        self._transform = ImageCms.buildTransform(
            source,
            target,
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        self._mode = mode

    def apply(self, image: Image.Image) -> Image.Image:
        """The image in the other profile's colours, mode RGB; alpha is dropped."""
        source = image if image.mode == self._mode else image.convert(self._mode)
        converted = ImageCms.applyTransform(source, self._transform)
        if converted is None:  # only with inPlace=True
            raise ValueError("the colour transform returned nothing")
        return converted


@lru_cache(maxsize=128)
def transform_to_srgb(profile: bytes, mode: str) -> ColourTransform | None:
    """How to bring pixels of this mode from the profile to sRGB.

    None where nothing is to be done: the profile is sRGB in effect, does not describe this mode (a
    viewer ignores it then), or is damaged.

    Args:
        profile: the ICC profile as embedded.
        mode: Pillow's mode of the image.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = str(source.profile.xcolor_space)
        if space not in _SPACES or mode not in _SPACES[space][1]:
            return None
        input_mode = _SPACES[space][0]
        transform = ColourTransform(source, _srgb(), input_mode)
        if input_mode != "CMYK" and _is_identity(transform, input_mode):
            return None
    except Exception:  # noqa: BLE001
        # A profile is bytes that anybody wrote; Pillow passes on PyCMSError, OSError, TypeError
        # and more. Without its profile the picture is still the picture.
        return None
    return transform


def leads_back(profile: bytes) -> bool:
    """True when `as_stored` can be asked about pictures that have this profile."""
    return _transform_from_srgb(profile) is not None


def as_stored(rgb: U8, profile: bytes) -> U8 | None:
    """The colours of a picture as its file has them, which a viewer shows that ignores the profile.

    Of colours that sRGB does not have, those next to them.

    Args:
        rgb: uint8 (h, w, 3), brought from the profile to sRGB.
        profile: the ICC profile, of an RGB space.

    Returns:
        uint8 (h, w, 3); None where the profile is damaged or only tells the way to sRGB, or where
        what it gives for these colours would not be shown as they are.
    """
    from_srgb, to_srgb = _transform_from_srgb(profile), transform_to_srgb(profile, "RGB")
    if from_srgb is None or to_srgb is None:
        return None
    try:
        stored = from_srgb.apply(Image.fromarray(rgb))
        shown = np.asarray(to_srgb.apply(stored), np.int16)
    except Exception:  # noqa: BLE001
        # As above.
        return None
    away = np.abs(shown - rgb).max(axis=-1)
    if float(away.mean()) > _MEAN_AWAY or float(np.quantile(away, _NEARLY_ALL)) > _MOST_AWAY:
        return None
    return np.array(stored, dtype=np.uint8)


@lru_cache(maxsize=128)
def _transform_from_srgb(profile: bytes) -> ColourTransform | None:
    to_srgb = transform_to_srgb(profile, "RGB")
    if to_srgb is None:
        return None
    try:
        target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        from_srgb = ColourTransform(_srgb(), target, "RGB")
        return from_srgb if _leads_back(to_srgb, from_srgb) else None
    except Exception:  # noqa: BLE001
        # As above; and many profiles have tables for one direction only.
        return None


def _leads_back(to_srgb: ColourTransform, from_srgb: ColourTransform) -> bool:
    """True when colours come back as they were, and different ones are stored as different.

    Anybody can write a profile under which all pictures are stored as the same, or shown as hardly
    anything. Of fifteen of cameras, screens and photo editors, ProPhoto RGB among them, nine tenths
    of the colours that run into no end of the range come back within a level; a step between two is
    shown as at most 3.3 times, and mostly as more than half of one.
    """
    stored = _grid(np.arange(0, 256, _PROBE_STEP))
    shown = to_srgb.apply(Image.fromarray(stored.reshape(1, -1, 3)))
    back = np.asarray(from_srgb.apply(shown), np.int16).reshape(stored.shape)
    colours = np.asarray(shown, np.float64).reshape(stored.shape)
    is_within = np.all((colours > 0) & (colours < 255), axis=-1)
    if float(is_within.mean()) < _LEAST_WITHIN:
        return False
    away = np.abs(back - stored).max(axis=-1)[is_within]
    here, *along = _corners(colours)
    # Columns are what a step of a channel is shown as.
    steps = np.stack([there - here for there in along], axis=-1) / _PROBE_STEP
    gains = np.linalg.svd(steps[np.logical_and.reduce(_corners(is_within))], compute_uv=False)
    return bool(
        np.quantile(away, _MOSTLY) <= _BACK_WITHIN
        and np.quantile(gains[..., 0], _MOSTLY) <= _LARGEST
        and np.median(gains[..., -1]) >= _LEAST
    )


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _grid(levels: NDArray[Any]) -> U8:
    """All colours of these levels, uint8 (n, n, n, 3)."""
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).astype(np.uint8)


def _corners(grid: NDArray[Any]) -> list[NDArray[Any]]:
    """Of each cell of a grid (n, n, n, ...) the first corner, and the next one along each axis."""
    return [grid[:-1, :-1, :-1], grid[1:, :-1, :-1], grid[:-1, 1:, :-1], grid[:-1, :-1, 1:]]


def _is_identity(transform: ColourTransform, mode: str) -> bool:
    if mode == "L":
        grey = np.arange(256, dtype=np.uint8)[None]
        probe = Image.fromarray(grey)
        expected = np.repeat(grey[..., None], 3, axis=2)
    else:
        expected = _grid(np.linspace(0, 255, 9).round()).reshape(1, -1, 3)
        probe = Image.fromarray(expected)
    got = np.asarray(transform.apply(probe))
    return int(np.abs(got.astype(np.int16) - expected).max()) <= _SAME_AS_SRGB
