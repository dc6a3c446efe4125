"""Every pair of images in a catalog that some index says could be copies.

With a reference index, also every pair of an image of the catalog and one of the reference index;
pairs within the reference index are nobody's concern, for nothing is deleted there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from search.candidates import CandidatePair
from search.company import Company
from search.hits import I64
from search.index_set import IndexSet
from search.join_block import Findings, Joined, Reference, search_block
from search.join_workers import JoinPool
from search.options import SearchOptions
from search.pair_spool import PairSpool
from storage.catalog import Catalog

__all__ = ["CandidateStatistics", "Reference", "candidate_pairs"]

# Images searched for together, fewest and most: the more, the fewer times a list is decoded.
_BLOCK, _LARGE_BLOCK = 1024, 32_768
# Blocks for each worker, so that none waits long for the last one.
_BLOCKS_PER_WORKER = 16


@dataclass(slots=True)
class CandidateStatistics:
    """What a self-join did, filled while it runs.

    Attributes:
        images: searched for.
        capped_images: had more neighbours than the cap; the nearest were proposed.
        pairs: proposed.
        seconds: wall time until the first pair was given.
    """

    images: int = 0
    capped_images: int = 0
    pairs: int = 0
    seconds: float = 0.0


def candidate_pairs(
    catalog: Catalog,
    indexes: IndexSet,
    options: SearchOptions,
    statistics: CandidateStatistics | None = None,
    reference: Reference | None = None,
    workers: JoinPool | None = None,
) -> Iterator[CandidatePair]:
    """Each pair once, in the order of the lower, then the higher id.

    A pair is proposed when either image is a neighbour of the other: within reach of an index and
    among the `neighbours_cap` strongest of that image, unless it is far weaker than what both have
    elsewhere (`search.company`). Approximate search may find it from one
    side only, so all images are searched for before the first pair is given.

    The images of a reference index are looked among, not searched for: the time goes with the size
    of the catalog. Its neighbours do not count against the cap of those within the catalog.

    Args:
        catalog: the one `indexes` were opened on.
        statistics: filled while the pairs are being made; complete after the last one.
        reference: where copies of the catalog's images are looked for too.
        workers: of the same index and options, used where it is large and there is no reference;
            None searches in this process.

    Raises:
        IndexStorageError: the catalog cannot be read, or there is no space for temporary files.
    """
    counts = CandidateStatistics() if statistics is None else statistics
    started = time.monotonic()
    ids = indexes.image_ids
    joined = Joined(catalog, indexes, options, reference)
    # The lower id of every pair is one of these, whichever index the other one is in.
    company = Company(ids, list(indexes.embeddings), options)
    with PairSpool(ids, options.spill_after, options.spill_directory) as spool:
        for findings in _findings(joined, workers):
            spool.add(findings.proposals)
            company.add(findings.ids, findings.nearest)
            counts.images += len(findings.ids)
            counts.capped_images += findings.capped
        counts.seconds = time.monotonic() - started
        for pair in filter(company.is_worth_it, spool.pairs(list(indexes.embeddings))):
            counts.pairs += 1
            yield pair


def _findings(joined: Joined, workers: JoinPool | None) -> Iterator[Findings]:
    here = partial(search_block, joined)
    # Products of large matrices, which exact search is made of, are fastest in one process.
    images = len(joined.indexes.image_ids)
    is_large = images > joined.options.exact_below
    if workers is not None and joined.reference is None and is_large:
        size = images // (_BLOCKS_PER_WORKER * workers.workers)
        size = min(max(size, _BLOCK), _LARGE_BLOCK)
        return workers.search(_blocks(joined.indexes, size), here)
    return map(here, _blocks(joined.indexes, _BLOCK))


def _blocks(indexes: IndexSet, size: int) -> Iterator[I64]:
    """All images, those together that the first embedding index looks at together."""
    ids = indexes.image_ids
    for index in list(indexes.embeddings.values())[:1]:
        ids = index.neighbours_together(ids)
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
