"""What the catalog keeps of listings under way, and of where changes were last asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from storage.catalog_file import CatalogFile
from storage.faults import storage_faults
from storage.listings import (
    ListedPage,
    Listing,
    begin_listings,
    drop_listing,
    drop_overlapping,
    kept_names,
    page_after,
)


class CatalogListings(CatalogFile):
    """The part of `storage.catalog.Catalog` that a run needs to carry on where another one was
    killed."""

    def begin_listings(self, wanted: Sequence[Listing], oldest: float) -> dict[str, Listing]:
        """Make place for the listings of a run; those that it carries on, by source.

        What other runs left of these places, with another scope or begun before `oldest` (seconds
        since the epoch), is forgotten.
        """
        with self._write() as txn:
            return begin_listings(txn, self._db, wanted, oldest)

    def listed_pages(self, source: str) -> Iterator[ListedPage]:
        """The pages kept of this source, in their order."""
        number = 0
        while True:
            with self._read() as txn, storage_faults(self._path):
                page = page_after(txn, self._db, source, number)
            if page is None:
                return
            yield page
            number = page.number

    def listed_names(self, sources: Sequence[str]) -> NDArray[np.uint64]:
        """uint64 (n,), sorted: `name_number` of all that the kept pages of these sources name."""
        return kept_names(page for source in sources for page in self.listed_pages(source))

    def drop_listing(self, source: str) -> None:
        """Forget what was listed of this source."""
        with self._write() as txn:
            drop_listing(txn, self._db, source)

    def drop_overlapping_listings(self, source: str) -> None:
        """Forget what was listed of this source, of those in it, and of those it is in."""
        with self._write() as txn:
            drop_overlapping(txn, self._db, source)
