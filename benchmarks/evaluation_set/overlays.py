"""What is laid over pictures and around them: words, stamps, marks, stickers, windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.evaluation_set.drawing import (
    BLACK,
    TYPEFACES,
    U8,
    WHITE,
    Colour,
    Random,
    any_colour,
    typeface,
    words,
)
from benchmarks.evaluation_set.edits import Edit

Drawing = Callable[[ImageDraw.ImageDraw, int, int, Random], None]
_CLEAR = (0, 0, 0, 0)


def laid_over(draw: Drawing) -> Edit:
    """What `draw` draws on a transparent sheet of the picture's width and height, over it."""

    def edit(image: U8, random: Random) -> U8:
        height, width = image.shape[:2]
        layer = Image.new("RGBA", (width, height), _CLEAR)
        draw(ImageDraw.Draw(layer), width, height, random)
        under = Image.fromarray(image).convert("RGBA")
        return np.asarray(Image.alpha_composite(under, layer).convert("RGB"))

    return edit


def caption(size: float, *, outline: int, lines: int = 1) -> Edit:
    """Lines in any typeface and colour.

    Args:
        size: height of a line as a share of the picture's.
        outline: its width in pixels; the outline is black or white, whichever contrasts.
    """

    def draw(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
        face = typeface(str(random.choice(TYPEFACES)), max(10, round(size * height)))
        colour = any_colour(random, 0, 256)
        around = BLACK if sum(colour) > 380 else WHITE
        top = random.uniform(0.03, 0.9 - 1.3 * size * lines) * height
        left = random.uniform(0.03, 0.35) * width
        for line in range(lines):
            canvas.text(
                (left, top + 1.3 * size * height * line),
                words(random, int(random.integers(2, 5))).capitalize(),
                font=face,
                fill=(*colour, 255),
                stroke_width=outline,
                stroke_fill=(*around, 255),
            )

    return laid_over(draw)


def _meme(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
    for share in (0.10, 0.90):
        _line(
            canvas,
            words(random, 3).upper(),
            (width / 2, share * height),
            height // 10,
            fill=(*WHITE, 255),
            outline=2,
        )


def _line(
    canvas: ImageDraw.ImageDraw,
    text: str,
    middle: tuple[float, float],
    size: int,
    *,
    fill: tuple[int, int, int, int],
    outline: int = 0,
    name: str = "DejaVuSans-Bold",
) -> None:
    canvas.text(
        middle,
        text,
        font=typeface(name, max(10, size)),
        fill=fill,
        anchor="mm",
        stroke_width=outline,
        stroke_fill=(*BLACK, 255),
    )


def _date_stamp(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
    """As compact cameras burn it in, lower right."""
    year, month, day = (
        int(random.integers(low, high)) for low, high in ((0, 24), (1, 13), (1, 29))
    )
    canvas.text(
        (0.95 * width, 0.95 * height),
        f"'{year:02d} {month:2d} {day:2d}",
        font=typeface("DejaVuSansMono", max(10, height // 18)),
        fill=(255, 140, 30, 255),
        anchor="rs",
    )


def _copyright(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
    text = f"© {int(random.integers(2004, 2026))} {words(random, 2).title()}"
    face = typeface("DejaVuSerif-Italic", max(10, height // 24))
    canvas.text(
        (0.03 * width, 0.97 * height), text, font=face, fill=(255, 255, 255, 210), anchor="ls"
    )


def _diagonal_marks(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
    """Lines across, with a name along them."""
    name, step = words(random, 1), max(40, height // 4)
    face = typeface("DejaVuSans", max(10, height // 20))
    for start in range(-height, width, step):
        canvas.line((start, height, start + height, 0), fill=(255, 255, 255, 80), width=2)
    for row, y in enumerate(range(step // 2, height, step)):
        for x in range(row % 2 * step, width, 2 * step):
            canvas.text((x, y), name, font=face, fill=(255, 255, 255, 120))


def _single_mark(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
    """One large word over the middle, through which the picture shows."""
    _line(
        canvas,
        words(random, 1).upper(),
        (width / 2, height / 2),
        height // 5,
        fill=(255, 255, 255, 100),
    )


def _box_with_text(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
    """A translucent bar with a headline."""
    top = random.uniform(0.05, 0.75) * height
    canvas.rectangle((0, top, width, top + 0.18 * height), fill=(0, 0, 0, 140))
    _line(
        canvas,
        words(random, 4).capitalize(),
        (width / 2, top + 0.09 * height),
        height // 14,
        fill=(255, 255, 255, 255),
        name="DejaVuSans",
    )


def _logo(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
    """A badge with a letter and a star, in a corner."""
    side = 0.16 * min(width, height)
    left = 0.04 * width if random.random() < 0.5 else 0.96 * width - side
    top = 0.04 * height if random.random() < 0.5 else 0.96 * height - side
    colour = any_colour(random, 20, 200)
    canvas.rounded_rectangle(
        (left, top, left + side, top + side), side / 5, fill=(*colour, 230), outline=WHITE, width=2
    )
    middle = (left + side / 2, top + side / 2)
    canvas.regular_polygon((*middle, side / 2.6), 5, fill=(255, 255, 255, 230))
    _line(canvas, words(random, 1)[0].upper(), middle, round(side / 3), fill=(*colour, 255))


def _face(canvas: ImageDraw.ImageDraw, left: float, top: float, side: float) -> None:
    """A smiling round face."""
    canvas.ellipse((left, top, left + side, top + side), fill=(255, 205, 60, 255))
    for eye in (0.32, 0.68):
        x, y, radius = left + eye * side, top + 0.38 * side, 0.07 * side
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(80, 50, 10, 255))
    mouth = (left + 0.22 * side, top + 0.25 * side, left + 0.78 * side, top + 0.82 * side)
    canvas.arc(mouth, 20, 160, fill=(80, 50, 10, 255), width=max(2, round(0.06 * side)))


def _faces(count: int, size: float) -> Drawing:
    def draw(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
        side = size * min(width, height)
        for _ in range(count):
            _face(canvas, random.uniform(0, width - side), random.uniform(0, height - side), side)

    return draw


def _pen(canvas: ImageDraw.ImageDraw, width: int, height: int, random: Random) -> None:
    """A red ring and an arrow to it, as people point at something."""
    x, y = random.uniform(0.3, 0.7) * width, random.uniform(0.3, 0.7) * height
    radius, stroke = 0.12 * min(width, height), max(3, height // 90)
    red = (230, 20, 20, 255)
    canvas.ellipse((x - radius, y - radius, x + radius, y + radius), outline=red, width=stroke)
    tip = (x - radius * 0.8, y + radius * 0.8)
    tail = (tip[0] - 1.6 * radius, tip[1] + 1.2 * radius)
    canvas.line((*tail, *tip), fill=red, width=stroke)
    canvas.line((tip[0] - 0.5 * radius, tip[1], *tip), fill=red, width=stroke)
    canvas.line((tip[0], tip[1] + 0.5 * radius, *tip), fill=red, width=stroke)


def _play_button(canvas: ImageDraw.ImageDraw, width: int, height: int, _random: Random) -> None:
    radius = 0.12 * min(width, height)
    x, y = width / 2, height / 2
    canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(0, 0, 0, 150))
    half = radius / 2
    triangle = [(x - half * 0.7, y - half), (x - half * 0.7, y + half), (x + half, y)]
    canvas.polygon(triangle, fill=(255, 255, 255, 240))


def caption_under(image: U8, random: Random) -> U8:
    """A white strip below with two lines on it: nothing of the picture is covered."""
    height, width = image.shape[:2]
    strip = max(36, height // 6)
    picture = Image.new("RGB", (width, height + strip), WHITE)
    picture.paste(Image.fromarray(image), (0, 0))
    draw = ImageDraw.Draw(picture)
    for line, y in enumerate((0.12, 0.55)):
        face = typeface(("DejaVuSerif", "DejaVuSans")[line], max(10, strip // 4))
        draw.text((10, height + y * strip), words(random, 6), font=face, fill=(40, 40, 40))
    return np.asarray(picture)


def phone_screenshot(image: U8, random: Random) -> U8:
    """Fitted to the width of a dark upright screen: time above, buttons below."""
    screen, draw, (width, height) = _screen(540, 960, (12, 12, 14))
    picture = Image.fromarray(image)
    rows = min(760, round(width * image.shape[0] / image.shape[1]))
    columns = min(width, round(rows * image.shape[1] / image.shape[0]))
    top = (height - rows) // 2
    screen.paste(
        picture.resize((columns, rows), Image.Resampling.LANCZOS), ((width - columns) // 2, top)
    )
    clock = f"{int(random.integers(0, 24)):02d}:{int(random.integers(0, 60)):02d}"
    draw.text((24, 14), clock, font=typeface("DejaVuSans-Bold", 20), fill=WHITE)
    draw.rectangle((470, 18, 510, 34), outline=WHITE, width=2)
    draw.rectangle((474, 22, 474 + int(random.integers(5, 33)), 30), fill=WHITE)
    for button in range(4):
        x = 90 + 120 * button
        draw.ellipse((x - 14, 905, x + 14, 933), outline=(200, 200, 200), width=3)
    return np.asarray(screen)


def page_screenshot(image: U8, random: Random) -> U8:
    """On a page of a browser: address, headline, the picture, text beside it."""
    height, width = image.shape[:2]
    screen, draw, (columns, rows) = _screen(round(width * 1.7), round(height * 1.45), WHITE)
    draw.rectangle((0, 0, columns, 0.08 * rows), fill=(222, 225, 230))
    small = typeface("DejaVuSans", max(10, rows // 40))
    address = f"https://{words(random, 1)}.example/{words(random, 1)}"
    draw.text((0.1 * columns, 0.022 * rows), address, font=small, fill=(60, 60, 60))
    title = typeface("DejaVuSerif", max(14, rows // 20))
    draw.text((0.04 * columns, 0.11 * rows), words(random, 4).title(), font=title, fill=BLACK)
    top = round(0.22 * rows)
    screen.paste(Image.fromarray(image), (round(0.04 * columns), top))
    left = 0.04 * columns + width + 16
    for y in range(top, top + height - 20, max(14, rows // 28)):
        draw.text((left, y), words(random, 4), font=small, fill=(50, 50, 50))
    return np.asarray(screen)


def _screen(
    width: int, height: int, colour: Colour
) -> tuple[Image.Image, ImageDraw.ImageDraw, tuple[int, int]]:
    screen = Image.new("RGB", (width, height), colour)
    return screen, ImageDraw.Draw(screen), (width, height)


FURTHER_OVERLAYS: dict[str, Edit] = {
    "text, small": caption(0.045, outline=0),
    "text, outlined": caption(0.08, outline=2),
    "text, large": caption(0.14, outline=0),
    "text, three lines": caption(0.06, outline=1, lines=3),
    "meme": laid_over(_meme),
    "caption under it": caption_under,
    "date stamp": laid_over(_date_stamp),
    "copyright line": laid_over(_copyright),
    "watermark, diagonal": laid_over(_diagonal_marks),
    "watermark, one word": laid_over(_single_mark),
    "box with text": laid_over(_box_with_text),
    "logo": laid_over(_logo),
    "emoji": laid_over(_faces(1, 0.28)),
    "five emoji": laid_over(_faces(5, 0.12)),
    "pen": laid_over(_pen),
    "play button": laid_over(_play_button),
    "screenshot of a phone": phone_screenshot,
    "screenshot of a page": page_screenshot,
}
