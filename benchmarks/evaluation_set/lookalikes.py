"""Pictures that look alike and are not copies of each other: what must never be called a copy.

Every family draws a few pictures of one kind from a seeded generator. Within a family any two
pictures are `different`, although most of them match by keypoints, by hash and by embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.evaluation_set.drawing import (
    BLACK,
    U8,
    Random,
    any_colour,
    font,
    one_of,
    pasted,
    sheet,
    words,
)
from benchmarks.evaluation_set.photographs import photograph

Family = Callable[[Random, int, Sequence[U8]], list[U8]]


def pages_with_one_changed_line(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    lines = [words(random, 9)[:80] for _ in range(34)]
    changed = int(random.integers(0, len(lines)))
    pages = []
    for _ in range(count):
        page, draw = sheet(850, 1100, (255, 255, 255))
        lines[changed] = words(random, 9)[:80]
        for row, text in enumerate(lines):
            draw.text((80, 100 + 28 * row), text, font=font(17), fill=(20, 20, 20))
        pages.append(np.asarray(page))
    return pages


def labels_with_another_lot_number(
    random: Random, count: int, _photographs: Sequence[U8]
) -> list[U8]:
    colour, name = any_colour(random, 60, 255), words(random, 2).title()
    bars = random.integers(1, 5, 60)
    labels = []
    for _ in range(count):
        label, draw = sheet(600, 800, colour)
        draw.rectangle((40, 40, 560, 760), outline=BLACK, width=4)
        draw.text((70, 90), name, font=font(54), fill=BLACK)
        draw.ellipse((200, 200, 400, 400), fill=(250, 250, 250))
        draw.text((240, 270), "BIO", font=font(48), fill=(30, 120, 40))
        lot = int(random.integers(0, 10**6))
        draw.text((70, 470), f"Lot No. {lot:06d}", font=font(30), fill=BLACK)
        draw.text((70, 520), "Net weight 500 g", font=font(26), fill=BLACK)
        left = 80
        for number, width in enumerate(int(bar) for bar in bars):
            if number % 2 == 0:
                draw.rectangle((left, 600, left + 2 * width, 700), fill=BLACK)
            left += 2 * width + 1
        labels.append(np.asarray(label))
    return labels


def forms_filled_differently(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    fields = [words(random, 2).title() for _ in range(14)]
    forms = []
    for number in range(count):
        form, draw = sheet(850, 1100, (250, 250, 245))
        draw.text((80, 50), "Application form", font=font(36), fill=BLACK)
        for row, field in enumerate(fields):
            y = 130 + 65 * row
            draw.text((80, y), field, font=font(20), fill=BLACK)
            draw.rectangle((300, y - 8, 780, y + 34), outline=(90, 90, 90), width=2)
            # The first form is empty.
            if number and (row % 3 or random.random() < 0.3):
                draw.text((312, y), words(random, 3), font=font(22), fill=(20, 30, 140))
        forms.append(np.asarray(form))
    return forms


def matrix_codes(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    side, finder = 33, 7
    codes = []
    for _ in range(count):
        cells = random.integers(0, 2, (side, side)).astype(np.uint8)
        for y, x in ((0, 0), (0, side - finder), (side - finder, 0)):
            cells[y : y + finder, x : x + finder] = 1
            cells[y + 1 : y + finder - 1, x + 1 : x + finder - 1] = 0
            cells[y + 2 : y + finder - 2, x + 2 : x + finder - 2] = 1
        pixels = 255 - 255 * np.kron(np.pad(cells, 4), np.ones((14, 14), np.uint8))
        codes.append(np.repeat(pixels[..., None], 3, axis=2).astype(np.uint8))
    return codes


def burst_frames_with_a_moved_object(
    random: Random, count: int, photographs: Sequence[U8]
) -> list[U8]:
    return _burst(random, count, photographs, height=0.3, width=0.15)


def burst_frames_with_a_small_moved_object(
    random: Random, count: int, photographs: Sequence[U8]
) -> list[U8]:
    return _burst(random, count, photographs, height=0.12, width=0.06)


def flat_object_moved(random: Random, count: int, photographs: Sequence[U8]) -> list[U8]:
    scene, colour = one_of(random, photographs), any_colour(random, 0, 256)
    height, width = scene.shape[:2]
    frames = []
    for number in range(count):
        frame = Image.fromarray(scene)
        x, y = (0.05 + 0.8 * number / count) * width, 0.5 * height
        ImageDraw.Draw(frame).ellipse((x, y, x + 0.12 * width, y + 0.12 * width), fill=colour)
        frames.append(np.asarray(frame))
    return frames


def panorama_overlaps(random: Random, count: int, photographs: Sequence[U8]) -> list[U8]:
    scene = one_of(random, photographs)
    scene = np.asarray(cv2.resize(scene, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    width = scene.shape[1]
    view = int(width * 0.55)
    starts = [int((width - view) * number / max(1, count - 1)) for number in range(count)]
    return [scene[:, start : start + view].copy() for start in starts]


def screenshots_of_one_app(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    screens = []
    for _ in range(count):
        screen, draw = sheet(540, 960, (245, 245, 248))
        draw.rectangle((0, 0, 540, 80), fill=(40, 90, 200))
        draw.text((20, 20), "Messages", font=font(34), fill=(255, 255, 255))
        for row in range(9):
            y = 100 + 92 * row
            draw.ellipse((20, y, 80, y + 60), fill=any_colour(random, 80, 230))
            draw.text((100, y + 2), words(random, 2).title(), font=font(24), fill=BLACK)
            draw.text((100, y + 32), words(random, 4), font=font(18), fill=(110, 110, 110))
            draw.line((100, y + 76, 540, y + 76), fill=(220, 220, 220))
        screens.append(np.asarray(screen))
    return screens


def screenshots_with_one_new_message(
    random: Random, count: int, _photographs: Sequence[U8]
) -> list[U8]:
    """The same conversation with one bubble more each time."""
    messages = [words(random, 5)[:34] for _ in range(6 + count)]
    screens = []
    for number in range(count):
        screen, draw = sheet(540, 960, (236, 229, 221))
        draw.rectangle((0, 0, 540, 80), fill=(7, 94, 84))
        draw.text((20, 20), "Family", font=font(34), fill=(255, 255, 255))
        for row, text in enumerate(messages[: 6 + number]):
            y, x = 100 + 70 * row, 20 + 100 * (row % 2)
            draw.rounded_rectangle((x, y, x + 400, y + 54), 12, fill=(255, 255, 255))
            draw.text((x + 16, y + 14), text, font=font(20), fill=(30, 30, 30))
        screens.append(np.asarray(screen))
    return screens


def maps_of_two_places(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    maps = []
    for _ in range(count):
        place, draw = sheet(800, 600, (242, 239, 233))
        for _park in range(6):
            x, y = (int(v) for v in random.integers(0, (800, 600)))
            width, height = (int(v) for v in random.integers((60, 40), (160, 140)))
            draw.rectangle((x, y, x + width, y + height), fill=(200, 230, 190))
        for _street in range(16):
            ends = [tuple(int(v) for v in end) for end in random.integers(-50, (850, 650), (2, 2))]
            draw.line(ends, fill=(200, 200, 200), width=10)
            draw.line(ends, fill=(255, 255, 255), width=7)
        for _name in range(10):
            x, y = (int(v) for v in random.integers(0, (700, 570)))
            draw.text((x, y), words(random, 1).title(), font=font(16), fill=(80, 80, 80))
        draw.rectangle((10, 10, 50, 90), fill=(255, 255, 255), outline=(120, 120, 120))
        draw.text((22, 14), "+", font=font(26), fill=BLACK)
        maps.append(np.asarray(place))
    return maps


def inverted_art(random: Random, _count: int, photographs: Sequence[U8]) -> list[U8]:
    picture = one_of(random, photographs)
    return [picture, np.asarray(255 - picture, np.uint8)]


def drawings_redrawn_dark(random: Random, _count: int, _photographs: Sequence[U8]) -> list[U8]:
    """A diagram in black on white and in white on black."""
    drawing, draw = sheet(640, 480, (255, 255, 255))
    for _ in range(12):
        x, y = (int(v) for v in random.integers(10, (520, 400)))
        draw.rounded_rectangle((x, y, x + 110, y + 60), 10, outline=BLACK, width=3)
        draw.text((x + 12, y + 18), words(random, 1), font=font(20), fill=BLACK)
    light = np.asarray(drawing)
    return [light, np.asarray(255 - light, np.uint8)]


def charts_with_another_line(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    common = np.cumsum(random.normal(0, 1, 60))
    charts = []
    for _ in range(count):
        chart, draw = sheet(900, 600, (255, 255, 255))
        draw.rectangle((80, 40, 860, 530), outline=BLACK)
        other = np.cumsum(random.normal(0, 1, 60))
        for series, colour in ((common, (30, 90, 200)), (other, (210, 60, 30))):
            values = (series - series.min()) / (np.ptp(series) + 1e-9)
            line = [(80 + k * 780 / 59, 520 - float(v) * 460) for k, v in enumerate(values)]
            draw.line(line, fill=colour, width=3)
        for tick in range(6):
            draw.text((40, 40 + tick * 95), f"{100 - 20 * tick}", font=font(16), fill=BLACK)
        charts.append(np.asarray(chart))
    return charts


def photographs_of_a_label_with_another_number(
    random: Random, count: int, photographs: Sequence[U8]
) -> list[U8]:
    scene = one_of(random, photographs)
    height, width = scene.shape[:2]
    size = max(12, height // 14)
    x, y = int(width * 0.3), int(height * 0.6)
    frames = []
    for _ in range(count):
        frame = Image.fromarray(scene)
        draw = ImageDraw.Draw(frame)
        plate = (x, y, x + int(5.5 * size), y + int(1.6 * size))
        draw.rectangle(plate, fill=(250, 250, 250), outline=BLACK)
        number = int(random.integers(0, 10**5))
        draw.text((x + 8, y + 4), f"No. {number:05d}", font=font(size), fill=(10, 10, 10))
        frames.append(np.asarray(frame))
    return frames


def labels_with_one_changed_digit(
    random: Random, count: int, _photographs: Sequence[U8]
) -> list[U8]:
    colour = any_colour(random, 120, 255)
    serial = [int(digit) for digit in random.integers(0, 10, 8)]
    changed = int(random.integers(0, len(serial)))
    labels = []
    for number in range(count):
        digits = list(serial)
        digits[changed] = (digits[changed] + number) % 10
        label, draw = sheet(600, 400, colour)
        draw.rectangle((20, 20, 580, 380), outline=BLACK, width=3)
        draw.text((50, 60), "ACME Parts", font=font(50), fill=(120, 0, 0))
        text = "".join(str(digit) for digit in digits)
        draw.text((50, 160), f"Serial {text}", font=font(28), fill=BLACK)
        draw.text((50, 230), "Made with care", font=font(28), fill=BLACK)
        labels.append(np.asarray(label))
    return labels


def stereo_pair(_random: Random, _count: int, _photographs: Sequence[U8]) -> list[U8]:
    """One scene from two places, 19 cm apart."""
    return [photograph(f"motorcycle_{side}.png", 640) for side in ("left", "right")]


FAMILIES: dict[str, Family] = {
    family.__name__.replace("_", " "): family
    for family in (
        pages_with_one_changed_line,
        labels_with_another_lot_number,
        forms_filled_differently,
        matrix_codes,
        burst_frames_with_a_moved_object,
        burst_frames_with_a_small_moved_object,
        flat_object_moved,
        panorama_overlaps,
        screenshots_of_one_app,
        screenshots_with_one_new_message,
        maps_of_two_places,
        inverted_art,
        drawings_redrawn_dark,
        charts_with_another_line,
        photographs_of_a_label_with_another_number,
        labels_with_one_changed_digit,
        stereo_pair,
    )
}


def _burst(
    random: Random, count: int, photographs: Sequence[U8], *, height: float, width: float
) -> list[U8]:
    """A scene with something of this size, as a share of the frame, moving through it."""
    scene, texture = one_of(random, photographs), one_of(random, photographs)
    rows, columns = scene.shape[:2]
    size = (int(columns * width), int(rows * height))
    thing = np.asarray(cv2.resize(texture, size, interpolation=cv2.INTER_AREA), np.uint8)
    top = min(int(random.uniform(0.3, 0.6) * rows), rows - size[1])
    frames = []
    for number in range(count):
        left = int((0.1 + 0.7 * number / count) * columns)
        frame = pasted(scene, thing, left, top).astype(np.float64)
        frame += random.normal(0, 2, frame.shape)
        frames.append(np.clip(frame, 0, 255).astype(np.uint8))
    return frames
