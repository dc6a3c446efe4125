"""Approximate search for many images: FAISS IVF-PQ nominates, the stored vectors decide."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import faiss
import numpy as np

from search import on_gpu
from search.hits import I64, Flags, Hits, joined, prune, select
from search.inverted_lists import InvertedLists, ivf_of
from search.options import Reach
from search.stored_vectors import StoredVectors
from storage.records import F16, F32

# Fewer images than this are no sample to train on.
MINIMUM_TRAINED_ON = 2_000
# Dimensions that embeddings are reduced to for nominating: of EfficientNet-Lite0's 1280, the first
# 192 principal ones hold 0.88 of the squared length, and are seven times faster to compare.
_REDUCED = 192
_SUB_QUANTISERS = 64
# Dimensions of a sub-quantiser: those that FAISS has fast code for.
_PART_SIZES = (2, 4, 8)
_BITS = 8
# See `InvertedLists`.
_LEFT_OUT = 0.5
# FAISS asks for 30 to 256 training vectors per list; a float32 sample may take this much memory.
_FEWEST_PER_LIST = 30
_MOST_PER_LIST = 40
_SAMPLE_BYTES = 2**29
_ITERATIONS = 8
# Vectors that the principal dimensions and the sub-quantisers are found from.
_MAP_SAMPLE = 20_000
_SEED = 20_240_501
_QUERY_BLOCK = 1024
# Vectors reduced at a time.
_REDUCED_AT_ONCE = 16_384
# Pairs re-scored at a time: 4096 × 1280 float32, twice, are 42 MB.
_RESCORED_AT_ONCE = 4096
# Of the estimates for planted copies 1 in 100 was 0.034 too low, and 1 in 20 was 0.028.
_ESTIMATES_ERR = 0.03
# Nominees for each of the nearest that are asked for, for their order is approximate.
_NOMINEES = 3
# Nominees taken in per query before the bars are raised.
_SLACK = 48


@dataclass(frozen=True, slots=True)
class IvfPqShape:
    """Sizes of an index: inverted lists, and vectors it is trained on."""

    lists: int
    sample: int

    @classmethod
    def for_images(cls, images: int, dimension: int) -> IvfPqShape:
        """About 4√N lists, as far as a sample that fits in memory can train them."""
        most = min(images, max(_SAMPLE_BYTES // (4 * _width(dimension)), MINIMUM_TRAINED_ON))
        lists = max(1, min(round(4 * sqrt(images)), most // _FEWEST_PER_LIST))
        return cls(lists=lists, sample=min(most, max(lists * _MOST_PER_LIST, MINIMUM_TRAINED_ON)))


class IvfPqEmbeddingIndex:
    """An `EmbeddingIndex` of 72 bytes a vector, its neighbours re-scored with the catalog's."""

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
            nprobe: lists searched; 0 chooses from their number.
        """
        self.index = index
        self._watermark = watermark
        self._vectors = vectors
        self._present = present
        self._widening = widening
        self._lists_total = int(ivf_of(index).nlist)
        self.nprobe = min(self._lists_total, nprobe or default_nprobe(self._lists_total))
        self._lists: InvertedLists | None = None

    @classmethod
    def trained(
        cls, vectors: StoredVectors, present: I64, *, nprobe: int, widening: float
    ) -> IvfPqEmbeddingIndex:
        """An empty index, trained on a sample of the images in `present`."""
        shape = IvfPqShape.for_images(len(present), vectors.dimension)
        random = np.random.default_rng(_SEED)
        sample = present[random.choice(len(present), shape.sample, replace=False)]
        index = _trained(vectors, sample, shape.lists)
        return cls(index, 0, vectors, present, nprobe=nprobe, widening=widening)

    @property
    def dimension(self) -> int:
        return self._vectors.dimension

    @property
    def kind(self) -> str:
        where = "on the GPU, " if on_gpu.count() else ""
        return f"IVF-PQ, {where}{self._lists_total} lists, {self.nprobe} searched"

    @property
    def watermark(self) -> int:
        return self._watermark

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def add(self, ids: I64, vectors: F16) -> None:
        if len(ids):
            self.index.add_with_ids(vectors.astype(np.float32), ids)
            self._watermark = int(ids[-1])
            last = self._present[-1] if len(self._present) else 0
            self._present = np.concatenate([self._present, ids[ids > last]])
            self._lists = None

    def neighbours_together(self, ids: I64) -> I64:
        by_list = self._inverted().ids_by_list()
        by_list = by_list[np.isin(by_list, ids)]
        # Whoever has no embedding is searched for too, by what else there is.
        return np.concatenate([by_list, np.setdiff1d(ids, by_list)])

    def search(self, queries: F32, reach: Reach, own_ids: I64 | None = None) -> Hits:
        starts = range(0, max(len(queries), 1), _QUERY_BLOCK)
        blocks = [slice(start, start + _QUERY_BLOCK) for start in starts]
        parts = []
        for b in blocks:
            nominees = self._nominees(queries[b], reach, None if own_ids is None else own_ids[b])
            similarity, found = self._similarity(queries[b], nominees.rows, nominees.ids)
            hits = select(
                nominees.rows[found], nominees.ids[found], similarity[found], len(queries[b]), reach
            )
            is_capped = hits.is_capped | nominees.is_capped
            parts.append(Hits(hits.rows, hits.ids, hits.values, is_capped))
        return joined(parts, [len(queries[b]) for b in blocks])

    def _nominees(self, queries: F32, reach: Reach, own_ids: I64 | None) -> Hits:
        """Images that may be within reach, with a rough similarity."""
        nearest = _NOMINEES * reach.nearest
        wide = Reach(
            similarity=self._widened(reach.similarity),
            nearest=nearest,
            floor=self._widened(reach.floor),
            cap=max(2 * reach.cap, nearest),
        )
        if on_gpu.count():
            nominate = on_gpu.nominees
            return nominate(self.index, self.nprobe, queries, wide, self._known, own_ids)
        lists = self._inverted()
        n, reduced = len(queries), lists.reduced(queries)
        bar = np.full(n, wide.lowest, np.float32)
        held = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
        added: list[tuple[I64, I64, F32]] = []
        room = max(n, 64) * _SLACK
        for number, probing in _probes(lists.nearest(reduced, self.nprobe)):
            list_ids, vectors = lists.contents(number)
            similarity = reduced[probing] @ vectors.T
            passing = np.flatnonzero(similarity >= bar[probing, None])
            if not len(passing):
                continue
            row, column = np.divmod(passing, len(list_ids))
            added.append((probing[row], list_ids[column], similarity.ravel()[passing]))
            room -= len(row)
            if room < 0:
                held = prune(*self._of_catalog([held, *added], own_ids), wide, bar)
                added, room = [], max(n, 64) * _SLACK
        return select(*self._of_catalog([held, *added], own_ids), n, wide)

    def _of_catalog(
        self, parts: list[tuple[I64, I64, F32]], own_ids: I64 | None
    ) -> tuple[I64, I64, F32]:
        """Rows, ids and similarities of those that are in the catalog, and no query itself."""
        rows, ids, found = (np.concatenate(column) for column in zip(*parts, strict=True))
        keep = self._known(rows, ids, own_ids)
        return rows[keep], ids[keep], found[keep]

    def _known(self, rows: I64, ids: I64, own_ids: I64 | None) -> Flags:
        """Which nominees are in the catalog, and none the query itself."""
        if not len(self._present):
            return np.zeros(len(ids), bool)
        place = np.searchsorted(self._present, ids).clip(max=len(self._present) - 1)
        known: Flags = self._present[place] == ids
        return known if own_ids is None else known & (ids != own_ids[rows])

    def _similarity(self, queries: F32, rows: I64, ids: I64) -> tuple[F32, Flags]:
        """The true cosine similarity of nominees, and whether the catalog has them still."""
        unique, inverse = np.unique(ids, return_inverse=True)
        stored, found = self._vectors.of(unique)
        vectors = stored.astype(np.float32)
        similarity = np.empty(len(ids), np.float32)
        for start in range(0, len(ids), _RESCORED_AT_ONCE):
            part = slice(start, start + _RESCORED_AT_ONCE)
            similarity[part] = np.einsum("ij,ij->i", queries[rows[part]], vectors[inverse[part]])
        return np.minimum(similarity, 1.0), found[inverse]

    def _widened(self, similarity: float) -> float:
        """The similarity at the widened squared distance of unit vectors, less what estimates err
        by."""
        return 1 - self._widening * (1 - similarity) - _ESTIMATES_ERR

    def _inverted(self) -> InvertedLists:
        if self._lists is None:
            self._lists = InvertedLists(self.index, _LEFT_OUT)
        return self._lists


def default_nprobe(lists: int) -> int:
    """Lists searched: four times the square root of their number, but not more than a third of all.

    Of planted copies with a cosine between 0.65 and 0.8, whose other part is another photograph,
    searching 21 of 1,265 lists found 0.63, 64 found 0.80, 128 found 0.90 and 300 found 0.975.
    """
    return max(8, min(round(4 * sqrt(lists)), lists // 3))


def _probes(nearest: I64) -> list[tuple[int, I64]]:
    """Lists, each with the queries that search it; first those nearest to some query, for near
    neighbours raise the bar for others."""
    n, lists = nearest.shape
    queries, rank = np.divmod(np.arange(n * lists), lists)
    numbers = nearest.ravel()
    order = np.lexsort((queries, numbers, rank > 0))
    numbers, queries = numbers[order], queries[order]
    if not len(numbers):
        return []
    is_far = rank[order] > 0
    starts = np.flatnonzero(
        np.r_[True, (numbers[1:] != numbers[:-1]) | (is_far[1:] != is_far[:-1])]
    )
    parts = np.split(queries, starts[1:])
    return [
        (number, part)
        for number, part in zip(numbers[starts].tolist(), parts, strict=True)
        if number >= 0
    ]


def _trained(vectors: StoredVectors, sample: I64, lists: int) -> Any:
    """FAISS's index: principal dimensions, inverted lists, product quantiser."""
    reduction = _principal(_stored(vectors, np.sort(sample[:_MAP_SAMPLE])))
    width = reduction.d_out
    parts = next(width // size for size in _PART_SIZES if width <= size * _SUB_QUANTISERS)
    ivf: Any = faiss.IndexIVFPQ(faiss.IndexFlatL2(width), width, lists, parts, _BITS)
    ivf.cp.seed = ivf.pq.cp.seed = _SEED
    ivf.cp.niter = _ITERATIONS
    # Below 39 vectors a centroid FAISS warns; the shape has seen to it.
    ivf.cp.min_points_per_centroid = ivf.pq.cp.min_points_per_centroid = 5
    # A quarter of FAISS's defaults, for an eighth of the time: the sub-quantisers only nominate.
    ivf.pq.cp.max_points_per_centroid = 64
    ivf.pq.cp.niter = 12
    ordered = np.sort(sample)
    ivf.train(
        np.concatenate(
            [
                reduction.apply(_stored(vectors, ordered[start : start + _REDUCED_AT_ONCE]))
                for start in range(0, len(ordered), _REDUCED_AT_ONCE)
            ]
        )
    )
    index = faiss.IndexPreTransform(reduction, ivf)
    # The parts outlive their Python wrappers inside the whole.
    for part in (reduction, ivf):
        part.this.disown()
    index.own_fields = True
    return index


def _stored(vectors: StoredVectors, ids: I64) -> F32:
    stored, found = vectors.of(ids)
    return stored[found].astype(np.float32)


def _principal(sample: F32) -> Any:
    """The linear map to the principal dimensions of a sample, about the origin: products of mapped
    vectors come as near to those of the vectors as products in so few dimensions can."""
    dimension = sample.shape[1]
    width = _width(dimension)
    reduction = faiss.LinearTransform(dimension, width, False)
    basis = np.zeros((dimension, width), np.float32)
    principal = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :width]
    basis[:, : principal.shape[1]] = principal
    faiss.copy_array_to_vector(np.ascontiguousarray(basis.T, np.float32).ravel(), reduction.A)
    reduction.is_trained = True
    return reduction


def _width(dimension: int) -> int:
    """Of mapped vectors; with a zero after them where two do not divide it."""
    return min(_REDUCED, dimension + dimension % 2)
