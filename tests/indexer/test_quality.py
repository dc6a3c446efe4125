"""Quality measures: each moves with the fault it is named for."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from indexer.decode import DecodeLimits, decode
from indexer.quality import measure_quality, noise, texture
from indexer.resize import luminance
from indexer.spectrum import _radial_power, _tables
from storage.records import Quality


@pytest.fixture(scope="module")
def sharp():
    """A photograph reduced to 3/5, so that it is sharp to the pixel, 307×307."""
    from pathlib import Path

    import skimage

    path = Path(skimage.__file__).parent / "data" / "astronaut.png"
    return Image.open(path).convert("RGB").resize((307, 307), Image.Resampling.LANCZOS)


def measure(image) -> Quality:
    return measure_quality(np.asarray(image.convert("RGB")), 1.0, None)


def test_blur_lowers_sharpness(sharp):
    blurred = sharp.filter(ImageFilter.GaussianBlur(1.5))
    assert measure(blurred).sharpness < 0.2 * measure(sharp).sharpness


@pytest.mark.parametrize("sigma", [3, 8, 20])
def test_noise_is_measured_in_grey_levels(sigma):
    random = np.random.default_rng(1)
    flat = np.full((300, 400), 128.0) + random.normal(0, sigma, (300, 400))
    assert noise(flat.round().clip(0, 255).astype(np.uint8)) == pytest.approx(sigma, rel=0.05)


def test_jpeg_blocks_raise_blockiness_also_in_a_crop_saved_as_png(sharp, encode):
    coarse = Image.open(io.BytesIO(encode(sharp, "JPEG", quality=15)))
    assert measure(sharp).blockiness < 0.05
    assert measure(coarse).blockiness > 0.2
    assert measure(coarse.crop((3, 5, 300, 300))).blockiness > 0.2


def test_blockiness_is_not_measured_on_a_scaled_decode(sharp, encode):
    coarse = np.asarray(Image.open(io.BytesIO(encode(sharp, "JPEG", quality=15))))
    quality = measure_quality(coarse, 0.5, None)
    assert (quality.blockiness, quality.measured_scale) == (0.0, 0.5)


@pytest.mark.parametrize("kernel", ["BICUBIC", "LANCZOS", "BILINEAR"])
def test_an_image_enlarged_twofold_has_half_the_bandwidth(kernel, sharp):
    enlarged = sharp.resize((614, 614), Image.Resampling[kernel])
    assert measure(sharp).bandwidth > 0.85
    assert measure(enlarged).bandwidth == pytest.approx(0.5, abs=0.15)


def test_an_enlargement_is_seen_through_jpeg(sharp, encode):
    enlarged = sharp.resize((614, 614), Image.Resampling.BICUBIC)
    saved = Image.open(io.BytesIO(encode(enlarged, "JPEG", quality=75)))
    assert measure(saved).bandwidth < 0.65
    assert measure(Image.open(io.BytesIO(encode(sharp, "JPEG", quality=75)))).bandwidth > 0.85


@pytest.mark.parametrize("quality", [1, 12, 50, 75, 76, 95, 100])
def test_the_jpeg_quality_is_read_from_its_tables(quality, sharp, encode):
    jpeg = decode(encode(sharp, "JPEG", quality=quality), DecodeLimits()).jpeg
    assert jpeg is not None
    assert jpeg.quality == quality
    assert jpeg.mean_quantiser >= 1


def test_foreign_tables_get_the_nearest_quality(sharp, encode):
    tables = [[2 * v for v in (16, 11, 10, 16, 24, 40, 51, 61) * 8]] * 2
    jpeg = decode(encode(sharp, "JPEG", qtables=tables), DecodeLimits()).jpeg
    assert jpeg is not None
    assert 45 < jpeg.quality < 60
    assert jpeg.mean_quantiser == pytest.approx(57.25)


@pytest.mark.parametrize(("code", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_chroma_subsampling_is_read_from_the_header(code, name, sharp, encode):
    jpeg = decode(encode(sharp, "JPEG", subsampling=code), DecodeLimits()).jpeg
    assert jpeg is not None
    assert jpeg.subsampling == name


def test_a_grey_jpeg_has_no_chroma(sharp, encode):
    jpeg = decode(encode(sharp.convert("L"), "JPEG"), DecodeLimits()).jpeg
    assert jpeg is not None
    assert jpeg.subsampling == "4:0:0"


def test_clipped_is_the_share_of_pixels_with_a_channel_at_its_end():
    pixels = np.full((40, 40, 3), 100, dtype=np.uint8)
    pixels[:10, :, 1] = 255
    pixels[10:14, :, 2] = 0
    assert measure_quality(pixels, 1.0, None).clipped == pytest.approx(14 / 40)


def test_stretched_contrast_leaves_gaps(sharp):
    stretched = sharp.point(lambda level: min(255, level * 2))
    assert measure(sharp).histogram_gaps < 0.02
    assert measure(stretched).histogram_gaps == pytest.approx(0.5, abs=0.05)


def test_entropy_is_in_bits_per_pixel():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    grey = np.repeat(ramp[..., None], 3, axis=2)
    assert measure_quality(grey, 1.0, None).entropy == pytest.approx(8.0)
    assert measure_quality(np.zeros_like(grey), 1.0, None).entropy == 0.0


def test_a_grey_picture_has_no_colourfulness(sharp):
    assert measure(sharp.convert("L")).colourfulness == 0.0
    assert measure(sharp).colourfulness > 20


def test_a_flat_picture_has_no_texture_and_a_photograph_much(sharp, photos):
    random = np.random.default_rng(2)
    wall = np.full((400, 600), 90.0) + random.normal(0, 3, (400, 600))
    assert texture(wall.round().astype(np.uint8)) < 0.05
    assert texture(luminance(np.asarray(sharp))) > 0.7
    assert texture(luminance(photos["gravel.png"])) > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (2, 3), (7, 40), (40, 7), (63, 70)])
def test_tiny_pictures_are_measured_without_fuss(shape):
    pixels = np.random.default_rng(3).integers(0, 256, (*shape, 3)).astype(np.uint8)
    quality = measure_quality(pixels, 1.0, None)
    assert quality.bandwidth == 0.0
    assert all(np.isfinite(v) for v in (quality.noise, quality.sharpness, quality.blockiness))
    assert 0 <= texture(luminance(pixels)) <= 1


@pytest.mark.parametrize("side", [64, 128])
def test_the_power_of_a_packed_spectrum_is_that_of_the_whole_one(side, sharp):
    grey = luminance(np.asarray(sharp))
    power = _radial_power(grey, side)
    window, _, _, counts = _tables(side)
    frequencies = np.abs(np.fft.fftfreq(side) * 2)
    band = (np.hypot(frequencies[:, None], frequencies[None]) * 32).astype(int)
    whole = np.zeros((side, side))
    for down, right in ((0.5, 0.5), (0, 0), (0, 1), (1, 0), (1, 1)):
        top, left = round((grey.shape[0] - side) * down), round((grey.shape[1] - side) * right)
        tile = grey[top : top + side, left : left + side].astype(float)
        whole += np.abs(np.fft.fft2((tile - tile.mean()) * window)) ** 2
    expected = [whole[band == n].sum() for n in range(32)] / counts / (5 * (window**2).sum())
    np.testing.assert_allclose(power, expected, rtol=1e-4)
