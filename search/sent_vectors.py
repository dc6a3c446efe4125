"""The embeddings of a catalog sent to where the catalog is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.hits import I64, Flags
from storage.records import F16


@dataclass(frozen=True, slots=True, eq=False)
class SentVectors:
    """A `search.stored_vectors.VectorStore` of arrays that other processes may share.

    Attributes:
        chunks: of each model, ids int64 (n,) and vectors float16 (n, dimension), one after the
            other ascending by id.
    """

    chunks: Mapping[str, Sequence[tuple[I64, F16]]]

    def stored_embeddings(self, model: str, image_ids: I64) -> tuple[F16, Flags]:
        """As of `storage.catalog.Catalog`. KeyError: no such model."""
        chunks = self.chunks[model]
        found = np.zeros(len(image_ids), bool)
        if not chunks:
            return np.zeros((len(image_ids), 0), np.float16), found
        vectors = np.zeros((len(image_ids), chunks[0][1].shape[1]), np.float16)
        last_ids = np.array([ids[-1] for ids, _ in chunks])
        owners = np.searchsorted(last_ids, image_ids)
        for number in np.unique(owners[owners < len(chunks)]).tolist():
            ids, rows = chunks[number]
            asked = np.flatnonzero(owners == number)
            places = np.searchsorted(ids, image_ids[asked])
            is_there = ids[places] == image_ids[asked]
            vectors[asked[is_there]] = rows[places[is_there]]
            found[asked[is_there]] = True
        return vectors, found
