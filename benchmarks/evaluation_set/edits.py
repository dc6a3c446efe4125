"""What people and services do to pictures: edits that make a copy of an original.

Each edit takes the original and a seeded generator. `EDITS` are those of one step, `CHAINS` three
or four on top of each other.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.evaluation_set.drawing import BLACK, U8, WHITE, Random, font, words

Edit = Callable[[U8, Random], U8]


def jpeg(quality: int) -> Edit:
    def edit(image: U8, _random: Random) -> U8:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        done, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done
        return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR_RGB), np.uint8)

    return edit


def resize(factor: float, stretch: float = 1.0) -> Edit:
    """Width and height times `factor`, the width also times `stretch`."""

    def edit(image: U8, _random: Random) -> U8:
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        resized = cv2.resize(image, None, fx=factor * stretch, fy=factor, interpolation=how)
        return np.asarray(resized, np.uint8)

    return edit


def crop(area: float) -> Edit:
    """A part of the frame that is this share of it, anywhere."""

    def edit(image: U8, random: Random) -> U8:
        height, width = (round(side * area**0.5) for side in image.shape[:2])
        top = int(random.integers(0, image.shape[0] - height + 1))
        left = int(random.integers(0, image.shape[1] - width + 1))
        return image[top : top + height, left : left + width].copy()

    return edit


def tone(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Edit:
    """A function of the values 0..1 of all channels, float64 (h, w, 3)."""

    def edit(image: U8, _random: Random) -> U8:
        graded = function(image / 255.0) * 255.0
        return np.clip(np.rint(graded), 0, 255).astype(np.uint8)

    return edit


def saturation(factor: float) -> Edit:
    def function(values: NDArray[np.float64]) -> NDArray[np.float64]:
        grey = values @ np.array([0.299, 0.587, 0.114])
        return np.asarray(grey[..., None] + factor * (values - grey[..., None]))

    return tone(function)


def blur(sigma: float) -> Edit:
    def edit(image: U8, _random: Random) -> U8:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)

    return edit


def sharpen(image: U8, _random: Random) -> U8:
    soft = cv2.GaussianBlur(image, (0, 0), 1.5)
    return np.asarray(cv2.addWeighted(image, 1.8, soft, -0.8, 0), np.uint8)


def noise(deviation: float) -> Edit:
    def edit(image: U8, random: Random) -> U8:
        noisy = image + random.normal(0, deviation, image.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)

    return edit


def mirror(image: U8, _random: Random) -> U8:
    return np.ascontiguousarray(image[:, ::-1])


def quarter_turns(count: int) -> Edit:
    def edit(image: U8, _random: Random) -> U8:
        return np.ascontiguousarray(np.rot90(image, count))

    return edit


def rotate(degrees: float) -> Edit:
    """Turned inside its frame: corners are lost, and black in the copy."""

    def edit(image: U8, _random: Random) -> U8:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        return np.asarray(cv2.warpAffine(image, matrix, (width, height)), np.uint8)

    return edit


def bordered(vertical: float, horizontal: float, colour: tuple[int, int, int]) -> Edit:
    """A border as wide as these shares of the height and the width, on both sides."""

    def edit(image: U8, _random: Random) -> U8:
        rows, columns = int(image.shape[0] * vertical), int(image.shape[1] * horizontal)
        framed = cv2.copyMakeBorder(
            image, rows, rows, columns, columns, cv2.BORDER_CONSTANT, value=colour
        )
        return np.asarray(framed, np.uint8)

    return edit


def perspective(image: U8, random: Random) -> U8:
    height, width = image.shape[:2]
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (width, height)
    seen = (frame + random.uniform(0, 0.08, (4, 2)) * inwards).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(frame, seen)
    return np.asarray(cv2.warpPerspective(image, matrix, (width, height)), np.uint8)


def text(image: U8, random: Random) -> U8:
    """Two words in white with a black outline, half as wide as the picture."""
    height, width = image.shape[:2]
    picture = Image.fromarray(image)
    size = max(12, width // 12)
    at = (int(random.uniform(0.05, 0.3) * width), int(random.uniform(0.1, 0.8) * height))
    ImageDraw.Draw(picture).text(
        at,
        words(random, 2).upper(),
        font=font(size),
        fill=(255, 255, 255),
        stroke_width=2,
        stroke_fill=(0, 0, 0),
    )
    return np.asarray(picture)


def watermark(image: U8, _random: Random) -> U8:
    """A stock agency's name, half transparent, all over the picture."""
    height, width = image.shape[:2]
    picture = Image.fromarray(image).convert("RGBA")
    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    size = max(14, width // 14)
    for y in range(0, height, 3 * size):
        for x in range((y // size % 2) * 2 * size, width, 6 * size):
            draw.text((x, y), "SAMPLE", font=font(size), fill=(255, 255, 255, 110))
    return np.asarray(Image.alpha_composite(picture, layer).convert("RGB"))


def sticker(image: U8, random: Random) -> U8:
    """A round sticker in one colour."""
    height, width = image.shape[:2]
    size = int(min(height, width) * random.uniform(0.25, 0.35))
    x, y = int(random.integers(0, width - size)), int(random.integers(0, height - size))
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((x, y, x + size, y + size), fill=(220, 30, 60), outline=(255, 255, 255), width=3)
    draw.text((x + size // 5, y + size // 3), "SALE", font=font(size // 4), fill=(255, 255, 255))
    return np.asarray(picture)


def screenshot(image: U8, random: Random) -> U8:
    """The picture in a window with a title and lines of text under it."""
    height, width = image.shape[:2]
    rows, columns = int(height * 1.5), int(width * 1.25)
    screen = Image.new("RGB", (columns, rows), (250, 250, 250))
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, columns, 40), fill=(60, 60, 70))
    draw.text((10, 8), words(random, 3), font=font(20), fill=(255, 255, 255))
    for line in range(4):
        y = rows - int(height * 0.35) + 26 * line
        draw.text((20, y), words(random, 5), font=font(16), fill=(30, 30, 30))
    screen.paste(Image.fromarray(image), ((columns - width) // 2, 60))
    return np.asarray(screen)


def chain(*edits: Edit) -> Edit:
    def edit(image: U8, random: Random) -> U8:
        for step in edits:
            image = step(image, random)
        return image

    return edit


EDITS: dict[str, Edit] = {
    "jpeg 60": jpeg(60),
    "jpeg 30": jpeg(30),
    "jpeg 10": jpeg(10),
    "resize 0.25": resize(0.25),
    "resize 0.5": resize(0.5),
    "resize 0.75": resize(0.75),
    "resize 2": resize(2.0),
    "crop 0.9": crop(0.9),
    "crop 0.5": crop(0.5),
    "crop 0.25": crop(0.25),
    "brighter": tone(lambda values: values * 1.25),
    "darker": tone(lambda values: values * 0.7),
    "contrast": tone(lambda values: (values - 0.5) * 1.35 + 0.5),
    "gamma 0.6": tone(lambda values: values**0.6),
    "gamma 1.6": tone(lambda values: values**1.6),
    "saturated": saturation(1.5),
    "pale": saturation(0.5),
    "warm": tone(lambda values: values * np.array([1.15, 1.0, 0.8])),
    "cold": tone(lambda values: values * np.array([0.85, 1.0, 1.2])),
    "grey": saturation(0.0),
    "blur 1": blur(1.0),
    "blur 2": blur(2.0),
    "sharpen": sharpen,
    "noise 8": noise(8.0),
    "mirror": mirror,
    "turn 90": quarter_turns(1),
    "turn 180": quarter_turns(2),
    "rotate 5": rotate(5.0),
    "rotate 15": rotate(-15.0),
    "rotate 45": rotate(45.0),
    "border": bordered(0.06, 0.06, WHITE),
    "letterbox": bordered(0.15, 0.0, BLACK),
    "aspect": resize(1.0, stretch=0.8),
    "perspective": perspective,
}

OVERLAYS: dict[str, Edit] = {
    "text": text,
    "watermark": watermark,
    "sticker": sticker,
    "screenshot": screenshot,
}

CHAINS: dict[str, Edit] = {
    "crop, mirror, jpeg": chain(crop(0.6), mirror, jpeg(50)),
    "resize, gamma, jpeg": chain(resize(0.5), tone(lambda values: values**0.7), jpeg(30)),
    "turn, crop, sharpen": chain(quarter_turns(1), crop(0.7), sharpen),
    "crop, warm, resize, jpeg": chain(
        crop(0.7), tone(lambda values: values * np.array([1.1, 1.0, 0.85])), resize(0.6), jpeg(50)
    ),
    "rotate, border, jpeg": chain(rotate(8.0), bordered(0.05, 0.05, WHITE), jpeg(60)),
}
