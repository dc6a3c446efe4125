"""The filter that was used is found again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.evaluation_set.photographs import photograph
from verify.linear_filter import fit_filter
from verify.photometry import luminance
from verify.specks import inside


def test_a_filter_is_found_although_a_part_of_the_picture_is_another() -> None:
    picture = luminance(photograph("astronaut.png"))
    kernel = np.zeros((9, 9), np.float32)
    kernel[4, :] = 1 / 9
    target = np.asarray(cv2.filter2D(picture, -1, kernel)) * np.float32(0.9) + np.float32(5)
    target[50:130, 80:200] = 128
    compared = inside(np.ones(picture.shape, bool), 4)
    found = fit_filter(picture, target, compared, 4)
    assert found is not None
    assert found.kernel.sum() == pytest.approx(0.9, abs=0.02)
    assert found.offset == pytest.approx(5, abs=2)
    # A box of nine pixels: √((9² - 1) / 12).
    assert found.spread == pytest.approx(2.58, abs=0.15)
    assert np.median(found.left) < 1.0
    away = np.abs(found.apply(picture) - target)[200:, 50:-50]
    assert away.mean() < 1.5


def test_a_few_pixels_tell_no_filter() -> None:
    picture = luminance(photograph("coffee.png"))
    few = np.zeros(picture.shape, bool)
    few[100:115, 100:115] = True
    assert fit_filter(picture, picture, few, 3) is None
