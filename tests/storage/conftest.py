"""Made-up records and batches: the catalog does not care what the pixels were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.records import ImageFeatures
from tests.storage.images import image_of

MakeImage = Callable[[int], ImageFeatures]
MakeBatch = Callable[..., CatalogBatch]


def _batch(seeds: dict[str, int], source: str = "/photos") -> CatalogBatch:
    """URI to the seed of its content."""
    return CatalogBatch(
        images=[image_of(seed) for seed in seeds.values()],
        indexed=[
            IndexedBlob(
                Blob(uri, 1000 + seed, f"etag-{seed}", 1.5), source, image_of(seed).record.digest
            )
            for uri, seed in seeds.items()
        ],
    )


@pytest.fixture
def make_image() -> MakeImage:
    """Features that depend on a seed only."""
    return image_of


@pytest.fixture
def make_batch() -> MakeBatch:
    """A batch of blobs from URI to seed of the content."""
    return _batch


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog, open for writing."""
    with Catalog.open_writer(tmp_path / "catalog.lmdb") as opened:
        yield opened
