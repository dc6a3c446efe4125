"""What an index answers: for each query, which images, and how near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.options import Reach
from storage.records import F32

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Hits:
    """Neighbours of n queries, m in all, ordered by query, then nearest first.

    Attributes:
        rows: int64 (m,), which query.
        ids: int64 (m,), the image found.
        values: float32 (m,): cosine similarity, or Hamming distance of the 64-bit hashes.
        is_capped: bool (n,), which queries had more neighbours than the cap lets through.
    """

    rows: I64
    ids: I64
    values: F32
    is_capped: Flags


def ranks(rows: I64) -> I64:
    """The place of each element within its run of equal values: 0, 1, … (m,); `rows` is sorted."""
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]]) if len(rows) else np.empty(0, int)
    lengths = np.diff(np.r_[starts, len(rows)])
    return np.arange(len(rows)) - np.repeat(starts, lengths)


def nearest_first(rows: I64, ids: I64, similarity: F32) -> I64:
    """The order of some neighbours by query, then the most similar, then the lower id; int64 (m,).

    As `lexsort` would, but numpy sorts one key of 64 bits several times faster than three.
    """
    bits = (np.float32(0) - similarity.astype(np.float32, copy=False)).view(np.int32)
    # The bits of negative numbers descend: turned round they sort as the numbers do.
    keys = rows.astype(np.int64) << 32
    keys += (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64) + (1 << 31)
    order = np.argsort(keys)
    keys = keys[order]
    is_tied = np.zeros(len(keys), bool)
    is_tied[1:] = keys[1:] == keys[:-1]
    is_tied[:-1] |= is_tied[1:]
    tied = np.flatnonzero(is_tied)
    if len(tied):
        among = order[tied]
        order[tied] = among[np.lexsort((ids[among], keys[tied]))]
    return order


def select(rows: I64, ids: I64, similarity: F32, queries: int, reach: Reach) -> Hits:
    """The neighbours within reach, from some that contain them all, in any order, each once."""
    order = nearest_first(rows, ids, similarity)
    rows, ids, similarity = rows[order], ids[order], similarity[order]
    rank = ranks(rows)
    strong = np.bincount(rows[similarity >= reach.strong], minlength=queries)
    counts = (similarity >= reach.strong) | (rank < strong[rows] + reach.weak)
    counts &= similarity >= reach.similarity
    counts |= (rank < reach.nearest) & (similarity >= reach.floor)
    is_capped = np.zeros(queries, bool)
    is_capped[rows[counts & (rank >= reach.cap)]] = True
    kept = counts & (rank < reach.cap)
    return Hits(rows[kept], ids[kept], similarity[kept], is_capped)


def prune(rows: I64, ids: I64, found: F32, reach: Reach, bar: F32) -> tuple[I64, I64, F32]:
    """Of some neighbours, not yet all, those that may turn out to be within reach.

    Args:
        bar: float32 (n,), the similarity from which a neighbour of each query counts; raised.
    """
    if not len(rows):
        return rows, ids, found
    # One above the cap, so that `select` sees that there were more.
    order = nearest_first(rows, ids, found)
    rows, ids, found = rows[order], ids[order], found[order]
    rank = ranks(rows)
    starts = np.flatnonzero(rank == 0)
    lengths = np.diff(np.r_[starts, len(rows)])
    who = rows[starts]
    if reach.nearest:
        full = lengths >= reach.nearest
        nearest = found[starts[full] + reach.nearest - 1]
        bar[who[full]] = np.maximum(bar[who[full]], np.minimum(nearest, reach.similarity))
    if reach.nearest <= reach.weak:
        # Below the last weak one that counts only strong ones can be: there are none.
        strong = np.bincount(rows[found >= reach.strong], minlength=len(bar))[who]
        full = lengths >= strong + reach.weak
        last = found[starts[full] + (strong[full] + reach.weak - 1).clip(min=0)]
        bar[who[full]] = np.maximum(bar[who[full]], np.minimum(last, reach.strong))
    capped = lengths > reach.cap
    bar[who[capped]] = np.maximum(bar[who[capped]], found[starts[capped] + reach.cap])
    kept = (rank <= reach.cap) & (found >= bar[rows])
    return rows[kept], ids[kept], found[kept]


def joined(parts: list[Hits], sizes: list[int]) -> Hits:
    """The hits of consecutive blocks of `sizes` queries as those of all of them."""
    starts = np.cumsum([0, *sizes[:-1]])
    return Hits(
        np.concatenate([part.rows + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.is_capped for part in parts]),
    )
