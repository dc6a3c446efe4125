"""The float16 embeddings of the catalog, for images that may have been removed meanwhile."""

from __future__ import annotations

import numpy as np

from search.hits import I64, Flags
from storage.catalog import Catalog
from storage.records import F16


class StoredVectors:
    """One model's vectors in a catalog."""

    def __init__(self, catalog: Catalog, model: str, dimension: int) -> None:
        self._catalog = catalog
        self._model = model
        self.dimension = dimension

    def of(self, ids: I64) -> tuple[F16, Flags]:
        """Vectors (n, dimension), and (n,) whether there is one; the others are zero."""
        if not len(ids):
            return np.zeros((0, self.dimension), np.float16), np.zeros(0, bool)
        try:
            return self._catalog.embeddings_of(self._model, ids.tolist()), np.ones(len(ids), bool)
        except KeyError:
            # A reader's catalog changes under it when another process indexes.
            return self._one_by_one(ids)

    def _one_by_one(self, ids: I64) -> tuple[F16, Flags]:
        vectors = np.zeros((len(ids), self.dimension), np.float16)
        found = np.zeros(len(ids), bool)
        for row, image_id in enumerate(ids.tolist()):
            try:
                vectors[row] = self._catalog.embedding(self._model, image_id)
            except KeyError:
                continue
            found[row] = True
        return vectors, found
