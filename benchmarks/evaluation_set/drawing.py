"""Words, typefaces, sheets and pasted things: what edits and look-alikes are drawn with."""

from __future__ import annotations

import string
from collections.abc import Sequence
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

U8 = NDArray[np.uint8]
Random = np.random.Generator
Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
# matplotlib brings these files, under the same names in every version.
TYPEFACES = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Italic",
    "DejaVuSansMono",
)
_LETTERS = list(string.ascii_lowercase)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface that comes with Pillow."""
    return ImageFont.load_default(size)


def typeface(name: str, size: int) -> ImageFont.FreeTypeFont:
    """One of `TYPEFACES`, `size` pixels high."""
    path = files("matplotlib") / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf"
    return ImageFont.truetype(str(path), size)


def words(random: Random, count: int) -> str:
    """Made-up words of two to eight letters."""
    return " ".join(
        "".join(random.choice(_LETTERS, int(random.integers(2, 9)))) for _ in range(count)
    )


def sheet(width: int, height: int, colour: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A plain picture and what draws on it."""
    picture = Image.new("RGB", (width, height), colour)
    return picture, ImageDraw.Draw(picture)


def any_colour(random: Random, low: int, high: int) -> Colour:
    """Each channel from `low` to below `high`."""
    red, green, blue = (int(value) for value in random.integers(low, high, 3))
    return red, green, blue


def one_of(random: Random, photographs: Sequence[U8]) -> U8:
    """One of the photographs."""
    return photographs[int(random.integers(len(photographs)))]


def shrunk(image: U8, width: int, height: int) -> U8:
    """The picture in another size, by area averaging."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def pasted(scene: U8, thing: U8, left: int, top: int) -> U8:
    """The scene with the thing in it, an ellipse with a soft edge."""
    height, width = thing.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    half = (width // 2, height // 2)
    cv2.ellipse(mask, half, (half[0] - 1, half[1] - 1), 0, 0, 360, (255,), -1)
    share = cv2.GaussianBlur(mask, (0, 0), 1.5).astype(np.float32)[..., None] / 255
    frame = scene.copy()
    part = frame[top : top + height, left : left + width]
    part[:] = (part * (1 - share) + thing * share).astype(np.uint8)
    return frame


def noisy(image: U8, random: Random, deviation: float) -> U8:
    """The picture with the noise of a sensor, in grey levels."""
    noise = random.normal(0, deviation, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)
