"""Approximate search for many images: FAISS IVF-PQ nominates, the stored vectors decide."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import faiss
import numpy as np

from search.hits import I64, Flags, Hits, joined, select
from search.options import Reach
from search.stored_vectors import StoredVectors
from storage.records import F16, F32

# Fewer images than this are no sample to train on.
MINIMUM_TRAINED_ON = 2_000
_SUB_QUANTISERS = 64
_DIMENSIONS_PER_PART = 4
_BITS = 8
# FAISS asks for 30 to 256 training vectors per list; a float32 sample may take this much memory.
_FEWEST_PER_LIST = 30
_MOST_PER_LIST = 256
_SAMPLE_BYTES = 2**30
_SEED = 20_240_501
_QUERY_BLOCK = 256
# Pairs re-scored at a time: 8192 × 1280 float32, twice, are 84 MB.
_RESCORED_AT_ONCE = 8192
# Neighbours asked of FAISS at first, and in the end, as multiples of `nearest` and of the cap:
# its order is approximate, so the true nearest are looked for among more.
_FIRST = 4
_LAST = 4
_GROWTH = 4


@dataclass(frozen=True, slots=True)
class IvfPqShape:
    """Sizes of an index: inverted lists, and vectors it is trained on."""

    lists: int
    sample: int

    @classmethod
    def for_images(cls, images: int, dimension: int) -> IvfPqShape:
        """About 4√N lists, as far as a sample that fits in memory can train them."""
        most = min(images, max(_SAMPLE_BYTES // (4 * dimension), MINIMUM_TRAINED_ON))
        lists = max(1, min(round(4 * sqrt(images)), most // _FEWEST_PER_LIST))
        return cls(lists=lists, sample=min(most, lists * _MOST_PER_LIST))


class IvfPqEmbeddingIndex:
    """An `EmbeddingIndex` of 64 bytes a vector, its neighbours re-scored with the catalog's.

    FAISS has no range search for IVF on a GPU, and one on a CPU returns everything within the
    radius of a blank frame at once. So on both the range is covered by k nearest neighbours, k
    growing for those queries whose k-th is still inside, up to a multiple of the cap: what lies
    beyond is capped anyway.
    """

    def __init__(
        self,
        index: Any,
        watermark: int,
        vectors: StoredVectors,
        present: I64,
        *,
        nprobe: int,
        widening: float,
    ) -> None:
        """
        Args:
            index: FAISS's; ids in it are image ids.
            vectors: to re-score with.
            present: int64, ascending, the images of the catalog: others in the index are ignored,
                unless they are added later.
            nprobe: lists searched; 0 is the square root of their number, at least 8.
        """
        self.index = index
        self._watermark = watermark
        self._vectors = vectors
        self._present = present
        self._widening = widening
        lists = int(index.nlist)
        index.nprobe = min(lists, nprobe or max(8, ceil(sqrt(lists))))
        self._searcher: Any = None

    @classmethod
    def trained(
        cls, vectors: StoredVectors, present: I64, *, nprobe: int, widening: float
    ) -> IvfPqEmbeddingIndex:
        """An empty index, trained on a sample of the images in `present`."""
        shape = IvfPqShape.for_images(len(present), vectors.dimension)
        chosen = np.random.default_rng(_SEED).choice(len(present), shape.sample, replace=False)
        sample, found = vectors.of(present[np.sort(chosen)])
        index = _new_index(vectors.dimension, shape.lists)
        index.train(_padded(sample[found], index.d))
        return cls(index, 0, vectors, present, nprobe=nprobe, widening=widening)

    @property
    def dimension(self) -> int:
        return self._vectors.dimension

    @property
    def kind(self) -> str:
        where = "on the GPU, " if _gpu_count() else ""
        return f"IVF-PQ, {where}{self.index.nlist} lists, {self.index.nprobe} searched"

    @property
    def watermark(self) -> int:
        return self._watermark

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def add(self, ids: I64, vectors: F16) -> None:
        if len(ids):
            self.index.add_with_ids(_padded(vectors, self.index.d), ids)
            self._watermark = int(ids[-1])
            last = self._present[-1] if len(self._present) else 0
            self._present = np.concatenate([self._present, ids[ids > last]])
            self._searcher = None

    def search(self, queries: F32, reach: Reach, own_ids: I64 | None = None) -> Hits:
        starts = range(0, max(len(queries), 1), _QUERY_BLOCK)
        blocks = [slice(start, start + _QUERY_BLOCK) for start in starts]
        parts = []
        for b in blocks:
            rows, ids, is_cut = self._nominate(queries[b], reach)
            if own_ids is not None:
                is_other = ids != own_ids[b][rows]
                rows, ids = rows[is_other], ids[is_other]
            rows, ids, similarity = self._rescored(queries[b], rows, ids)
            hits = select(rows, ids, similarity, len(queries[b]), reach)
            parts.append(Hits(hits.rows, hits.ids, hits.values, hits.is_capped | is_cut))
        return joined(parts, [len(queries[b]) for b in blocks])

    def _nominate(self, queries: F32, reach: Reach) -> tuple[I64, I64, Flags]:
        """Rows and ids that may be within reach, and which rows had more than were looked at."""
        wide, widest = self._squared(reach.similarity), self._squared(reach.lowest)
        first = max(_FIRST * reach.nearest, 16)
        last = max(first, _LAST * reach.cap)
        padded = _padded(queries, self.index.d)
        searcher = self._search_index()
        open_rows, k = np.arange(len(queries)), first
        is_cut = np.zeros(len(queries), bool)
        rows, ids = [], []
        while len(open_rows):
            distances, labels = searcher.search(padded[open_rows], k)
            is_inside = (labels[:, -1] >= 0) & (distances[:, -1] <= wide)
            is_done = ~is_inside | (k >= last)
            is_cut[open_rows[is_inside & is_done]] = True
            is_near = (distances <= wide) | ((distances <= widest) & (np.arange(k) < first))
            wanted, column = np.nonzero((labels >= 0) & is_near & is_done[:, None])
            rows.append(open_rows[wanted])
            ids.append(labels[wanted, column])
            open_rows, k = open_rows[~is_done], min(k * _GROWTH, last)
        return (
            np.concatenate([np.empty(0, np.int64), *rows]),
            np.concatenate([np.empty(0, np.int64), *ids]),
            is_cut,
        )

    def _rescored(self, queries: F32, rows: I64, ids: I64) -> tuple[I64, I64, F32]:
        """The nominees that are in the catalog, with their true cosine similarity."""
        if not len(self._present):
            return rows[:0], ids[:0], np.empty(0, np.float32)
        place = np.searchsorted(self._present, ids).clip(max=len(self._present) - 1)
        is_present = self._present[place] == ids
        rows, ids = rows[is_present], ids[is_present]
        unique, inverse = np.unique(ids, return_inverse=True)
        vectors, found = self._vectors.of(unique)
        similarity = np.empty(len(ids), np.float32)
        for start in range(0, len(ids), _RESCORED_AT_ONCE):
            part = slice(start, start + _RESCORED_AT_ONCE)
            similarity[part] = np.einsum(
                "ij,ij->i", queries[rows[part]], vectors[inverse[part]].astype(np.float32)
            )
        kept = found[inverse]
        return rows[kept], ids[kept], np.minimum(similarity[kept], 1.0)

    def _squared(self, similarity: float) -> float:
        """The widened squared distance of unit vectors with this cosine."""
        return self._widening * (2 - 2 * similarity)

    def _search_index(self) -> Any:
        if self._searcher is None:
            self._searcher = _on_gpu(self.index) if _gpu_count() else self.index
        return self._searcher


def _new_index(dimension: int, lists: int) -> Any:
    # Sub-quantisers must divide the dimension: zeros are appended, which changes no distance.
    parts = min(_SUB_QUANTISERS, ceil(dimension / _DIMENSIONS_PER_PART))
    width = ceil(dimension / parts) * parts
    index = faiss.IndexIVFPQ(faiss.IndexFlatL2(width), width, lists, parts, _BITS)
    index.cp.seed = index.pq.cp.seed = _SEED
    # Below 39 vectors a centroid FAISS warns; the shape has seen to it.
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 5
    # A quarter of FAISS's defaults, for an eighth of the time: the sub-quantisers only nominate.
    index.pq.cp.max_points_per_centroid = 64
    index.pq.cp.niter = 12
    return index


def _padded(vectors: F16 | F32, width: int) -> F32:
    """float32 (n, width), zeros appended."""
    padded = np.zeros((len(vectors), width), np.float32)
    padded[:, : vectors.shape[1]] = vectors
    return padded


def _gpu_count() -> int:
    """GPUs that FAISS can use: none in the package for CPUs."""
    count = getattr(faiss, "get_num_gpus", None)
    return int(count()) if count else 0


def _on_gpu(index: Any) -> Any:
    """A copy for searching on the first GPU. Not run on the machine the tests were written on."""
    options = faiss.GpuClonerOptions()
    # The look-up tables of 64 sub-quantisers exceed a block's shared memory in float32.
    options.useFloat16 = True
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index, options)
