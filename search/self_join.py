"""Every pair of images in a catalog that some index says could be copies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from search.candidates import CandidatePair
from search.evidence import HASH_SOURCE, Evidence, gather
from search.hits import I64, Hits
from search.index_set import IndexSet
from search.options import SearchOptions
from search.pair_spool import PairSpool
from search.stored_vectors import StoredVectors
from storage.catalog import Catalog

_QUERY_BLOCK = 1024


@dataclass(slots=True)
class CandidateStatistics:
    """What a self-join did, filled while it runs.

    Attributes:
        images: searched for.
        capped_images: had more neighbours than the cap; the nearest were proposed.
        pairs: proposed.
    """

    images: int = 0
    capped_images: int = 0
    pairs: int = 0


def candidate_pairs(
    catalog: Catalog,
    indexes: IndexSet,
    options: SearchOptions,
    statistics: CandidateStatistics | None = None,
) -> Iterator[CandidatePair]:
    """Each pair once, in the order of the lower, then the higher id.

    A pair is proposed when either image is a neighbour of the other: within reach of an index and
    among the `neighbours_cap` strongest of that image. Approximate search may find it from one
    side only, so all images are searched for before the first pair is given.

    Args:
        catalog: the one `indexes` were opened on.
        statistics: filled while the pairs are being made; complete after the last one.

    Raises:
        IndexStorageError: the catalog cannot be read, or there is no space for temporary files.
    """
    counts = CandidateStatistics() if statistics is None else statistics
    ids = indexes.image_ids
    with PairSpool(ids, options.spill_after, options.spill_directory) as spool:
        for start in range(0, len(ids), _QUERY_BLOCK):
            block = ids[start : start + _QUERY_BLOCK]
            evidence = _evidence(catalog, indexes, block, options)
            spool.add(block[evidence.rows], evidence.ids, evidence.sources, evidence.values)
            counts.images += len(block)
            counts.capped_images += int(evidence.is_capped.sum())
        for pair in spool.pairs(list(indexes.embeddings)):
            counts.pairs += 1
            yield pair


def _evidence(catalog: Catalog, indexes: IndexSet, block: I64, options: SearchOptions) -> Evidence:
    """What all indexes say of these images of the catalog."""
    hits = {
        HASH_SOURCE: indexes.hashes.search(*indexes.hashes.hashes_of(block), options, own_ids=block)
    }
    for number, (model, index) in enumerate(indexes.embeddings.items(), start=1):
        vectors, found = StoredVectors(catalog, model, index.dimension).of(block)
        part = index.search(
            vectors[found].astype(np.float32), options.reach(model), own_ids=block[found]
        )
        hits[number] = _in_places(part, np.flatnonzero(found), len(block))
    return gather(hits, options.neighbours_cap)


def _in_places(hits: Hits, places: I64, queries: int) -> Hits:
    """The hits of some queries as those of all: the others, whose images are gone, have none."""
    is_capped = np.zeros(queries, bool)
    is_capped[places] = hits.is_capped
    return Hits(places[hits.rows], hits.ids, hits.values, is_capped)
