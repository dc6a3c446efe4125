"""Windows of 16 pixels, and of a character's size, compared by correlation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import EDITS
from benchmarks.evaluation_set.lookalikes import labels_with_one_changed_digit
from benchmarks.evaluation_set.photographs import photograph
from verify.geometry import scaling_matrix, size_of
from verify.residual import Residual, measure_residual
from verify.warp import align_pixels
from verify.windows import tile_agreement, worst_window

U8 = NDArray[np.uint8]


def compared(a: U8, b: U8) -> Residual:
    pair = align_pixels(a, b, scaling_matrix(size_of(a), size_of(b)))
    assert pair is not None
    return measure_residual(pair)


@pytest.mark.parametrize("edit", ["jpeg 30", "resize 0.5", "gamma 1.6", "sharpen", "noise 8"])
@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "china.jpg"])
def test_every_window_of_a_copy_looks_like_the_original(name: str, edit: str) -> None:
    picture = photograph(name)
    residual = compared(picture, EDITS[edit](picture, np.random.default_rng(1)))
    worst = worst_window(residual.a, residual.b, residual.mask, residual.noise)
    assert worst > 0.85


@pytest.mark.parametrize("seed", range(5))
def test_a_small_digit_makes_a_window_of_its_size_look_different(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = labels_with_one_changed_digit(generator, 2, [])
    residual = compared(first, EDITS["jpeg 60"](EDITS["resize 0.75"](second, generator), generator))
    assert worst_window(residual.a, residual.b, residual.mask) < 0.8
    nowhere = np.zeros_like(residual.mask)
    assert worst_window(residual.a, residual.b, nowhere) == 1


def test_windows_outside_the_mask_do_not_count() -> None:
    grey = photograph("china.jpg")[..., 0].astype(np.float32)
    broken = grey.copy()
    broken[:, :200] = np.random.default_rng(1).normal(128, 60, (grey.shape[0], 200))
    mask = np.ones(grey.shape, bool)
    assert tile_agreement(grey, broken, mask, 1.0).disagreeing > 0.2
    mask[:, :200] = False
    counted = tile_agreement(grey, broken, mask, 1.0)
    assert counted.disagreeing == 0
    assert counted.agreeing == 1


def test_an_even_slope_is_no_texture() -> None:
    slope = np.tile(np.linspace(0, 255, 320, dtype=np.float32), (240, 1))
    mask = np.ones(slope.shape, bool)
    assert tile_agreement(slope, slope, mask, 0.8).textured == 0
    assert tile_agreement(slope, slope, mask, 0.8).total > 1000


def test_what_noise_drowns_is_no_texture() -> None:
    grey = photograph("astronaut.png")[..., 1].astype(np.float32)
    mask = np.ones(grey.shape, bool)
    quiet = tile_agreement(grey, grey, mask, 0.8).textured
    assert quiet > tile_agreement(grey, grey, mask, 8.0).textured > 0


def test_a_picture_too_small_for_windows_has_none() -> None:
    grey = np.zeros((12, 12), np.float32)
    assert tile_agreement(grey, grey, np.ones((12, 12), bool), 1.0).total == 0
