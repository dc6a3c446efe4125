"""The float16 embeddings of the catalog, for images that may have been removed meanwhile."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from search.hits import I64, Flags
from storage.records import F16


class VectorStore(Protocol):
    """A catalog, or `search.sent_vectors.SentVectors`."""

    def stored_embeddings(self, model: str, image_ids: I64) -> tuple[F16, Flags]:
        """As of `storage.catalog.Catalog`."""


class StoredVectors:
    """One model's vectors in a catalog."""

    def __init__(self, catalog: VectorStore, model: str, dimension: int) -> None:
        self._catalog = catalog
        self._model = model
        self.dimension = dimension

    def of(self, ids: I64) -> tuple[F16, Flags]:
        """Vectors (n, dimension), and (n,) whether there is one; the others are zero."""
        if not len(ids):
            return np.zeros((0, self.dimension), np.float16), np.zeros(0, bool)
        vectors, found = self._catalog.stored_embeddings(self._model, ids)
        if not vectors.shape[1]:
            vectors = np.zeros((len(ids), self.dimension), np.float16)
        return vectors, found
