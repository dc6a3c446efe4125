"""Photographs that scikit-image ships, and the picture files the tests of this folder make."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import skimage
from numpy.typing import NDArray
from PIL import Image

from indexer.embedders.base import Embedder
from indexer.embedders.registry import load_embedder
from tests.indexer.passes import add_pictures

Encode = Callable[..., bytes]

pillow_heif.register_heif_opener()


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """A cat, 451×300, mode RGB."""
    path = Path(skimage.__file__).parent / "data" / "chelsea.png"
    # By way of an array, to leave the profile and the other metadata of the file behind.
    return Image.fromarray(np.asarray(Image.open(path).convert("RGB")))


@pytest.fixture(scope="session")
def photos() -> dict[str, NDArray[np.uint8]]:
    """Name to RGB of what ships: photographs, texts, textures, drawings."""
    folder = Path(skimage.__file__).parent / "data"
    names = ("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png")
    names += ("color.png", "grass.png", "gravel.png", "horse.png", "logo.png", "moon.png")
    names += ("page.png", "phantom.png", "rocket.jpg", "text.png", "motorcycle_left.png")
    return {name: np.asarray(Image.open(folder / name).convert("RGB")) for name in names}


@pytest.fixture(scope="session")
def encode() -> Encode:
    """The bytes of a file holding an image or array: encode(picture, "PNG", quality=90 …)."""

    def to_bytes(picture: Image.Image | NDArray[Any], format_name: str, **options: Any) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        buffer = io.BytesIO()
        image.save(buffer, format_name, **options)
        return buffer.getvalue()

    return to_bytes


@pytest.fixture(scope="session")
def lite0() -> Embedder:
    """EfficientNet-Lite0 with its real weights."""
    return load_embedder("efficientnet_lite0")


@pytest.fixture
def gallery(tmp_path: Path, photos: dict[str, NDArray[np.uint8]]) -> Path:
    """A folder of twelve small photographs, 000.jpg … 011.jpg, all different."""
    add_pictures(tmp_path / "gallery", photos, 12)
    return tmp_path / "gallery"


@pytest.fixture
def index_path(tmp_path: Path) -> Path:
    """Where the index of a test is made."""
    return tmp_path / "index"
