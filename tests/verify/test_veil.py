"""Something laid over a picture does not hide that the picture under it is another one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.evaluation_set.edits import OVERLAYS
from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import indexed
from verify.cascade import Verifier
from verify.palette import has_another_colour
from verify.places import find_places
from verify.veil import fit_veil

U8 = NDArray[np.uint8]
MARK = OVERLAYS["watermark"]


def with_plate(picture: U8, number: str) -> U8:
    """The picture with a number plate in it, 150 pixels long."""
    changed = picture.copy()
    height, width = picture.shape[:2]
    x, y = width // 2 - 75, int(height * 0.72)
    cv2.rectangle(changed, (x, y), (x + 150, y + 36), (230, 230, 220), -1)
    place = (x + 10, y + 27)
    cv2.putText(changed, number, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (30, 30, 40), 2)
    return changed


def with_rows_of_marks(picture: U8, word: str) -> U8:
    """The picture with a word in thin white, three times in each of five rows."""
    below = Image.fromarray(picture).convert("RGBA")
    marks = Image.new("RGBA", below.size)
    canvas, (width, height) = ImageDraw.Draw(marks), below.size
    font = ImageFont.load_default(height // 12)
    for y in range(0, height, height // 5):
        for x in range(0, width, width // 3):
            canvas.text((x, y), word, font=font, fill=(255, 255, 255, 90))
    return np.asarray(Image.alpha_composite(below, marks).convert("RGB"))


@pytest.mark.parametrize(("name", "top", "left"), [("motorcycle_left.png", 81, 120)])
def test_rows_of_marks_on_a_picture_as_busy_as_they_are(
    verifier: Verifier, name: str, top: int, left: int
) -> None:
    """Neither side surprises less than the other; but one veil explains all that changed."""
    picture = np.ascontiguousarray(photograph(name)[top:, left:])
    original = indexed(picture, quality=90)
    copy = indexed(with_rows_of_marks(picture, "sample"), quality=85)
    assert verifier.verify(original, copy).is_copy
    other = indexed(with_rows_of_marks(with_plate(picture, "RSX 92"), "sample"), quality=85)
    assert not verifier.verify(indexed(with_plate(picture, "KLM 47"), quality=90), other).is_copy


@pytest.mark.parametrize("name", ["coffee.png", "china.jpg", "astronaut.png"])
def test_a_watermark_on_another_picture_makes_no_copy_of_it(verifier: Verifier, name: str) -> None:
    one, other = (with_plate(photograph(name), number) for number in ("KLM 47", "RSX 92"))
    marked = [MARK(picture, np.random.default_rng(1)) for picture in (one, other)]
    original, copy, another = (indexed(picture, quality=90) for picture in (one, *marked))
    assert verifier.verify(original, copy).is_copy
    for a, b in ((original, another), (another, original)):
        verdict = verifier.verify(a, b)
        assert not verdict.is_copy, verdict


def test_what_lies_under_a_veil_is_on_one_line() -> None:
    random = np.random.default_rng(1)
    clean = random.uniform(20, 220, (120, 160)).astype(np.float32)
    changed = np.zeros(clean.shape, bool)
    changed[20:40, 20:140] = changed[80:100, 20:60] = True
    veiled = np.where(changed, 0.7 * clean + 60, clean).astype(np.float32)
    veil = fit_veil(clean, veiled, changed, find_places(changed))
    assert veil.seen == pytest.approx(0.7, abs=0.01)
    assert (veil.beyond, veil.beyond_share) == (0.0, 0.0)
    veiled[80:100, 20:60] = clean[80:100, 20:60][:, ::-1]
    veil = fit_veil(clean, veiled, changed, find_places(changed))
    assert veil.seen == pytest.approx(0.7, abs=0.05)
    assert veil.beyond > 0.5
    assert veil.beyond_share == pytest.approx(800 * veil.beyond / clean.size, rel=0.05)


@pytest.mark.parametrize(
    ("colour", "is_another"), [((250.0, 240.0, 30.0), False), ((40.0, 90.0, 200.0), True)]
)
def test_a_place_in_a_colour_of_its_own_is_not_of_the_letters(
    colour: tuple[float, float, float], is_another: bool
) -> None:
    changed = np.zeros((60, 180), bool)
    letters, elsewhere = (slice(10, 20), slice(10, 100)), (slice(40, 50), slice(10, 20))
    changed[letters] = changed[elsewhere] = True
    on_clean = np.zeros(changed.shape, np.float32)
    on_clean[elsewhere] = 5.0
    colours = np.zeros((*changed.shape, 3), np.float32)
    colours[letters], colours[elsewhere] = (250, 240, 30), colour
    found = has_another_colour(
        changed, on_clean[changed], 5.0 - on_clean[changed], colours[changed]
    )
    assert found == is_another
