"""Pictures with one thing changed by hand: content to a person, a few pixels to a comparison."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Random = np.random.Generator
Retouch = Callable[[U8, Random], tuple[U8, U8]]


def a_light_goes_on(picture: U8, random: Random) -> tuple[U8, U8]:
    """A soft round light, which the picture shows through."""
    spot = _spot(picture, random, 0.12, softness=0.5)
    lit = picture + spot * random.choice([50.0, 70.0])
    return picture, np.clip(lit, 0, 255).astype(np.uint8)


def a_part_gets_another_colour(picture: U8, random: Random) -> tuple[U8, U8]:
    """Hue and saturation of a part; its lightness stays."""
    spot = _spot(picture, random, 0.12, softness=0.05)
    colours = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.int32)
    colours[..., 0] = (colours[..., 0] + 60) % 180
    colours[..., 1] = np.clip(colours[..., 1] + 80, 0, 255)
    painted = cv2.cvtColor(colours.astype(np.uint8), cv2.COLOR_HSV2RGB)
    return picture, _blended(picture, np.asarray(painted, np.uint8), spot)


def two_patches_are_exchanged(picture: U8, random: Random) -> tuple[U8, U8]:
    """One from the left half, one from the right."""
    height, width = picture.shape[:2]
    side = max(height, width) // 12
    left, right = (
        (int(random.integers(height - side)), start + int(random.integers(width // 2 - side)))
        for start in (0, width // 2)
    )
    changed = picture.copy()
    for (top, x), (other_top, other_x) in ((left, right), (right, left)):
        patch = picture[other_top : other_top + side, other_x : other_x + side]
        changed[top : top + side, x : x + side] = patch
    return picture, changed


def a_shape_is_bent(picture: U8, random: Random) -> tuple[U8, U8]:
    """Pinched towards a point, as faces and waists are."""
    height, width = picture.shape[:2]
    # Where there is something to bend.
    places = [_place(picture, random, 0.14) for _ in range(12)]
    x, y, reach = max(places, key=lambda place: _detail(picture, *place))
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    pull = 0.35 * np.clip(1 - np.hypot(columns - x, rows - y) / reach, 0, 1) ** 2
    across = (columns + (columns - x) * pull).astype(np.float32)
    down = (rows + (rows - y) * pull).astype(np.float32)
    return picture, np.asarray(cv2.remap(picture, across, down, cv2.INTER_CUBIC), np.uint8)


def specks_are_removed(picture: U8, random: Random) -> tuple[U8, U8]:
    """Birds in the sky, moles on a skin, dust on a sensor."""
    strewn = picture.copy()
    for _ in range(20):
        x, y, _reach = _place(picture, random, 0.02)
        cv2.circle(strewn, (x, y), 3, tuple(random.integers(20, 120, 3).tolist()), -1, cv2.LINE_AA)
    return picture, np.asarray(cv2.GaussianBlur(strewn, (0, 0), 0.5), np.uint8)


def a_ring_marks_another_place(picture: U8, random: Random) -> tuple[U8, U8]:
    """Drawn on both, around something else."""
    marked = []
    for _ in range(2):
        ringed = picture.copy()
        x, y, reach = _place(picture, random, 0.08)
        cv2.circle(ringed, (x, y), int(reach), (255, 0, 0), 4, cv2.LINE_AA)
        marked.append(ringed)
    return marked[0], marked[1]


def a_pin_stands_elsewhere(picture: U8, random: Random) -> tuple[U8, U8]:
    """On a map, or a plan."""
    pinned = []
    for _ in range(2):
        map_ = picture.copy()
        x, y, reach = _place(picture, random, 0.06)
        size = int(reach / 3)
        tip = np.array([[x - size, y + 2], [x + size, y + 2], [x, y + 3 * size]])
        cv2.circle(map_, (x, y), size, (220, 40, 40), -1, cv2.LINE_AA)
        cv2.fillPoly(map_, [tip], (220, 40, 40), cv2.LINE_AA)
        cv2.circle(map_, (x, y), max(1, size // 3), (255, 255, 255), -1)
        pinned.append(map_)
    return pinned[0], pinned[1]


def the_score_is_another(picture: U8, random: Random) -> tuple[U8, U8]:
    """In the corner of a broadcast."""
    points = int(random.integers(10, 90))
    shown = []
    for score in (points, points + 1):
        frame = picture.copy()
        scale = picture.shape[1] / 600
        cv2.rectangle(frame, (8, 8), (int(190 * scale), int(44 * scale)), (0, 0, 0), -1)
        _write(frame, f"HOME {score}:{points - 3}", (14, int(36 * scale)), scale, (255, 255, 255))
        shown.append(frame)
    return shown[0], shown[1]


def the_date_is_another(picture: U8, random: Random) -> tuple[U8, U8]:
    """What a camera stamps into a corner, 14 pixels high."""
    day = int(random.integers(1, 8))
    stamped = []
    for number in (day, day + 1):
        shot = picture.copy()
        height, width = picture.shape[:2]
        place = (int(width * 0.6), int(height * 0.95))
        _write(shot, f"1{number}.03.2024", place, width / 700, (255, 230, 120))
        stamped.append(shot)
    return stamped[0], stamped[1]


def the_number_on_its_ground_is_another(picture: U8, random: Random) -> tuple[U8, U8]:
    """Red digits, or blue ones on what is red, as light as their ground: only the colour tells."""
    height, width = picture.shape[:2]
    x, y = int(random.uniform(0.05, 0.5) * width), int(random.uniform(0.2, 0.9) * height)
    ground = picture[y - 12 : y, x : x + 60].reshape(-1, 3).mean(axis=0)
    is_red = ground[0] > 1.1 * ground[2]
    ink = np.array([60.0, 120.0, 255.0] if is_red else [255.0, 60.0, 60.0])
    weights = np.array([0.299, 0.587, 0.114])
    colour = np.clip(ink * float(ground @ weights) / float(ink @ weights), 0, 255).tolist()

    def numbered(number: str) -> U8:
        marked = picture.copy()
        cv2.putText(
            marked, f"No. {number}", (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA
        )
        return marked

    return numbered("4717"), numbered("4811")


RETOUCHES: dict[str, Retouch] = {
    retouch.__name__.replace("_", " "): retouch
    for retouch in (
        a_light_goes_on,
        a_part_gets_another_colour,
        two_patches_are_exchanged,
        a_shape_is_bent,
        specks_are_removed,
        a_ring_marks_another_place,
        a_pin_stands_elsewhere,
        the_score_is_another,
        the_date_is_another,
        the_number_on_its_ground_is_another,
    )
}


def _place(picture: U8, random: Random, share: float) -> tuple[int, int, float]:
    """A point, and a distance around it that is within the picture."""
    height, width = picture.shape[:2]
    reach = share * max(height, width)
    x = int(random.uniform(reach, width - reach))
    y = int(random.uniform(reach, height - 3 * reach if height > 5 * reach else height - reach))
    return x, y, reach


def _detail(picture: U8, x: int, y: int, reach: float) -> float:
    half = int(reach / 2)
    part = picture[max(0, y - half) : y + half, max(0, x - half) : x + half]
    return float(np.abs(cv2.Laplacian(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), cv2.CV_32F)).mean())


def _spot(picture: U8, random: Random, share: float, softness: float) -> NDArray[np.float32]:
    x, y, reach = _place(picture, random, share)
    spot = np.zeros(picture.shape[:2], np.float32)
    cv2.circle(spot, (x, y), int(reach), (1.0,), -1)
    return np.asarray(cv2.GaussianBlur(spot, (0, 0), softness * reach), np.float32)[..., None]


def _blended(below: U8, above: U8, weight: NDArray[np.float32]) -> U8:
    return np.clip(below * (1 - weight) + above * weight, 0, 255).astype(np.uint8)


def _write(
    picture: U8, words: str, place: tuple[int, int], scale: float, colour: tuple[int, int, int]
) -> None:
    thickness = max(1, round(2 * scale))
    cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness)
