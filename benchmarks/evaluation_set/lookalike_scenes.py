"""Look-alikes of the world: plates, skies, textures, frames of a film, variants of a product.

Each family keeps most of what a picture shows; its pictures differ in the rest. See `lookalikes`.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.evaluation_set.drawing import (
    BLACK,
    U8,
    WHITE,
    Colour,
    Random,
    any_colour,
    font,
    noisy,
    one_of,
    pasted,
    sheet,
    shrunk,
    typeface,
    words,
)
from benchmarks.evaluation_set.lookalikes import Family

_LETTERS = list("ABCDEFGHKLMNPRSTUVWXYZ")


def cars_with_another_plate(random: Random, count: int, photographs: Sequence[U8]) -> list[U8]:
    """One car before one background; only the plate is another one."""
    scene = shrunk(one_of(random, photographs), 720, 480)
    colour = any_colour(random, 30, 220)
    cars = []
    for _ in range(count):
        picture = Image.fromarray(scene)
        draw = ImageDraw.Draw(picture)
        draw.rounded_rectangle((150, 240, 570, 420), 40, fill=colour, outline=BLACK, width=3)
        draw.polygon([(210, 250), (260, 150), (460, 150), (510, 250)], fill=(40, 50, 60))
        for x in (180, 490):
            draw.ellipse((x, 280, x + 50, 320), fill=(250, 240, 200), outline=BLACK)
            draw.ellipse((x - 10, 390, x + 60, 460), fill=(20, 20, 20))
        draw.rounded_rectangle((275, 345, 445, 395), 6, fill=WHITE, outline=BLACK, width=3)
        letters = "".join(random.choice(_LETTERS, 3))
        text = f"{letters[0]} {letters[1:]} {int(random.integers(100, 1000))}"
        face = typeface("DejaVuSansMono", 26)
        draw.text((360, 371), text, font=face, fill=BLACK, anchor="mm")
        cars.append(noisy(np.asarray(picture), random, 2.0))
    return cars


def gradient_skies(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """Evening skies: two colours and grain."""
    share = np.linspace(0, 1, 420)[:, None, None]
    skies = []
    for _ in range(count):
        top, bottom = random.uniform(20, 245, (2, 3))
        sky = np.repeat(top * (1 - share) + bottom * share, 640, axis=1)
        skies.append(noisy(sky.astype(np.uint8), random, 1.5))
    return skies


def clouded_skies(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """One blue, other clouds."""
    skies = []
    for _ in range(count):
        clouds = sum(
            (
                cv2.resize(random.normal(0, 1, (n, n)), (640, 420), interpolation=cv2.INTER_CUBIC)
                / n
                for n in (4, 8, 16, 32)
            ),
            np.zeros((420, 640)),
        )
        white = np.clip(clouds * 3, 0, 1)[..., None]
        sky = np.array([96, 150, 220]) * (1 - white) + 245 * white
        skies.append(noisy(sky.astype(np.uint8), random, 1.5))
    return skies


def textures_at_two_places(random: Random, count: int, photographs: Sequence[U8]) -> list[U8]:
    """Close-ups of one surface, side by side and without overlap, as of lawn, gravel or cloth."""
    side, grain = 360, one_of(random, photographs)
    patch = shrunk(grain, 64, 64).astype(np.float64)
    mean, spread = patch.mean((0, 1)), patch.std((0, 1)) + 8
    fine = random.normal(0, 1, (side, side * count))
    surface = cv2.GaussianBlur(fine, (0, 0), 1.2) + 2 * cv2.GaussianBlur(fine, (0, 0), 4.0)
    surface = (surface - surface.mean()) / surface.std()
    pixels = np.clip(mean + surface[..., None] * spread, 0, 255).astype(np.uint8)
    return [pixels[:, side * place : side * (place + 1)].copy() for place in range(count)]


def night_skies(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """Other stars over one horizon."""
    hills = 360 + 25 * np.sin(np.linspace(0, float(random.uniform(4, 9)), 640))
    rows = np.arange(480)[:, None]
    skies = []
    for _ in range(count):
        sky = np.full((480, 640, 3), (10, 12, 26), np.float64)
        for _star in range(260):
            x, y = random.uniform(0, 640), random.uniform(0, 400)
            light = float(random.pareto(2.0) * 60 + 40)
            cv2.circle(sky, (int(x), int(y)), 1, (light, light, light), -1)
        sky[...] = cv2.GaussianBlur(sky, (0, 0), 0.8)
        sky[rows > hills[None, :]] = (3, 4, 5)
        skies.append(noisy(np.clip(sky, 0, 255).astype(np.uint8), random, 3.0))
    return skies


def video_frames_with_a_moving_thing(
    random: Random, count: int, photographs: Sequence[U8]
) -> list[U8]:
    """A fixed camera: a thing crosses the frame on a slope, and the light drifts."""
    scene = shrunk(one_of(random, photographs), 640, 360)
    thing = shrunk(one_of(random, photographs), 96, 72)
    frames = []
    for number in range(count):
        share = number / max(1, count - 1)
        frame = pasted(scene, thing, int(40 + 480 * share), int(250 - 140 * share))
        lit = np.clip(frame * (1 + 0.02 * share), 0, 255).astype(np.uint8)
        frames.append(noisy(lit, random, 2.5))
    return frames


def products_in_another_colour(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """A mug on white in every colour it is sold in."""
    hues = (int(random.integers(180)) + np.arange(count) * 180 // max(2, count)) % 180
    mug, variants = _Mug(random), []
    for hue in hues:
        pixel = np.array([[[hue, 190, 200]]], np.uint8)
        red, green, blue = (int(value) for value in cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0])
        variants.append(mug.in_colour((red, green, blue)))
    return variants


def products_with_another_logo(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """The same mug with another print on it."""
    mug, colour, variants = _Mug(random), any_colour(random, 130, 230), []
    for _ in range(count):
        picture = Image.fromarray(mug.in_colour(colour))
        draw = ImageDraw.Draw(picture)
        sides, ink = int(random.integers(3, 9)), any_colour(random, 0, 60)
        draw.regular_polygon((270, 300, 60), sides, rotation=int(random.integers(90)), fill=ink)
        draw.text((270, 390), words(random, 1).upper(), font=font(34), fill=ink, anchor="mm")
        variants.append(np.asarray(picture))
    return variants


class _Mug:
    """A mug before white, of a shape of its own: two mugs differ whatever their colours."""

    def __init__(self, random: Random) -> None:
        self._left, self._right = (int(random.integers(low, low + 50)) for low in (105, 385))
        self._top, self._bottom = (int(random.integers(low, low + 60)) for low in (120, 460))
        self._handle = int(random.integers(110, 190))

    def in_colour(self, colour: Colour) -> U8:
        """With light from the left."""
        left, right, top, bottom = self._left, self._right, self._top, self._bottom
        picture, draw = sheet(600, 600, WHITE)
        middle, half = (top + bottom) // 2, self._handle // 2
        handle = (right - 60, middle - half, right + 90, middle + half)
        draw.ellipse(handle, outline=colour, width=30)
        draw.rounded_rectangle((left, top, right, bottom), 40, fill=colour)
        inside = (left, top - 30, right, top + 40)
        draw.ellipse(inside, fill=tuple(value // 2 for value in colour))
        pixels = np.asarray(picture, np.float64)
        is_mug = (pixels < 255).any(axis=2, keepdims=True)
        light = 1.08 - 0.4 * np.linspace(0, 1, 600)[None, :, None]
        return np.asarray(np.clip(np.where(is_mug, pixels * light, pixels), 0, 255), np.uint8)


def spot_the_difference(random: Random, _count: int, photographs: Sequence[U8]) -> list[U8]:
    """Two pictures, of which one has five small things painted over with what is beside them."""
    first = one_of(random, photographs)
    height, width = first.shape[:2]
    second = first.copy()
    size = max(12, min(height, width) // 12)
    places = _busiest(first, size, 5)
    for top, left in places:
        mask = np.zeros((height, width), np.uint8)
        cv2.circle(mask, (left + size // 2, top + size // 2), size // 2, (255,), -1)
        second = np.asarray(cv2.inpaint(second, mask, 3, cv2.INPAINT_TELEA), np.uint8)
    return [first, second]


def _busiest(image: U8, size: int, count: int) -> list[tuple[int, int]]:
    """Upper left corners of the windows with the most detail, none touching another."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = cv2.boxFilter(np.abs(cv2.Laplacian(grey, cv2.CV_32F)), -1, (size, size))
    detail = detail[size // 2 : -size, size // 2 : -size].copy()
    found = []
    for _ in range(count):
        top, left = (int(v) for v in np.unravel_index(int(detail.argmax()), detail.shape))
        found.append((top, left))
        detail[
            max(0, top - 2 * size) : top + 2 * size, max(0, left - 2 * size) : left + 2 * size
        ] = 0
    return found


def thermal_images(_random: Random, count: int, photographs: Sequence[U8]) -> list[U8]:
    """Other scenes through one camera: its palette, its scale, its cross in the middle."""
    frames = []
    for scene in photographs[:count]:
        grey = cv2.cvtColor(shrunk(scene, 640, 480), cv2.COLOR_RGB2GRAY)
        frames.append(_thermal(np.asarray(cv2.GaussianBlur(grey, (0, 0), 2.0), np.uint8)))
    return frames


def thermal_images_with_another_hot_spot(
    random: Random, count: int, photographs: Sequence[U8]
) -> list[U8]:
    """One board; another part of it is warm each time."""
    scene = shrunk(one_of(random, photographs), 640, 480)
    grey = cv2.GaussianBlur(cv2.cvtColor(scene, cv2.COLOR_RGB2GRAY), (0, 0), 2.0) * 0.6
    rows, columns = np.mgrid[:480, :640]
    # Corners and middle of the frame: the spots must not overlap.
    places = [(120, 150), (120, 430), (350, 150), (350, 430), (240, 290)]
    frames = []
    for place in range(count):
        y, x = places[place]
        x += int(random.integers(-15, 16))
        spot = 110 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 34.0**2))
        frames.append(_thermal(np.clip(grey + spot, 0, 255).astype(np.uint8)))
    return frames


def _thermal(grey: NDArray[np.uint8]) -> U8:
    coloured = cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1].copy()
    scale = np.linspace(255, 0, 360).astype(np.uint8)[:, None].repeat(20, axis=1)
    coloured[60:420, 600:620] = cv2.applyColorMap(scale, cv2.COLORMAP_INFERNO)[..., ::-1]
    cv2.line(coloured, (310, 240), (330, 240), (255, 255, 255), 1)
    cv2.line(coloured, (320, 230), (320, 250), (255, 255, 255), 1)
    return np.asarray(coloured, np.uint8)


SCENES: dict[str, Family] = {
    family.__name__.replace("_", " "): family
    for family in (
        cars_with_another_plate,
        gradient_skies,
        clouded_skies,
        textures_at_two_places,
        night_skies,
        video_frames_with_a_moving_thing,
        products_in_another_colour,
        products_with_another_logo,
        spot_the_difference,
        thermal_images,
        thermal_images_with_another_hot_spot,
    )
}
