"""What the indexes say of one block of queries, brought together and capped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.hits import I64, Flags, Hits, ranks
from storage.records import F32

# The source of evidence that is no embedding; models are numbered from 1.
HASH_SOURCE = 0
# Hamming distances and cosines are of two kinds; to rank one against the other, a distance of d
# counts as the cosine 1 − d/32: identical hashes as identical, random ones (32 of 64) as unrelated.
_UNRELATED = 32.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """m pieces of evidence, ordered by query, then strongest neighbour first.

    Attributes:
        rows: int64 (m,), which query. ids: int64 (m,), the neighbour.
        sources: uint8 (m,), HASH_SOURCE or the number of the model.
        values: float32 (m,), Hamming distance or cosine similarity.
        is_capped: bool (n,), which of the n queries had more neighbours than the cap.
    """

    rows: I64
    ids: I64
    sources: NDArray[np.uint8]
    values: F32
    is_capped: Flags


def gather(hits: dict[int, Hits], cap: int) -> Evidence:
    """All evidence on the `cap` neighbours of each query for which it is strongest.

    Args:
        hits: by number of the source, all for the same n queries. A neighbour may occur more than
            once in those of one source: the best value counts.
    """
    rows = np.concatenate([h.rows for h in hits.values()])
    ids = np.concatenate([h.ids for h in hits.values()])
    values = np.concatenate([h.values for h in hits.values()])
    sources = np.concatenate([np.full(len(h.rows), s, np.uint8) for s, h in hits.items()])
    is_capped = np.logical_or.reduce([h.is_capped for h in hits.values()])
    strength = np.where(sources == HASH_SOURCE, 1 - values / _UNRELATED, values)

    order = np.lexsort((-strength, sources, ids, rows))
    rows, ids, values, sources, strength = (
        column[order] for column in (rows, ids, values, sources, strength)
    )
    pair_starts = np.ones(len(rows), bool)
    pair_starts[1:] = (rows[1:] != rows[:-1]) | (ids[1:] != ids[:-1])
    is_best = pair_starts.copy()
    is_best[1:] |= sources[1:] != sources[:-1]
    pair = np.cumsum(pair_starts) - 1
    strongest = np.full(int(pair_starts.sum()), -np.inf, np.float64)
    np.maximum.at(strongest, pair, strength)

    # Equal hashes are common among copies: among equals the one with more evidence comes first,
    # whatever the ids, which differ when the same images are indexed anew.
    together = np.bincount(pair[is_best], strength[is_best], minlength=len(strongest))
    pair_rows, pair_ids = rows[pair_starts], ids[pair_starts]
    pair_order = np.lexsort((pair_ids, -together, -strongest, pair_rows))
    rank = np.empty(len(pair_order), np.int64)
    rank[pair_order] = ranks(pair_rows[pair_order])
    is_capped[pair_rows[rank >= cap]] = True

    kept = is_best & (rank[pair] < cap)
    rows, ids, sources, values, place = (
        column[kept] for column in (rows, ids, sources, values, rank[pair])
    )
    order = np.lexsort((sources, place, rows))
    return Evidence(rows[order], ids[order], sources[order], values[order], is_capped)
