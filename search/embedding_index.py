"""The index of one model's embeddings: the protocol, and the exact one.

Ids are kept beside the vectors by us or by FAISS; similarities are always those of the float16
vectors of the catalog, whatever approximation nominated them.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from search.hits import I64, Hits, joined, prune, select
from search.options import Reach
from storage.records import F16, F32

# Queries × images of one block of similarities: 1024 × 8192 float32 are 32 MB.
_QUERY_BLOCK = 1024
_IMAGE_BLOCK = 8192
# Before any bar has risen all of a block may pass, so the first is small.
_FIRST_IMAGE_BLOCK = 1024
# Neighbours kept per query while searching, above what is asked for: pruning has a cost too.
_SLACK = 32


class EmbeddingIndex(Protocol):
    """Images by the embeddings of one model."""

    @property
    def dimension(self) -> int:
        """Of the embeddings."""

    @property
    def kind(self) -> str:
        """What it is, in a few words, for `dedup info`."""

    @property
    def watermark(self) -> int:
        """Every image of the catalog up to this id is in the index."""

    def __len__(self) -> int:
        """Vectors in the index."""

    def add(self, ids: I64, vectors: F16) -> None:
        """Add images: ids (n,), ascending and above the watermark; vectors (n, dimension)."""

    def neighbours_together(self, ids: I64) -> I64:
        """The same ids (n,), ordered so that those which search looks at together come together."""

    def search(self, queries: F32, reach: Reach, own_ids: I64 | None = None) -> Hits:
        """The neighbours of each query that are within reach.

        Args:
            queries: float32 (n, dimension), L2-normalised.
            reach: how similar, and how many.
            own_ids: (n,), the image each query is of, which is not its own neighbour.
        """


class ExactEmbeddingIndex:
    """Compares each query with every vector; holds them as float16."""

    kind = "exact"

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._ids = np.empty(0, np.int64)
        self._vectors = np.empty((0, dimension), np.float16)

    @classmethod
    def of(cls, dimension: int, blocks: list[tuple[I64, F16]]) -> ExactEmbeddingIndex:
        """An index of all these blocks of ids and vectors, ids ascending."""
        index = cls(dimension)
        if blocks:
            index.add(
                np.concatenate([b[0] for b in blocks]), np.concatenate([b[1] for b in blocks])
            )
        return index

    @property
    def watermark(self) -> int:
        return int(self._ids[-1]) if len(self._ids) else 0

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: I64, vectors: F16) -> None:
        self._ids = np.concatenate([self._ids, ids])
        self._vectors = np.concatenate([self._vectors, vectors])

    def neighbours_together(self, ids: I64) -> I64:
        # Every image is compared with every other.
        return ids

    def search(self, queries: F32, reach: Reach, own_ids: I64 | None = None) -> Hits:
        starts = range(0, max(len(queries), 1), _QUERY_BLOCK)
        blocks = [slice(start, start + _QUERY_BLOCK) for start in starts]
        parts = [
            self._search_block(queries[b], reach, None if own_ids is None else own_ids[b])
            for b in blocks
        ]
        return joined(parts, [len(queries[b]) for b in blocks])

    def _search_block(self, queries: F32, reach: Reach, own_ids: I64 | None) -> Hits:
        n = len(queries)
        # Each query's own bar rises as better neighbours are seen, so few similarities pass it.
        bar = np.full(n, reach.lowest, np.float32)
        rows, ids = np.empty(0, np.int64), np.empty(0, np.int64)
        found = np.empty(0, np.float32)
        starts = [0, *range(_FIRST_IMAGE_BLOCK, len(self._ids), _IMAGE_BLOCK)]
        for start, stop in zip(starts, [*starts[1:], len(self._ids)], strict=True):
            similarity = queries @ self._vectors[start:stop].astype(np.float32).T
            np.minimum(similarity, 1.0, out=similarity)
            block_ids = self._ids[start:stop]
            passing = similarity >= bar[:, None]
            if own_ids is not None:
                passing &= block_ids[None, :] != own_ids[:, None]
            new_rows, columns = np.nonzero(passing)
            rows = np.concatenate([rows, new_rows])
            ids = np.concatenate([ids, block_ids[columns]])
            found = np.concatenate([found, similarity[new_rows, columns]])
            if len(rows) > n * _SLACK:
                rows, ids, found = prune(rows, ids, found, reach, bar)
        return select(rows, ids, found, n, reach)
