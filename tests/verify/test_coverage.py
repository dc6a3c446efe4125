"""Which of two aligned pictures shows all that the other shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import EDITS, jpeg, screenshot
from benchmarks.evaluation_set.overlays import caption_under
from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import PHOTOGRAPHS
from verify.coverage import FrameShare, frame_share
from verify.geometry import Size, size_of

U8 = NDArray[np.uint8]


def within(image: U8, left: int, top: int, width: int, height: int) -> FrameShare:
    """What is said of an image of which another shows this box."""
    box = np.array([[1.0, 0, -left], [0, 1, -top], [0, 0, 1]])
    return frame_share(image, Size(width, height), box)


def test_equal_frames_lose_nothing() -> None:
    picture = photograph("coffee.png")
    share = within(picture, 0, 0, picture.shape[1], picture.shape[0])
    assert share == FrameShare(seen=1.0, lost=0.0, margin=0.0, is_pasted=False)


def test_the_crop_is_seen_whole_and_the_full_picture_loses_the_rest() -> None:
    picture = photograph("astronaut.png")
    part = np.ascontiguousarray(picture[100:400, 60:360])
    full = within(picture, 60, 100, 300, 300)
    assert full.seen == pytest.approx(300 * 300 / 480**2, abs=0.01)
    assert full.lost == pytest.approx(1 - full.seen, abs=0.01)
    shift = np.array([[1.0, 0, 60], [0, 1, 100], [0, 0, 1]])
    cropped = frame_share(part, size_of(picture), shift)
    assert (cropped.seen, cropped.lost) == (1.0, 0.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_crop_does_not_look_pasted_into_the_picture_it_was_cut_from(name: str, seed: int) -> None:
    picture = photograph(name)
    random = np.random.default_rng(seed)
    height, width = (round(side * random.uniform(0.5, 0.95)) for side in picture.shape[:2])
    top = int(random.integers(0, picture.shape[0] - height + 1))
    left = int(random.integers(0, picture.shape[1] - width + 1))
    share = within(picture, left, top, width, height)
    assert share.lost > 0
    assert not share.is_pasted


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_picture_in_a_screenshot_is_pasted(name: str) -> None:
    picture = photograph(name)
    height, width = picture.shape[:2]
    screen = screenshot(picture, np.random.default_rng(0))
    share = within(screen, (screen.shape[1] - width) // 2, 60, width, height)
    assert share.lost > 0.1
    assert share.is_pasted


@pytest.mark.parametrize("side", [640, 250])
@pytest.mark.parametrize("name", [*PHOTOGRAPHS, "motorcycle_left.png"])
def test_a_picture_above_a_strip_with_its_caption_is_pasted(name: str, side: int) -> None:
    """Upside down, so that it ends in a sky where it has one."""
    picture = np.ascontiguousarray(np.flipud(photograph(name, side)))
    height, width = picture.shape[:2]
    captioned = jpeg(85)(caption_under(picture, np.random.default_rng(0)), np.random.default_rng(0))
    share = within(captioned, 0, 0, width, height)
    assert share.lost > 0.1
    assert share.is_pasted


def test_a_picture_in_a_collage_is_pasted() -> None:
    collage = np.asarray(cv2.resize(photograph("china.jpg"), (480, 480)), np.uint8)
    collage[60:380, 0:480] = photograph("coffee.png")[:320]
    assert within(collage, 0, 60, 480, 320).is_pasted


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "china.jpg"])
def test_a_hairline_around_the_picture_is_an_empty_margin(name: str) -> None:
    """Compression bleeds into nearly all of it."""
    picture = cv2.resize(photograph(name), (400, 300), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(picture, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=(16, 16, 18))
    share = within(jpeg(80)(framed, np.random.default_rng(0)), 3, 3, 400, 300)
    assert share.lost == 0
    assert not share.is_pasted


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "china.jpg"])
def test_a_strip_that_a_crop_left_out_is_no_hairline(name: str) -> None:
    picture = cv2.resize(photograph(name), (400, 300), interpolation=cv2.INTER_AREA)
    assert within(picture, 4, 4, 392, 292).lost > 0.02


@pytest.mark.parametrize("quality", [95, 60])
@pytest.mark.parametrize("edit", ["border", "letterbox"])
@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "china.jpg"])
def test_a_border_is_an_empty_margin(name: str, edit: str, quality: int) -> None:
    picture = photograph(name)
    random = np.random.default_rng(0)
    framed = jpeg(quality)(EDITS[edit](picture, random), random)
    height, width = picture.shape[:2]
    left, top = (framed.shape[1] - width) // 2, (framed.shape[0] - height) // 2
    share = within(framed, left, top, width, height)
    assert share.lost == 0
    assert share.margin == pytest.approx(1 - share.seen, abs=0.01)


@pytest.mark.parametrize("degrees", [5, -15])
@pytest.mark.parametrize("width", [640, 250, 120, 75])
def test_corners_blanked_by_a_rotation_are_an_empty_margin(width: int, degrees: int) -> None:
    size = Size(width, width * 2 // 3)
    shape = (size.width, size.height)
    picture = np.asarray(
        cv2.resize(photograph("coffee.png"), shape, interpolation=cv2.INTER_AREA), np.uint8
    )
    centre = ((size.width - 1) / 2, (size.height - 1) / 2)
    matrix = np.vstack([cv2.getRotationMatrix2D(centre, degrees, 1.0), [0, 0, 1]])
    turned = np.asarray(cv2.warpPerspective(picture, matrix, shape), np.uint8)
    saved = jpeg(90)(turned, np.random.default_rng(0))
    assert frame_share(saved, size, np.linalg.inv(matrix)).lost == 0
    assert frame_share(picture, size, matrix).lost > 0.03


def test_a_plain_sky_that_was_cut_off_is_part_of_the_picture() -> None:
    picture = photograph("china.jpg").copy()
    picture[:80] = (236, 240, 244)
    height, width = picture.shape[:2]
    share = within(picture, 0, 40, width, height - 40)
    assert share.lost == pytest.approx(40 / height, abs=0.01)
    assert share.margin == 0


def test_a_rounding_of_the_crop_to_whole_pixels_is_no_loss() -> None:
    picture = photograph("coffee.png")
    height, width = picture.shape[:2]
    assert within(picture, 1, 1, width - 2, height - 2).lost == 0


def turned(picture: U8, degrees: float) -> tuple[U8, NDArray[np.float64]]:
    """A picture turned within its frame, its corners left black, and the map to it."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    copy = np.asarray(cv2.warpAffine(picture, turn, (width, height)), np.uint8)
    return copy, np.vstack([turn, [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("degrees", [-5.0, 3.0, 5.0])
@pytest.mark.parametrize("is_dark", [False, True])
def test_the_corners_that_a_turn_cuts_off_are_no_screen_around_the_picture(
    degrees: float, is_dark: bool
) -> None:
    # A night, in which the black corners of the copy have no edge; or a picture with a frame line,
    # along which it ends for a good part.
    picture = photograph("rocket.jpg").copy()
    if is_dark:
        picture[:] = (picture * 0.05).astype(np.uint8)
    else:
        cv2.rectangle(
            picture, (14, 14), (picture.shape[1] - 15, picture.shape[0] - 15), (255,) * 3, 3
        )
    copy, to_copy = turned(picture, degrees)
    size = size_of(picture)
    original = frame_share(picture, size, to_copy)
    assert original.lost == pytest.approx(1 - original.seen, abs=0.03) and not original.is_pasted
    blank = frame_share(copy, size, np.linalg.inv(to_copy))
    assert blank.lost == 0.0 and not blank.is_pasted
    assert blank.margin == pytest.approx(1 - blank.seen, abs=0.01)


def test_a_crop_beside_corners_is_still_lost() -> None:
    picture = photograph("astronaut.png")
    height, width = picture.shape[:2]
    turn = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), 5.0, 1.25), [0.0, 0.0, 1.0]])
    assert frame_share(picture, size_of(picture), turn).lost > 0.2
