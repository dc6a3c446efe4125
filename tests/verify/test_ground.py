"""The colour of what a drawing stands on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.ground import ground_tint
from verify.residual import measure_residual
from verify.warp import align_pixels

U8 = NDArray[np.uint8]


def on_ground(colour: tuple[int, int, int], fine: float = 1.0) -> U8:
    """Confetti on an even ground; `fine` is how much of the confetti's colour is left."""
    random = np.random.default_rng(1)
    picture = np.full((300, 400, 3), colour, np.uint8)
    confetti = random.integers(40, 216, (110, 400, 3))
    grey = confetti.mean(axis=2, keepdims=True)
    picture[40:150] = np.rint(grey + fine * (confetti - grey)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8))


def tint(a: U8, b: U8) -> float:
    pair = align_pixels(a, b, np.eye(3))
    assert pair is not None
    return ground_tint(pair, measure_residual(pair))


def test_a_ground_that_kept_its_colour_has_not_moved_where_all_else_is_paler() -> None:
    assert tint(on_ground((60, 70, 170)), on_ground((60, 70, 170), fine=0.6)) < 1.0


def test_a_ground_that_is_paler_with_all_else_has_not_moved() -> None:
    full = on_ground((60, 70, 170))
    grey = full.mean(axis=2, keepdims=True)
    paler = np.rint(grey + 0.7 * (full - grey)).astype(np.uint8)
    assert tint(full, paler) < 1.5


def test_a_ground_of_another_colour_has_moved() -> None:
    assert tint(on_ground((60, 70, 170)), on_ground((90, 60, 150))) > 5.0
