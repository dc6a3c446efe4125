"""Look-alikes that are drawn: slides, receipts, codes, boards, notes, plots and screens.

Each family shares a layout; its pictures differ in what they say. See `lookalikes`.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.evaluation_set.drawing import (
    BLACK,
    U8,
    WHITE,
    Random,
    any_colour,
    font,
    one_of,
    sheet,
    shrunk,
    typeface,
    words,
)
from benchmarks.evaluation_set.lookalikes import Family

# Segments that are lit: top, upper right, lower right, bottom, lower left, upper left, middle.
_SEVEN_SEGMENTS = tuple(f"{lit:07b}" for lit in (126, 48, 109, 121, 51, 91, 95, 112, 127, 123))
_CHESSMEN = "♜♞♝♛♚♟♖♘♗♕♔♙"


def slides_over_one_photograph(random: Random, count: int, photographs: Sequence[U8]) -> list[U8]:
    """One background, one template, another list of points on each slide."""
    behind = shrunk(one_of(random, photographs), 1024, 576)
    dimmed = (behind * 0.45).astype(np.uint8)
    title = words(random, 3).title()
    slides = []
    for _ in range(count):
        slide = Image.fromarray(dimmed)
        draw = ImageDraw.Draw(slide)
        draw.text((60, 40), title, font=typeface("DejaVuSans-Bold", 44), fill=WHITE)
        for row in range(int(random.integers(3, 6))):
            text = f"• {words(random, 5)}"
            draw.text((80, 150 + 76 * row), text, font=typeface("DejaVuSans", 30), fill=WHITE)
        slides.append(np.asarray(slide))
    return slides


def slides_of_one_template(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    colour, name = any_colour(random, 20, 120), words(random, 2).title()
    slides = []
    for number in range(count):
        slide, draw = sheet(1024, 576, WHITE)
        draw.rectangle((0, 0, 1024, 90), fill=colour)
        draw.ellipse((930, 16, 990, 76), fill=(240, 200, 60))
        draw.text((40, 22), words(random, 4).title(), font=font(38), fill=WHITE)
        for row in range(5):
            draw.text((70, 130 + 78 * row), f"- {words(random, 6)}", font=font(28), fill=BLACK)
        draw.text((40, 540), f"{name}  ·  {number + 1}", font=font(18), fill=(120, 120, 120))
        slides.append(np.asarray(slide))
    return slides


def seven_segment_displays(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """A meter that shows one number after the other; they differ in a digit or more."""
    case = any_colour(random, 40, 110)
    start = int(random.integers(1000, 9000))
    displays = []
    for number in range(count):
        display, draw = sheet(640, 300, case)
        draw.rounded_rectangle((40, 40, 600, 230), 18, fill=(16, 26, 16))
        draw.text((60, 245), "kWh   MODEL S-20", font=typeface("DejaVuSansMono", 26), fill=WHITE)
        for place, digit in enumerate(f"{start + number:04d}"):
            _segments(draw, int(digit), 80 + 130 * place, 65, 80, 140)
        displays.append(np.asarray(display))
    return displays


def _segments(
    draw: ImageDraw.ImageDraw, digit: int, x: float, y: float, width: float, height: float
) -> None:
    half = height / 2
    lines = (
        (x, y, x + width, y),
        (x + width, y, x + width, y + half),
        (x + width, y + half, x + width, y + height),
        (x, y + height, x + width, y + height),
        (x, y + half, x, y + height),
        (x, y, x, y + half),
        (x, y + half, x + width, y + half),
    )
    for line, is_lit in zip(lines, _SEVEN_SEGMENTS[digit], strict=True):
        draw.line(line, fill=(90, 255, 90) if is_lit == "1" else (26, 40, 26), width=14)


def cards_with_another_face(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """Drawn portraits on one card: hair, eyes and mouth differ, the card does not."""
    card_colour, name = any_colour(random, 150, 240), words(random, 2).title()
    cards = []
    for _ in range(count):
        card, draw = sheet(480, 600, card_colour)
        draw.rounded_rectangle((30, 30, 450, 570), 24, fill=WHITE)
        draw.text((150, 515), name, font=font(30), fill=(60, 60, 60))
        draw.rectangle((120, 400, 360, 500), fill=(70, 90, 160))
        hair, light = any_colour(random, 10, 160), float(random.uniform(0.45, 1.0))
        skin = (int(245 * light), int(205 * light), int(175 * light))
        height = int(random.integers(90, 170))
        draw.ellipse((130, 90, 350, 110 + 2 * height), fill=hair)
        draw.ellipse((150, 130, 330, 420), fill=skin)
        apart, size = int(random.integers(30, 55)), int(random.integers(10, 20))
        for side in (-1, 1):
            x = 240 + side * apart
            draw.ellipse((x - size, 240, x + size, 240 + 1.4 * size), fill=WHITE, outline=BLACK)
            draw.ellipse((x - 5, 245, x + 5, 255), fill=BLACK)
            if random.random() < 0.4:
                draw.ellipse((x - 34, 222, x + 34, 284), outline=(30, 30, 30), width=5)
        smile = int(random.integers(-30, 40))
        draw.arc(
            (200, 320 - abs(smile), 280, 350 + abs(smile)),
            0 if smile > 0 else 180,
            180 if smile > 0 else 360,
            fill=(150, 30, 40),
            width=6,
        )
        cards.append(np.asarray(card))
    return cards


def receipts_of_one_shop(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    shop, mono = words(random, 2).title(), typeface("DejaVuSansMono", 22)
    receipts = []
    for _ in range(count):
        receipt, draw = sheet(460, 900, (248, 247, 243))
        draw.text((230, 50), shop, font=typeface("DejaVuSerif", 34), fill=BLACK, anchor="mm")
        draw.text((230, 95), "12 High Street", font=mono, fill=BLACK, anchor="mm")
        total = 0.0
        for row in range(14):
            price = int(random.integers(50, 3000)) / 100
            total += price
            item = words(random, 1)[:10]
            draw.text((40, 150 + 38 * row), f"{item:<12}{price:>10.2f}", font=mono, fill=BLACK)
        draw.line((40, 700, 420, 700), fill=BLACK, width=2)
        draw.text((40, 715), f"{'TOTAL':<12}{total:>10.2f}", font=mono, fill=BLACK)
        draw.text((230, 820), "Thank you!", font=mono, fill=BLACK, anchor="mm")
        receipts.append(np.asarray(receipt))
    return receipts


def receipts_with_another_total(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """All is the same but one sum."""
    mono = typeface("DejaVuSansMono", 26)
    items = [f"{words(random, 1)[:10]:<11}{random.integers(1, 60):>6d}.00" for _ in range(8)]
    receipts = []
    for total in random.choice(np.arange(200, 990), count, replace=False):
        receipt, draw = sheet(460, 640, (250, 250, 248))
        draw.text(
            (230, 60), "INVOICE", font=typeface("DejaVuSans-Bold", 36), fill=BLACK, anchor="mm"
        )
        for row, item in enumerate(items):
            draw.text((40, 130 + 44 * row), item, font=mono, fill=BLACK)
        draw.text((40, 540), f"{'Total':<11}{int(total):>6d}.00", font=mono, fill=BLACK)
        receipts.append(np.asarray(receipt))
    return receipts


def sheet_music(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """Other notes on the same staves."""
    pages = []
    for _ in range(count):
        page, draw = sheet(800, 1000, (253, 252, 246))
        for stave in range(7):
            top = 90 + 125 * stave
            for line in range(5):
                draw.line((50, top + 14 * line, 750, top + 14 * line), fill=BLACK, width=2)
            for bar in range(5):
                draw.line((50 + 175 * bar, top, 50 + 175 * bar, top + 56), fill=BLACK, width=2)
            for x in range(80, 740, 44):
                y = top + 7 * int(random.integers(-1, 10))
                head = (x - 9, y - 6, x + 9, y + 7)
                fill = None if random.random() < 0.3 else BLACK
                draw.ellipse(head, outline=BLACK, width=3, fill=fill)
                draw.line((x + 8, y, x + 8, y - 40), fill=BLACK, width=3)
        pages.append(np.asarray(page))
    return pages


def qr_codes(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """Addresses of one site that differ in their last characters."""
    site = words(random, 1)
    encoder = cv2.QRCodeEncoder.create()
    codes = []
    for number in random.choice(10**6, count, replace=False):
        cells = encoder.encode(f"https://{site}.example/ticket/{int(number):06d}")
        side = 12 * cells.shape[0]
        pixels = cv2.resize(cells, (side, side), interpolation=cv2.INTER_NEAREST)
        codes.append(np.repeat(pixels[..., None], 3, axis=2).astype(np.uint8))
    return codes


def chess_positions(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """One game, a move apart."""
    face = typeface("DejaVuSans", 54)
    squares = [int(square) for square in random.choice(64, 18, replace=False)]
    men = dict(zip(squares, random.choice(list(_CHESSMEN), 18), strict=True))
    boards = []
    for _ in range(count):
        board, draw = sheet(640, 640, (240, 217, 181))
        for square in range(64):
            row, column = divmod(square, 8)
            x, y = 80 * column, 80 * row
            if (row + column) % 2:
                draw.rectangle((x, y, x + 79, y + 79), fill=(181, 136, 99))
            if square in men:
                draw.text((x + 40, y + 42), men[square], font=face, fill=BLACK, anchor="mm")
        boards.append(np.asarray(board))
        start = int(random.choice(list(men)))
        free = [square for square in range(64) if square not in men]
        men[int(random.choice(free))] = men.pop(start)
    return boards


def plots_with_another_legend(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """The same points; the legend says that they are something else."""
    across, up = random.normal(0, 1, (2, 3, 40))
    colours = [any_colour(random, 30, 200) for _ in range(3)]
    plots = []
    for _ in range(count):
        plot, draw = sheet(800, 600, WHITE)
        draw.rectangle((70, 30, 770, 550), outline=BLACK, width=2)
        for series, colour in enumerate(colours):
            for x, y in zip(across[series], up[series], strict=True):
                left, top = 420 + 110 * x, 300 + 80 * y
                draw.ellipse((left - 5, top - 5, left + 5, top + 5), fill=colour)
        draw.rectangle((560, 45, 755, 145), fill=WHITE, outline=(120, 120, 120))
        for row, colour in enumerate(colours):
            draw.ellipse((575, 58 + 30 * row, 589, 72 + 30 * row), fill=colour)
            draw.text((600, 53 + 30 * row), words(random, 2)[:14], font=font(20), fill=BLACK)
        plots.append(np.asarray(plot))
    return plots


def keyboards_with_another_key_pressed(
    random: Random, count: int, _photographs: Sequence[U8]
) -> list[U8]:
    """A keyboard on a screen: one key of forty is lit."""
    rows = ("1234567890", "QWERTYUIOP", "ASDFGHJKL;", "ZXCVBNM,./")
    case = any_colour(random, 30, 90)
    boards = []
    for pressed in random.choice(40, count, replace=False):
        board, draw = sheet(820, 380, case)
        for row, letters in enumerate(rows):
            for column, letter in enumerate(letters):
                x, y = 20 + 78 * column + 10 * row, 30 + 82 * row
                is_lit = 10 * row + column == pressed
                fill = (90, 170, 250) if is_lit else (235, 235, 238)
                draw.rounded_rectangle((x, y, x + 68, y + 70), 10, fill=fill)
                draw.text((x + 34, y + 35), letter, font=font(30), fill=BLACK, anchor="mm")
        boards.append(np.asarray(board))
    return boards


def settings_with_another_switch(
    random: Random, count: int, _photographs: Sequence[U8]
) -> list[U8]:
    """One screen of settings; each picture has other switches on."""
    names = [words(random, 2).capitalize() for _ in range(10)]
    states = [int(state) for state in random.choice(2 ** len(names), count, replace=False)]
    screens = []
    for state in states:
        screen, draw = sheet(540, 960, (242, 242, 247))
        draw.text((30, 40), "Settings", font=typeface("DejaVuSans-Bold", 40), fill=BLACK)
        for row, name in enumerate(names):
            y, is_on = 120 + 80 * row, bool(state >> row & 1)
            draw.rounded_rectangle((20, y, 520, y + 70), 14, fill=WHITE)
            draw.text((44, y + 20), name, font=font(26), fill=BLACK)
            track = (52, 199, 89) if is_on else (225, 225, 230)
            draw.rounded_rectangle((430, y + 17, 500, y + 53), 18, fill=track)
            knob = 466 if is_on else 434
            draw.ellipse((knob, y + 19, knob + 32, y + 51), fill=WHITE, outline=(200, 200, 200))
        screens.append(np.asarray(screen))
    return screens


def product_labels(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """Kinds of one brand: the same label, another flavour and colour of its band."""
    brand = words(random, 1).upper()
    labels = []
    for _ in range(count):
        label, draw = sheet(500, 700, (246, 240, 226))
        draw.text((250, 120), brand, font=typeface("DejaVuSerif", 64), fill=BLACK, anchor="mm")
        draw.ellipse((150, 190, 350, 390), outline=(150, 120, 40), width=10)
        draw.rectangle((0, 440, 500, 540), fill=any_colour(random, 40, 220))
        flavour = words(random, 2).title()
        draw.text(
            (250, 490), flavour, font=typeface("DejaVuSans-Bold", 36), fill=WHITE, anchor="mm"
        )
        draw.text((250, 620), "750 ml  ·  12 % vol", font=font(28), fill=BLACK, anchor="mm")
        labels.append(np.asarray(label))
    return labels


def pages_with_another_amount(random: Random, count: int, _photographs: Sequence[U8]) -> list[U8]:
    """Scans of a page of small print; each has other digits in one of its amounts."""
    print_, leading = typeface("DejaVuSans", 23), 32
    rows: list[list[str]] = []
    while (len(rows) + 6) * leading < 1754:
        line = [words(random, 1) for _ in range(9)]
        line[int(random.integers(9))] = f"{random.integers(100, 99999) / 100:.2f}"
        rows.append(line)
    row = int(random.integers(len(rows)))
    word = next(n for n, text in enumerate(rows[row]) if text[0].isdigit())
    pages = []
    for _ in range(count):
        rows[row][word] = f"{random.integers(1000, 9999) / 100:.2f}"
        page, draw = sheet(1240, 1754, WHITE)
        for number, line in enumerate(rows):
            text = " ".join(line)[:86]
            draw.text((120, 96 + leading * number), text, font=print_, fill=(20, 20, 25))
        pages.append(np.asarray(page))
    return pages


PRINTS: dict[str, Family] = {
    family.__name__.replace("_", " "): family
    for family in (
        slides_over_one_photograph,
        slides_of_one_template,
        seven_segment_displays,
        cards_with_another_face,
        receipts_of_one_shop,
        receipts_with_another_total,
        sheet_music,
        qr_codes,
        chess_positions,
        plots_with_another_legend,
        keyboards_with_another_key_pressed,
        settings_with_another_switch,
        product_labels,
        pages_with_another_amount,
    )
}
