"""A few queries, each for itself, by FAISS's own search.

`IvfPqEmbeddingIndex` is made for the self-join: it decodes a list once and compares all queries
with it that probe it. One picture in eight orientations shares hardly a list with another, and
decoding 900 lists for it took 0.2 s of CPU time among a million images; FAISS looks up products in
the codes. Its order is as approximate, so the stored vectors decide here too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np

from search.hits import I64, Flags, Hits, select
from search.inverted_lists import ivf_of
from search.options import Reach
from storage.records import F32

# Up to so many queries are searched for like this.
MOST = 64
_GROWTH = 4
_FEWEST_NEAREST, _MOST_NEAREST = 16, 2048

Rescore = Callable[[F32, I64, I64], tuple[F32, Flags]]


class FewQueries:
    """Searches an index made of a linear map and an `IndexIVFPQ`; valid while nothing is added.

    FAISS compares such an index by distance, and how long the mapped vectors are would take part.
    So its lists and codewords are lent to an index that compares by product.
    """

    def __init__(self, index: Any) -> None:
        ivf = ivf_of(index)
        self._map = faiss.downcast_VectorTransform(index.chain.at(0))
        self._centroids: F32 = ivf.quantizer.reconstruct_n(0, ivf.nlist)
        self._index = index
        self._quantizer = faiss.IndexFlatIP(ivf.d)
        self._quantizer.add(self._centroids)
        by_product: Any = faiss.IndexIVFPQ(
            self._quantizer, ivf.d, ivf.nlist, ivf.pq.M, ivf.pq.nbits, faiss.METRIC_INNER_PRODUCT
        )
        by_product.pq = ivf.pq
        by_product.replace_invlists(ivf.invlists, False)
        by_product.ntotal, by_product.is_trained = ivf.ntotal, True
        self._by_product = by_product

    def neighbours(
        self, queries: F32, reach: Reach, lists: int, nominees: int, rescore: Rescore
    ) -> Hits:
        """The neighbours of queries that are in no index.

        Args:
            lists: searched for each.
            nominees: of FAISS's order, to be re-scored; more while the last of them is within
                reach.
            rescore: of queries, rows of them and ids, the true similarity and whether it counts.
        """
        reduced = self._map.apply(np.ascontiguousarray(queries, np.float32))
        products = reduced @ self._centroids.T
        probes = np.argpartition(-products, lists - 1, axis=1)[:, :lists].astype(np.int64)
        nearness = np.take_along_axis(products, probes, axis=1)
        # Of lists given, FAISS looks at so many; always the same number, whoever else is searching.
        self._by_product.nprobe = lists
        open_rows, k = np.arange(len(queries)), max(nominees, _FEWEST_NEAREST)
        most = max(k, min(2 * reach.cap, _MOST_NEAREST))
        is_cut = np.zeros(len(queries), bool)
        parts: list[tuple[I64, I64, F32]] = []
        while len(open_rows):
            _, labels = self._by_product.search_preassigned(
                reduced[open_rows], k, probes[open_rows], nearness[open_rows]
            )
            place, column = np.nonzero(labels >= 0)
            rows, ids = open_rows[place], labels[place, column].astype(np.int64)
            similarity, counts = rescore(queries, rows, ids)
            is_last = (column == k - 1) & counts & (similarity >= reach.similarity)
            is_open = np.isin(open_rows, rows[is_last])
            if k >= most:
                is_cut[open_rows[is_open]] = True
                is_open[:] = False
            keep = counts & ~is_open[place]
            parts.append((rows[keep], ids[keep], similarity[keep]))
            open_rows, k = open_rows[is_open], min(k * _GROWTH, most)
        rows, ids, found = (np.concatenate(column) for column in zip(*parts, strict=True))
        hits = select(rows, ids, found, len(queries), reach)
        return Hits(hits.rows, hits.ids, hits.values, hits.is_capped | is_cut)
