"""Made-up records and batches: the catalog does not care what the pixels were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.records import ImageFeatures, ImageRecord, Metadata, Quality

MakeImage = Callable[[int], ImageFeatures]
MakeBatch = Callable[..., CatalogBatch]


def _image(seed: int) -> ImageFeatures:
    rng = np.random.default_rng(seed)
    record = ImageRecord(
        digest=sha256(b"%d" % seed).digest(),
        byte_size=1000 + seed,
        format="JPEG",
        width=640,
        height=480,
        orientation=1,
        hash64=rng.bytes(8),
        hash256=rng.bytes(32),
        texture=float(rng.random(dtype=np.float32)),
        colour_histogram=rng.integers(0, 256, 64, dtype=np.uint8),
        colour_layout=rng.integers(0, 256, (4, 4, 3), dtype=np.uint8),
        quality=Quality(sharpness=float(rng.random()), jpeg_quality=80, chroma_subsampling="4:2:0"),
        metadata=Metadata(camera="Pinhole", has_exif=True),
    )
    return ImageFeatures(
        record=record,
        preview=rng.bytes(5000),
        embeddings={
            "net": rng.standard_normal(16).astype(np.float16),
            "other/net": rng.standard_normal(8).astype(np.float16),
        },
    )


def _batch(seeds: dict[str, int], source: str = "/photos") -> CatalogBatch:
    """URI to the seed of its content."""
    return CatalogBatch(
        images=[_image(seed) for seed in seeds.values()],
        indexed=[
            IndexedBlob(
                Blob(uri, 1000 + seed, f"etag-{seed}", 1.5), source, _image(seed).record.digest
            )
            for uri, seed in seeds.items()
        ],
    )


@pytest.fixture
def make_image() -> MakeImage:
    """Features that depend on a seed only."""
    return _image


@pytest.fixture
def make_batch() -> MakeBatch:
    """A batch of blobs from URI to seed of the content."""
    return _batch


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog, open for writing."""
    with Catalog.open_writer(tmp_path / "catalog.lmdb") as opened:
        yield opened
