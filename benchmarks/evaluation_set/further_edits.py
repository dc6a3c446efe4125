"""More edits of one step: filters, frames and files as phones and networks make them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.evaluation_set.drawing import BLACK, U8, WHITE, Random, any_colour
from benchmarks.evaluation_set.edits import (
    Edit,
    blur,
    bordered,
    crop,
    jpeg,
    noise,
    quarter_turns,
    resize,
    rotate,
    saturation,
    tone,
)

F64 = NDArray[np.float64]


def crop_of_a_corner(image: U8, random: Random) -> U8:
    """Half the frame, in one of its corners."""
    height, width = (round(side * 0.5**0.5) for side in image.shape[:2])
    top = (image.shape[0] - height) * int(random.integers(2))
    left = (image.shape[1] - width) * int(random.integers(2))
    return image[top : top + height, left : left + width].copy()


def square(image: U8, _random: Random) -> U8:
    """The middle, as wide as high, as avatars and galleries cut it."""
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side].copy()


def curve(image: U8, _random: Random) -> U8:
    """The S-shaped curves of a film filter: blue lifted in the shadows, red in the lights."""
    values = image / 255.0
    contrasty = values + 0.12 * np.sin(2 * np.pi * (values - 0.5))
    tinted = contrasty * np.array([1.0, 0.96, 0.85]) + np.array([0.02, 0.02, 0.10])
    return np.asarray(np.clip(np.rint(255 * tinted), 0, 255), np.uint8)


def vignette(image: U8, _random: Random) -> U8:
    """Corners at 45 % of their light."""
    rows, columns = (np.linspace(-1, 1, side) ** 2 for side in image.shape[:2])
    light = 1 - 0.275 * (rows[:, None] + columns[None, :])
    return np.asarray(np.rint(image * light[..., None]), np.uint8)


def sepia(values: F64) -> F64:
    grey = values @ np.array([0.299, 0.587, 0.114])
    return np.asarray(grey[..., None] * np.array([1.08, 0.9, 0.68]))


def turned_hue(degrees: int) -> Edit:
    def edit(image: U8, _random: Random) -> U8:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        # OpenCV has 180 steps for 360 degrees.
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + degrees // 2) % 180
        return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)

    return edit


def motion_blur(length: int) -> Edit:
    def edit(image: U8, _random: Random) -> U8:
        kernel = np.full((1, length), 1.0 / length)
        return np.asarray(cv2.filter2D(image, -1, kernel), np.uint8)

    return edit


def sharpen_hard(image: U8, _random: Random) -> U8:
    soft = cv2.GaussianBlur(image, (0, 0), 2.5)
    return np.asarray(cv2.addWeighted(image, 2.5, soft, -1.5, 0), np.uint8)


def smoothed(image: U8, _random: Random) -> U8:
    """Noise reduction that keeps edges."""
    return np.asarray(cv2.bilateralFilter(image, 7, 30, 5), np.uint8)


def few_colours(count: int) -> Edit:
    """A palette, dithered, as in a GIF."""

    def edit(image: U8, _random: Random) -> U8:
        picture = Image.fromarray(image).quantize(count, dither=Image.Dither.FLOYDSTEINBERG)
        return np.asarray(picture.convert("RGB"))

    return edit


def there_and_back(factor: float) -> Edit:
    """Shrunk and enlarged to its old size: the frame is the same, the detail is gone."""

    def edit(image: U8, _random: Random) -> U8:
        height, width = image.shape[:2]
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        back = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(back, np.uint8)

    return edit


def straightened(degrees: float) -> Edit:
    """Turned, and cut to the largest frame of the same shape without empty corners."""

    def edit(image: U8, random: Random) -> U8:
        turned = rotate(degrees)(image, random)
        height, width = image.shape[:2]
        angle = np.radians(abs(degrees))
        longer, shorter = max(height, width), min(height, width)
        share = shorter / (shorter * np.cos(angle) + longer * np.sin(angle))
        rows, columns = int(height * share), int(width * share)
        top, left = (height - rows) // 2, (width - columns) // 2
        return turned[top : top + rows, left : left + columns].copy()

    return edit


def turned_whole(degrees: float) -> Edit:
    """Turned on a larger white sheet, so that nothing is lost."""

    def edit(image: U8, _random: Random) -> U8:
        picture = Image.fromarray(image).rotate(
            degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=WHITE
        )
        return np.asarray(picture)

    return edit


def tilted(strength: float) -> Edit:
    """Each corner moved inwards by up to this share, as in a photograph of a print."""

    def edit(image: U8, random: Random) -> U8:
        height, width = image.shape[:2]
        frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (width, height)
        seen = (frame + random.uniform(0, strength, (4, 2)) * inwards).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(seen, frame)
        return np.asarray(cv2.warpPerspective(image, matrix, (width, height)), np.uint8)

    return edit


def border_of_any_colour(share: float) -> Edit:
    def edit(image: U8, random: Random) -> U8:
        return bordered(share, share, any_colour(random, 0, 256))(image, random)

    return edit


def instant_film(image: U8, random: Random) -> U8:
    """White margins, the lower one wide."""
    framed = bordered(0.05, 0.05, (246, 244, 238))(image, random)
    below = int(image.shape[0] * 0.16)
    return np.asarray(
        cv2.copyMakeBorder(framed, 0, below, 0, 0, cv2.BORDER_CONSTANT, value=(246, 244, 238)),
        np.uint8,
    )


def story(image: U8, _random: Random) -> U8:
    """In an upright frame of 9 to 16, before itself enlarged and blurred."""
    height, width = image.shape[:2]
    rows = max(height, round(width * 16 / 9))
    behind = cv2.resize(image, (round(rows * width / height), rows), interpolation=cv2.INTER_LINEAR)
    left = max(0, (behind.shape[1] - width) // 2)
    frame = cv2.GaussianBlur(behind[:, left : left + width], (0, 0), max(4.0, width / 40))
    top = (rows - height) // 2
    frame[top : top + height, : frame.shape[1]] = image[:, : frame.shape[1]]
    return np.asarray(frame, np.uint8)


def squared(image: U8, _random: Random) -> U8:
    """On a white square."""
    height, width = image.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    sheet = np.full((side, side, 3), 255, np.uint8)
    sheet[top : top + height, left : left + width] = image
    return sheet


def rounded_corners(image: U8, _random: Random) -> U8:
    height, width = image.shape[:2]
    radius = min(height, width) // 12
    rows, columns = np.mgrid[:height, :width]
    across = np.maximum(0, np.maximum(radius - columns, columns - (width - 1 - radius)))
    down = np.maximum(0, np.maximum(radius - rows, rows - (height - 1 - radius)))
    rounded = image.copy()
    rounded[across**2 + down**2 > radius**2] = 255
    return rounded


FURTHER_EDITS: dict[str, Edit] = {
    "jpeg 90": jpeg(90),
    "jpeg 20": jpeg(20),
    "jpeg 5": jpeg(5),
    "palette of 64": few_colours(64),
    "resize 0.15": resize(0.15),
    "resize 1.5": resize(1.5),
    "enlarged again": there_and_back(0.5),
    "wider": resize(1.0, stretch=1.25),
    "narrower": resize(1.0, stretch=0.65),
    "crop 0.7": crop(0.7),
    "crop of a corner": crop_of_a_corner,
    "crop square": square,
    "brighter, clipped": tone(lambda values: values * 1.3 + 0.15),
    "darker, clipped": tone(lambda values: values * 0.8 - 0.15),
    "contrast 0.6": tone(lambda values: (values - 0.5) * 0.6 + 0.5),
    "contrast 1.8": tone(lambda values: (values - 0.5) * 1.8 + 0.5),
    "gamma 0.45": tone(lambda values: values**0.45),
    "gamma 2.2": tone(lambda values: values**2.2),
    "saturation 0.2": saturation(0.2),
    "saturation 2": saturation(2.0),
    "tungsten light": tone(lambda values: values * np.array([1.3, 1.0, 0.6])),
    "green cast": tone(lambda values: values * np.array([0.9, 1.1, 0.9])),
    "hue by 12 degrees": turned_hue(12),
    "sepia": tone(sepia),
    "film filter": curve,
    "vignette": vignette,
    "blur 4": blur(4.0),
    "motion blur": motion_blur(9),
    "sharpen hard": sharpen_hard,
    "noise 4": noise(4.0),
    "noise 20": noise(20.0),
    "smoothed": smoothed,
    "mirror, top to bottom": lambda image, _random: np.ascontiguousarray(image[::-1]),
    "turn 270": quarter_turns(3),
    "rotate 2": rotate(2.0),
    "rotate 30": rotate(30.0),
    "straightened by 3": straightened(3.0),
    "straightened by 10": straightened(-10.0),
    "turned by 7 on white": turned_whole(7.0),
    "perspective of a print": tilted(0.10),
    "border of a colour": border_of_any_colour(0.10),
    "hairline border": bordered(0.012, 0.012, BLACK),
    "pillarbox": bordered(0.0, 0.2, BLACK),
    "instant film": instant_film,
    "story": story,
    "on a white square": squared,
    "rounded corners": rounded_corners,
}
