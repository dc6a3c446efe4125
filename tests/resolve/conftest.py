"""Catalogs of invented images, and verdicts as a test says they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog
from tests.resolve.invented import InventedImage, fill


@pytest.fixture
def invented(tmp_path: Path) -> Iterator[Callable[..., Catalog]]:
    """Makes a catalog of these images; images get the ids 1, 2, … in the order given."""
    opened: list[Catalog] = []

    def make(*images: InventedImage) -> Catalog:
        catalog = Catalog.open_writer(tmp_path / f"catalog-{len(opened)}.lmdb")
        opened.append(catalog)
        fill(catalog, images)
        return catalog

    yield make
    for catalog in opened:
        catalog.close()
