"""Nominating on a GPU, by FAISS.

It has no range search for IVF there. So the range is covered by k nearest neighbours, k growing for
those queries whose k-th is still inside, up to a multiple of the cap: what lies beyond is capped
anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np

from search.hits import I64, Flags, Hits, select
from search.options import Reach
from storage.records import F32

_GROWTH = 4
# What a search on a GPU gives at most.
_LAST = 2048

Known = Callable[[I64, I64, I64 | None], Flags]


def count() -> int:
    """GPUs that FAISS can use: none in the package for CPUs."""
    counted = getattr(faiss, "get_num_gpus", None)
    return int(counted()) if counted else 0


def nominees(
    index: Any, nprobe: int, queries: F32, wide: Reach, known: Known, own_ids: I64 | None
) -> Hits:
    """Images that may be within reach, with a rough similarity.

    Args:
        wide: the reach, widened.
        known: which of some rows and ids count.
    """
    searcher = _searcher(index)
    faiss.GpuParameterSpace().set_index_parameter(searcher, "nprobe", nprobe)
    first = max(2 * wide.nearest, 16)
    last = min(max(first, 2 * wide.cap), _LAST)
    open_rows, k = np.arange(len(queries)), first
    is_cut = np.zeros(len(queries), bool)
    parts = []
    while len(open_rows):
        distances, labels = searcher.search(queries[open_rows], k)
        similarity = 1 - distances / 2
        is_inside = (labels[:, -1] >= 0) & (similarity[:, -1] >= wide.similarity)
        is_done = ~is_inside | (k >= last)
        is_cut[open_rows[is_inside & is_done]] = True
        row, column = np.nonzero((labels >= 0) & (similarity >= wide.lowest) & is_done[:, None])
        parts.append((open_rows[row], labels[row, column], similarity[row, column]))
        open_rows, k = open_rows[~is_done], min(k * _GROWTH, last)
    rows, ids, found = (
        np.concatenate([np.empty(0, kind), *column])
        for kind, column in zip(
            (np.int64, np.int64, np.float32), zip(*parts, strict=True), strict=True
        )
    )
    keep = known(rows, ids, own_ids)
    hits = select(rows[keep], ids[keep], found[keep], len(queries), wide)
    return Hits(hits.rows, hits.ids, hits.values, hits.is_capped | is_cut)


def _searcher(index: Any) -> Any:
    """A copy of the index on the first GPU, made once for each number of vectors in it."""
    known = _copies.get(id(index))
    if known is None or known[0] != index.ntotal:
        options = faiss.GpuClonerOptions()
        # The look-up tables of 64 sub-quantisers exceed a block's shared memory in float32.
        options.useFloat16 = True
        resources = faiss.StandardGpuResources()
        copy = faiss.index_cpu_to_gpu(resources, 0, index, options)
        known = _copies[id(index)] = index.ntotal, copy, resources
    return known[1]


_copies: dict[int, tuple[int, Any, Any]] = {}
