"""Colour descriptors."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from indexer.colour import colour_histogram, colour_layout, colour_square
from indexer.resize import fit, squash


def test_the_histogram_holds_the_root_of_each_share():
    square = np.zeros((128, 128, 3), dtype=np.uint8)
    square[:32] = (255, 0, 0)
    square[32:64] = (0, 130, 200)
    histogram = colour_histogram(square)
    assert histogram.dtype == np.uint8
    assert histogram[0b110000] == round(255 * 0.25**0.5)
    assert histogram[0b001011] == round(255 * 0.25**0.5)
    assert histogram[0] == round(255 * 0.5**0.5)
    assert np.count_nonzero(histogram) == 3


def test_the_layout_holds_the_lab_colour_of_each_cell():
    square = np.zeros((128, 128, 3), dtype=np.uint8)
    square[:32, 96:] = (255, 0, 0)
    square[96:, :32] = 255
    layout = colour_layout(square)
    assert layout.shape == (4, 4, 3)
    red = cv2.cvtColor(np.uint8([[[255, 0, 0]]]), cv2.COLOR_RGB2LAB)[0, 0]
    np.testing.assert_array_equal(layout[0, 3], red)
    np.testing.assert_array_equal(layout[3, 0], (255, 128, 128))
    np.testing.assert_array_equal(layout[1, 1], (0, 128, 128))


def test_a_copy_of_another_size_has_the_same_colours(photo):
    large = colour_square(np.asarray(photo))
    small = colour_square(np.asarray(photo.resize((225, 150), Image.Resampling.BOX)))
    assert np.abs(colour_histogram(large).astype(int) - colour_histogram(small)).max() <= 10
    assert np.abs(colour_layout(large).astype(int) - colour_layout(small)).max() <= 2


def test_squashing_averages_the_axis_that_shrinks_even_when_the_other_grows():
    stripes = np.zeros((10, 1000), dtype=np.uint8)
    stripes[:, ::2] = 200
    square = squash(stripes, 100)
    assert square.shape == (100, 100)
    assert square.min() == square.max() == 100


@pytest.mark.parametrize("side", [128, 224, 256, 600])
def test_squashing_a_photograph_averages_areas(photo, side):
    pixels = np.asarray(photo)
    width, height = (min(side, length) for length in photo.size)
    areas = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(areas, (side, side), interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(squash(pixels, side) - expected).mean() < 1.5


def test_a_mirrored_picture_is_squashed_to_the_mirrored_square(photo):
    pixels = np.asarray(photo)
    mirrored = squash(np.ascontiguousarray(pixels[:, ::-1]), 224)[:, ::-1].astype(int)
    assert np.abs(mirrored - squash(pixels, 224)).max() <= 1


def test_fitting_never_enlarges_and_keeps_at_least_one_pixel():
    assert fit(np.zeros((30, 40, 3), dtype=np.uint8), 640).shape == (30, 40, 3)
    assert fit(np.zeros((480, 1280, 3), dtype=np.uint8), 640).shape == (240, 640, 3)
    assert fit(np.zeros((1, 4000, 3), dtype=np.uint8), 640).shape == (1, 640, 3)
