"""What Pillow lends is what Pillow packs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from indexer.pillow_pixels import rgb_pixels


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (1, 500), (501, 375), (5000, 4000)])
def test_the_pixels_are_those_that_pillow_packs(size):
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    assert np.array_equal(rgb_pixels(image), pixels)


def test_the_pixels_outlive_the_image_and_are_not_shared():
    image = Image.new("RGB", (30, 20), (1, 2, 3))
    pixels = rgb_pixels(image)
    image.putpixel((0, 0), (9, 9, 9))
    del image
    assert pixels.flags.c_contiguous
    assert np.array_equal(np.unique(pixels.reshape(-1, 3), axis=0), [[1, 2, 3]])
