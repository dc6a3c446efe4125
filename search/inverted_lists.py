"""The inverted lists of an IVF-PQ index as arrays: what is in each, and its vectors decoded.

FAISS looks its codes up one at a time, for one query at a time. The self-join has hundreds of
queries for every list, and for those a matrix product with the decoded vectors is an order of
magnitude faster.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from search.hits import I64, Flags
from storage.records import F16, F32, U8

# Up to so many decoded vectors are kept, which is 129 MB where they have 129 float32. Of a larger
# index none are: its lists are gone through in order, and each would be dropped before it comes
# again.
_VECTORS_IN_MEMORY = 250_000
# Lists that one leads to, of all: those nearest to it that none has led to before.
_LED_TO = 64
# Products of the centroids of so many lists with those of all.
_CENTROIDS_AT_ONCE = 1024


def ivf_of(index: Any) -> Any:
    """The `IndexIVFPQ` in an index made of a linear map and one."""
    return faiss.downcast_index(index.index)


def are_in(ids: I64, ascending: I64) -> Flags:
    """bool (n,): which of the ids are in a sorted array."""
    if not len(ascending):
        return np.zeros(len(ids), bool)
    place = np.searchsorted(ascending, ids).clip(max=len(ascending) - 1)
    found: Flags = ascending[place] == ids
    return found


class InvertedLists:
    """Reads an index made of a linear map and an `IndexIVFPQ`.

    A reduced vector is the linear image of an embedding with one number after it, the length of
    what the map leaves out, times √`left_out`. The product of two reduced vectors so estimates the
    cosine of the two: what is left out agrees to that share in images that are neighbours.
    """

    def __init__(self, index: Any, left_out: float, present: I64 | None = None) -> None:
        """
        Args:
            index: FAISS's.
            left_out: see above.
            present: int64, ascending: the ids that are given, of those in the lists; None for all.
        """
        self._map = faiss.downcast_VectorTransform(index.chain.at(0))
        self._ivf = ivf_of(index)
        self._left_out = np.float32(left_out)
        self._centroids: F32 = self._ivf.quantizer.reconstruct_n(0, self._ivf.nlist)
        # FAISS's own decoder starts its threads for each list, which takes longer than decoding it.
        pq = self._ivf.pq
        self._codewords: F32 = (
            faiss.vector_to_array(pq.centroids).reshape(pq.M * pq.ksub, pq.dsub).copy()
        )
        self._firsts = np.arange(pq.M) * pq.ksub
        # They are few: an index with many of them is made anew.
        self._gone: I64 = np.empty(0, np.int64)
        if present is not None:
            every = np.sort(np.concatenate([*map(self._ids, range(self._ivf.nlist)), self._gone]))
            self._gone = every[~are_in(every, present)]
        self._decoded: dict[int, tuple[I64, F32]] = {}
        self._are_kept = self._ivf.ntotal <= _VECTORS_IN_MEMORY

    def reduced(self, vectors: F32 | F16) -> F32:
        """Reduced vectors (n, d + 1) of embeddings (n, dimension)."""
        mapped = self._map.apply(np.ascontiguousarray(vectors, np.float32))
        return self._with_rest(mapped)

    def nearest(self, reduced: F32, lists: int) -> I64:
        """int64 (n, lists): for each reduced vector the nearest lists, nearest first."""
        found: I64 = self._ivf.quantizer.search(np.ascontiguousarray(reduced[:, :-1]), lists)[1]
        return found

    def contents(self, number: int) -> tuple[I64, F32]:
        """Ids (m,) and reduced vectors (m, d + 1), as far as codes of 64 bytes tell, of a list."""
        known = self._decoded.get(number)
        if known is not None:
            return known
        ids, codes = self._ids(number), self._codes(number)
        if len(self._gone):
            is_there = ~are_in(ids, self._gone)
            ids, codes = ids[is_there], codes[is_there]
        found = np.take(self._codewords, codes + self._firsts, axis=0).reshape(len(codes), -1)
        found += self._centroids[number]
        known = ids, self._with_rest(found)
        if self._are_kept:
            self._decoded[number] = known
        return known

    def ids_by_list(self) -> I64:
        """int64 (n,): all ids, those of one list after each other, and those of near lists near."""
        parts = [self._ids(number) for number in self._chain()]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _chain(self) -> list[int]:
        """All lists, after each the nearest of those left, so that few are decoded twice.

        Where none of those nearest to it is left, the first that is: to look through all of them
        each time would take the square of their number.
        """
        near = self._near_lists()
        is_left = bytearray(b"\1" * len(near))
        chain, first = [], 0
        at = 0
        for _ in range(len(near)):
            chain.append(at)
            is_left[at] = 0
            at = next((other for other in near[at].tolist() if is_left[other]), -1)
            if at < 0:
                first = at = is_left.find(1, first)
        return chain

    def _near_lists(self) -> I64:
        """int64 (lists, n): for each list those with the nearest centroids, nearest first."""
        length = (self._centroids**2).sum(axis=1) / 2
        count = min(_LED_TO + 1, len(self._centroids))
        parts = []
        for start in range(0, len(self._centroids), _CENTROIDS_AT_ONCE):
            part = self._centroids[start : start + _CENTROIDS_AT_ONCE]
            distance = length - part @ self._centroids.T
            some = np.argpartition(distance, count - 1, axis=1)[:, :count]
            order = np.argsort(np.take_along_axis(distance, some, axis=1), axis=1, kind="stable")
            parts.append(np.take_along_axis(some, order, axis=1))
        return np.concatenate(parts)

    def _ids(self, number: int) -> I64:
        lists = self._ivf.invlists
        size = lists.list_size(number)
        if not size:
            return np.empty(0, np.int64)
        ids = lists.get_ids(number)
        try:
            copied: I64 = faiss.rev_swig_ptr(ids, size).copy()
            return copied
        finally:
            lists.release_ids(number, ids)

    def _codes(self, number: int) -> U8:
        lists = self._ivf.invlists
        size, width = lists.list_size(number), self._ivf.code_size
        if not size:
            return np.empty((0, width), np.uint8)
        codes = lists.get_codes(number)
        try:
            copied: U8 = faiss.rev_swig_ptr(codes, size * width).reshape(size, width).copy()
            return copied
        finally:
            lists.release_codes(number, codes)

    def _with_rest(self, mapped: F32) -> F32:
        length = np.einsum("ij,ij->i", mapped, mapped)
        rest = np.sqrt(self._left_out * np.maximum(1 - length, 0))
        return np.concatenate([mapped, rest[:, None]], axis=1)
