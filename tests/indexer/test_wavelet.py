"""The wavelet hashes, and the laws that search relies on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from indexer.decode import DecodeLimits, decode
from indexer.wavelet import grey_square, reference_wavelet_hash, wavelet_hash

SIDES = (8, 16)


def bits(packed: bytes, side: int):
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8)).reshape(side, side)


@st.composite
def squares(draw):
    """Noise, and pictures of few large cells, whose blocks tie with the median."""
    if draw(st.booleans()):
        cells = draw(st.sampled_from([2, 4, 8, 16, 32]))
        levels = st.integers(0, draw(st.sampled_from([1, 3, 255])))
        grid = draw(arrays.arrays(np.uint8, (cells, cells), elements=levels))
        return np.kron(grid, np.ones((256 // cells, 256 // cells), dtype=np.uint8))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(0, 256, (256, 256)).astype(np.uint8)


@given(squares())
@settings(max_examples=60, deadline=None)
def test_the_fast_hash_equals_the_wavelet_transform_bit_for_bit(grey):
    for side in SIDES:
        assert wavelet_hash(grey, side) == reference_wavelet_hash(grey, side)


def test_the_fast_hash_equals_the_wavelet_transform_on_photographs(photos):
    for rgb in photos.values():
        grey = grey_square(rgb)
        for side in SIDES:
            assert wavelet_hash(grey, side) == reference_wavelet_hash(grey, side)


@given(squares(), st.integers(0, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_hash_of_a_turned_square_is_the_turned_hash(grey, quarter_turns, is_mirrored):
    turned = np.rot90(grey[:, ::-1] if is_mirrored else grey, quarter_turns)
    for side in SIDES:
        grid = bits(wavelet_hash(grey, side), side)
        expected = np.rot90(grid[:, ::-1] if is_mirrored else grid, quarter_turns)
        np.testing.assert_array_equal(bits(wavelet_hash(turned, side), side), expected)


def test_bits_are_rows_from_the_top_most_significant_first():
    grey = np.zeros((256, 256), dtype=np.uint8)
    grey[:32, 32:64] = 255
    assert wavelet_hash(grey, 8) == bytes([0b0100_0000, 0, 0, 0, 0, 0, 0, 0])
    assert len(wavelet_hash(grey, 16)) == 32


def test_a_flat_picture_has_no_bit_set():
    assert wavelet_hash(np.full((256, 256), 77, dtype=np.uint8), 16) == bytes(32)


def test_a_square_of_another_size_is_refused():
    with pytest.raises(ValueError, match="256×256"):
        wavelet_hash(np.zeros((128, 128), dtype=np.uint8), 8)


def distance(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count()


def test_copies_of_other_size_and_format_are_near_and_other_pictures_far(photo, photos, encode):
    original = wavelet_hash(grey_square(np.asarray(photo)), 8)
    copies = [
        encode(photo, "JPEG", quality=40),
        encode(photo.resize((226, 150), Image.Resampling.LANCZOS), "PNG"),
        encode(photo.resize((1804, 1200), Image.Resampling.BICUBIC), "JPEG"),
        encode(photo, "WEBP", quality=50),
    ]
    for content in copies:
        rgb = decode(content, DecodeLimits()).rgb
        assert distance(original, wavelet_hash(grey_square(rgb), 8)) <= 3
    others = [
        wavelet_hash(grey_square(rgb), 8) for name, rgb in photos.items() if "chel" not in name
    ]
    assert min(distance(original, other) for other in others) >= 10
