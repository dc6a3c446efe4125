"""Approximate search for many images: FAISS IVF-PQ nominates, the stored vectors decide."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Any

import faiss
import numpy as np
from threadpoolctl import ThreadpoolController

from search import few_queries, on_gpu
from search.hits import I64, Flags, Hits, joined, prune, select
from search.inverted_lists import InvertedLists, are_in, ivf_of
from search.options import Reach
from search.stored_vectors import StoredVectors
from storage.records import F16, F32

# Fewer images than this are no sample to train on.
MINIMUM_TRAINED_ON = 2_000
# Dimensions that embeddings are reduced to for nominating: of EfficientNet-Lite0's 1280, the first
# 128 principal ones hold 0.81 of the squared length, and are ten times faster to compare. With 192,
# 0.9977 of the planted copies among 300,000 images were found instead of 0.9972.
_REDUCED = 128
_SUB_QUANTISERS = 64
# Dimensions of a sub-quantiser: those that FAISS has fast code for.
_PART_SIZES = (2, 4, 8)
_BITS = 8
# See `InvertedLists`.
_LEFT_OUT = 0.5
# FAISS asks for 39 training vectors per list, and found the same neighbours with 20 and with 13. A
# float32 sample may take this much memory.
_FEWEST_PER_LIST = 15
_MOST_PER_LIST = 20
_SAMPLE_BYTES = 2**29
_ITERATIONS = 6
# Vectors a centroid, below which FAISS warns; the shape has seen to it.
_FEWEST_WARNED_OF = 5
_SHORTEST = 1e-9
# Vectors that the principal dimensions and the sub-quantisers are found from.
_MAP_SAMPLE = 20_000
_SEED = 20_240_501
_QUERY_BLOCK = 24_576
# Lists of each query that are searched before the others: near neighbours raise the bar for others.
_NEAR_LISTS = 4
# Queries compared with a list at a time: 512 × 500 similarities stay in the cache.
_ROWS_AT_ONCE = 512
# Vectors reduced at a time.
_REDUCED_AT_ONCE = 16_384
# Vectors read, and pairs re-scored, at a time: 1024 × 1280 float32 are 5 MB and stay in the cache.
_READ_AT_ONCE = 1024
_RESCORED_AT_ONCE = 1024
# Of the estimates for planted copies 1 in 100 was 0.034 too low, and 1 in 20 was 0.028.
_ESTIMATES_ERR = 0.03
_MOST_PROBED = 140
# Nominees for each of the nearest that are asked for, for their order is approximate. With three
# the same planted copies among 300,000 images were found, for a twentieth more CPU time. FAISS's
# own order, by which few queries are answered, is coarser.
_NOMINEES = 2
_NOMINEES_OF_FEW = 3
# Nominees taken in per query before the bars are raised.
_SLACK = 48


@dataclass(frozen=True, slots=True)
class IvfPqShape:
    """Sizes of an index: inverted lists, and vectors it is trained on."""

    lists: int
    sample: int

    @classmethod
    def for_images(cls, images: int, dimension: int) -> IvfPqShape:
        """About 8√N lists, as far as a sample that fits in memory can train them."""
        most = min(images, max(_SAMPLE_BYTES // (4 * _width(dimension)), MINIMUM_TRAINED_ON))
        lists = max(1, min(round(8 * sqrt(images)), most // _FEWEST_PER_LIST))
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
        self._few: few_queries.FewQueries | None = None

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
            self._lists, self._few = None, None

    def neighbours_together(self, ids: I64) -> I64:
        by_list = self._inverted().ids_by_list()
        by_list = by_list[np.isin(by_list, ids)]
        # Whoever has no embedding is searched for too, by what else there is.
        return np.concatenate([by_list, np.setdiff1d(ids, by_list)])

    def search(self, queries: F32, reach: Reach, own_ids: I64 | None = None) -> Hits:
        if own_ids is None and 0 < len(queries) <= few_queries.MOST:
            # What is not in the index is looked for from its own side only: in twice the lists.
            lists = min(2 * self.nprobe, self._lists_total)
            if self._few is None:
                self._few = few_queries.FewQueries(self.index)
            fewest = _NOMINEES_OF_FEW * reach.nearest
            return self._few.neighbours(queries, reach, lists, fewest, self._rescored)
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
            strong=self._widened(reach.strong),
            weak=_NOMINEES * reach.weak,
            is_from_both_sides=reach.is_from_both_sides,
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
        # What is not in the index is looked for from its own side only.
        sides = 1 if own_ids is not None and reach.is_from_both_sides else 2
        near, far = _probes(lists.nearest(reduced, min(sides * self.nprobe, self._lists_total)))
        # Products this small take several threads many times longer, waiting for each other.
        with _blas().limit(limits=1):
            for probes, raises in ((near, True), (far, False)):
                for number, probing in probes:
                    list_ids, vectors = lists.contents(number)
                    for start in range(0, len(probing), _ROWS_AT_ONCE):
                        part = probing[start : start + _ROWS_AT_ONCE]
                        similarity = reduced[part] @ vectors.T
                        if raises:
                            _raise_bars(bar, part, similarity, wide)
                        passing = np.flatnonzero(similarity >= bar[part, None])
                        if len(passing):
                            row, column = np.divmod(passing, len(list_ids))
                            found = similarity.ravel()[passing]
                            added.append((part[row], list_ids[column], found))
                            room -= len(row)
                    if room < 0:
                        held = prune(*_of_others([held, *added], own_ids), wide, bar)
                        added, room = [], max(n, 64) * _SLACK
                # What is nearest raises the bars for what is looked at next.
                held = prune(*_of_others([held, *added], own_ids), wide, bar)
                added, room = [], max(n, 64) * _SLACK
        return select(*held, n, wide)

    def _known(self, rows: I64, ids: I64, own_ids: I64 | None) -> Flags:
        """Which nominees are in the catalog, and none the query itself."""
        known = are_in(ids, self._present)
        return known if own_ids is None else known & (ids != own_ids[rows])

    def _similarity(self, queries: F32, rows: I64, ids: I64) -> tuple[F32, Flags]:
        """The true cosine similarity of nominees, and whether the catalog has them still."""
        similarity = np.empty(len(ids), np.float32)
        is_there = np.empty(len(ids), bool)
        # By image, so that each is read once, and those that lie together one after the other.
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(ids)])
        vectors = np.empty((_READ_AT_ONCE, self.dimension), np.float32)
        for first in range(0, len(starts), _READ_AT_ONCE):
            unique = ordered[starts[first : first + _READ_AT_ONCE]]
            last = first + len(unique)
            stop = int(starts[last]) if last < len(starts) else len(ids)
            stored, found = self._vectors.of(unique)
            vectors[: len(unique)] = stored
            for start in range(int(starts[first]), stop, _RESCORED_AT_ONCE):
                part = slice(start, min(start + _RESCORED_AT_ONCE, stop))
                place = np.searchsorted(unique, ordered[part])
                similarity[order[part]] = np.einsum(
                    "ij,ij->i", queries[rows[order[part]]], vectors[place]
                )
                is_there[order[part]] = found[place]
        return np.minimum(similarity, 1.0), is_there

    def _rescored(self, queries: F32, rows: I64, ids: I64) -> tuple[F32, Flags]:
        """The true similarity, and whether the image is one that counts."""
        similarity, is_there = self._similarity(queries, rows, ids)
        return similarity, is_there & self._known(rows, ids, None)

    def _widened(self, similarity: float) -> float:
        """The similarity at the widened squared distance of unit vectors, less what estimates err
        by."""
        return 1 - self._widening * (1 - similarity) - _ESTIMATES_ERR

    def _inverted(self) -> InvertedLists:
        if self._lists is None:
            self._lists = InvertedLists(self.index, _LEFT_OUT, self._present)
        return self._lists


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def default_nprobe(lists: int) -> int:
    """Lists searched from either side of a pair: 1.8 times the square root of their number, up to
    140, where the time of a search would otherwise grow faster than what it finds.

    Of 4,000 planted copies with a cosine from 0.65 among a million images, searching 79 of 8,000
    lists found 0.984 from either side, 112 found 0.989 and 160 found 0.991 to 0.993, without what
    near hashes find. Among three million images and 13,856 lists, of 3,000 copies at 0.65 to 0.8,
    which are 11 % of all, 119 lists have 0.898, 140 have 0.911, and 212 have 0.942 for half as much
    time again.
    """
    return min(max(8, round(1.8 * sqrt(lists))), _MOST_PROBED)


def _raise_bars(bar: F32, rows: I64, similarity: F32, reach: Reach) -> None:
    """Raise the bars of some queries to what enough of one list's images are at.

    Args:
        bar: float32 (n,). rows: int64 (r,), which queries. similarity: float32 (r, m).
    """
    # The query itself may be among them: one more.
    enough = max(reach.weak, reach.nearest) + 1
    if reach.weak and enough <= similarity.shape[1]:
        weak = np.where(similarity < reach.strong, similarity, np.float32(-1))
        last = np.partition(weak, -enough, axis=1)[:, -enough]
        bar[rows] = np.maximum(bar[rows], last)


def _of_others(parts: list[tuple[I64, I64, F32]], own_ids: I64 | None) -> tuple[I64, I64, F32]:
    """Rows, ids and similarities without those of a query with itself."""
    rows, ids, found = (np.concatenate(column) for column in zip(*parts, strict=True))
    if own_ids is None:
        return rows, ids, found
    keep = ids != own_ids[rows]
    return rows[keep], ids[keep], found[keep]


Probe = tuple[int, I64]


def _probes(nearest: I64) -> tuple[list[Probe], list[Probe]]:
    """Lists, each with the queries that search it: as one of their nearest, and as another."""
    return _by_list(nearest[:, :_NEAR_LISTS], 0), _by_list(nearest, _NEAR_LISTS)


def _by_list(nearest: I64, first: int) -> list[Probe]:
    n, lists = nearest.shape
    lists -= first
    if n * lists <= 0:
        return []
    # Half as large, and sorted by radix in a third of the time where numbers take two bytes.
    kind = np.int16 if nearest.max() < 1 << 15 else np.int32
    numbers = nearest[:, first:].ravel().astype(kind)
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
    parts = np.split((order // lists).astype(np.int32), starts[1:])
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
    ordered = np.sort(sample)
    reduced = np.concatenate(
        [
            reduction.apply(_stored(vectors, ordered[start : start + _REDUCED_AT_ONCE]))
            for start in range(0, len(ordered), _REDUCED_AT_ONCE)
        ]
    )
    quantizer: Any = faiss.IndexFlatL2(width)
    quantizer.add(_centroids(reduced, lists))
    ivf: Any = faiss.IndexIVFPQ(quantizer, width, lists, parts, _BITS)
    # See `search.index_files`.
    ivf.use_precomputed_table = -1
    ivf.pq.cp.seed = _SEED
    ivf.pq.cp.min_points_per_centroid = _FEWEST_WARNED_OF
    # A quarter of FAISS's defaults, for an eighth of the time: the sub-quantisers only nominate.
    ivf.pq.cp.max_points_per_centroid = 64
    ivf.pq.cp.niter = 12
    ivf.train(reduced)
    index = faiss.IndexPreTransform(reduction, ivf)
    # The parts outlive their Python wrappers inside the whole.
    for part in (reduction, quantizer, ivf):
        part.this.disown()
    index.own_fields = True
    return index


def _centroids(reduced: F32, lists: int) -> F32:
    """Centroids of one length, float32 (lists, width), by spherical k-means.

    Means of several vectors are shorter than single ones, and so nearer to all others: with plain
    k-means half of 4,000 lists held 16 images of a million and the rest hundreds, and searching as
    many images found fewer of the planted copies (0.984 for 49,000, instead of 0.991).
    """
    directions = reduced / np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), _SHORTEST)
    clustering = faiss.Kmeans(
        reduced.shape[1],
        lists,
        niter=_ITERATIONS,
        seed=_SEED,
        spherical=True,
        gpu=bool(on_gpu.count()),
        min_points_per_centroid=_FEWEST_WARNED_OF,
        max_points_per_centroid=_MOST_PER_LIST + 1,
    )
    clustering.train(directions)
    centroids = np.asarray(clustering.centroids, np.float32)
    # The length that leaves the shortest differences, which the sub-quantisers then encode.
    quantizer = faiss.IndexFlatIP(reduced.shape[1])
    quantizer.add(centroids)
    along, _ = quantizer.search(np.ascontiguousarray(reduced[:: max(1, len(reduced) // 10_000)]), 1)
    return centroids * np.float32(along.mean())


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
