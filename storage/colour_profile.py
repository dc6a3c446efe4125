"""Embedded ICC profiles: the same picture in Display P3, Adobe RGB or sRGB becomes the same RGB."""

from __future__ import annotations

import io
from functools import lru_cache

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


class ColourTransform:
    """From the colours of one profile to sRGB."""

    def __init__(self, transform: ImageCms.ImageCmsTransform, mode: str) -> None:
        self._transform = transform
        self._mode = mode

    def apply(self, image: Image.Image) -> Image.Image:
        """The image in sRGB, mode RGB; alpha is dropped."""
        source = image if image.mode == self._mode else image.convert(self._mode)
        converted = ImageCms.applyTransform(source, self._transform)
        if converted is None:  # only with inPlace=True
            raise ValueError("the colour transform returned nothing")
        return converted


@lru_cache(maxsize=128)
def transform_to_srgb(profile: bytes, mode: str) -> ColourTransform | None:
    """How to bring pixels of this mode from the profile to sRGB.

    Relative colorimetric with black point compensation, as photo editors convert. None where
    nothing is to be done: the profile is sRGB in effect, does not describe this mode (a viewer
    ignores it then), or is damaged.

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
        transform = ColourTransform(
            ImageCms.buildTransform(
                source,
                ImageCms.createProfile("sRGB"),
                input_mode,
                "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                ImageCms.Flags.BLACKPOINTCOMPENSATION,
            ),
            input_mode,
        )
        if input_mode != "CMYK" and _is_identity(transform, input_mode):
            return None
    except Exception:  # noqa: BLE001
        # A profile is bytes that anybody wrote; Pillow passes on PyCMSError, OSError, TypeError
        # and more. Without its profile the picture is still the picture.
        return None
    return transform


def as_stored(rgb: U8, profile: bytes) -> U8 | None:
    """The colours of a picture as its file has them, which a viewer shows that ignores the profile.

    Of colours that sRGB does not have, those next to them.

    Args:
        rgb: uint8 (h, w, 3), brought from the profile to sRGB.
        profile: the ICC profile, of an RGB or a grey space.

    Returns:
        uint8 (h, w, 3), the three equal for a grey profile; None where the profile only tells the
        way to sRGB.
    """
    transform = _transform_from_srgb(profile)
    if transform is None:
        return None
    stored = ImageCms.applyTransform(Image.fromarray(rgb), transform)
    return None if stored is None else np.array(stored.convert("RGB"), dtype=np.uint8)


@lru_cache(maxsize=128)
def _transform_from_srgb(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    try:
        target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"),
            target,
            "RGB",
            _SPACES[str(target.profile.xcolor_space)][0],
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except Exception:  # noqa: BLE001
        # As above; and many profiles have tables for one direction only.
        return None


def with_assigned(rgb: U8, profile: bytes) -> U8:
    """A picture as it would be shown if its file had this profile, its colours those it has now.

    Args:
        rgb: uint8 (h, w, 3), sRGB.
        profile: an ICC profile of an RGB or a grey space.

    Returns:
        uint8 (h, w, 3), sRGB; the picture as it is where the profile says nothing about it.
    """
    image = Image.fromarray(rgb)
    for pixels in (image, image.convert("L")):
        transform = transform_to_srgb(profile, pixels.mode)
        if transform is not None:
            return np.array(transform.apply(pixels), dtype=np.uint8)
    return rgb


def _is_identity(transform: ColourTransform, mode: str) -> bool:
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    if mode == "L":
        grey = np.arange(256, dtype=np.uint8)[None]
        probe = Image.fromarray(grey)
        expected = np.repeat(grey[..., None], 3, axis=2)
    else:
        expected = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
        probe = Image.fromarray(expected)
    got = np.asarray(transform.apply(probe))
    return int(np.abs(got.astype(np.int16) - expected).max()) <= _SAME_AS_SRGB
