"""Every pair of images in a catalog that some index says could be copies.

With a reference index, also every pair of an image of the catalog and one of the reference index;
pairs within the reference index are nobody's concern, for nothing is deleted there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from search.candidates import CandidatePair
from search.company import Company
from search.hits import I64
from search.index_set import IndexSet
from search.join_block import Findings, Joined, Reference, search_block
from search.join_workers import JoinPool
from search.options import SearchOptions
from search.pair_spool import PairSpool
from storage.catalog import Catalog
from storage.records import F32

__all__ = ["CandidateStatistics", "Reference", "candidate_pairs"]

# Images searched for together, fewest and most: the more, the fewer times a list is decoded.
_BLOCK, _LARGE_BLOCK = 1024, 24_576
# Blocks for each worker, so that none waits long for the last one.
_BLOCKS_PER_WORKER = 8


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What a join has found out that a later one needs.

    Attributes:
        last_id: every image of the catalog up to this id was searched for.
        nearest: model to float32 (last_id + 1,), by image id, as of `search.company.Company`.
        again: int64, ascending: of these, what has to be searched for once more.
    """

    last_id: int
    nearest: dict[str, F32]
    again: I64 = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(slots=True)
class CandidateStatistics:
    """What a self-join did, filled while it runs.

    Attributes:
        images: searched for.
        capped_images: had more neighbours than the cap; the nearest were proposed.
        pairs: proposed.
        seconds: wall time until the first pair was given.
        searched: for a later join; known when the first pair is given.
    """

    images: int = 0
    capped_images: int = 0
    pairs: int = 0
    seconds: float = 0.0
    searched: Searched | None = None


def candidate_pairs(
    catalog: Catalog,
    indexes: IndexSet,
    options: SearchOptions,
    statistics: CandidateStatistics | None = None,
    reference: Reference | None = None,
    workers: JoinPool | None = None,
    earlier: Searched | None = None,
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
        earlier: what an earlier join of this catalog, with these options and no reference, has
            found out: only images that are new since, or that it names, are searched for, and only
            pairs with one of them are given.

    Raises:
        IndexStorageError: the catalog cannot be read, or there is no space for temporary files.
    """
    counts = CandidateStatistics() if statistics is None else statistics
    started = time.monotonic()
    ids = indexes.image_ids
    joined = Joined(catalog, indexes, options, reference, is_from_both_sides=earlier is None)
    wanted = ids
    if earlier is not None:
        wanted = ids[(ids > earlier.last_id) | np.isin(ids, earlier.again)]
    known = None if earlier is None else earlier.nearest
    company = Company(ids, list(indexes.embeddings), options, known)
    with PairSpool(ids, options.spill_after, options.spill_directory) as spool:
        for findings in _findings(joined, wanted, workers):
            spool.add(findings.proposals)
            company.add(findings.ids, findings.nearest)
            if earlier is not None:
                company.see(findings.proposals)
            counts.images += len(findings.ids)
            counts.capped_images += findings.capped
        # A worker may have been killed.
        catalog.forget_dead_readers()
        counts.seconds = time.monotonic() - started
        last_id = int(ids[-1]) if len(ids) else 0
        counts.searched = Searched(last_id, company.nearest)
        models = list(indexes.embeddings)
        for proposed in spool.pairs(len(models)):
            for pair in proposed.where(company.are_worth_it(proposed)).pairs(models):
                counts.pairs += 1
                yield pair


def _findings(joined: Joined, wanted: I64, workers: JoinPool | None) -> Iterator[Findings]:
    here = partial(search_block, joined)
    images = len(joined.indexes.image_ids)
    # Products of large matrices, which exact search is made of, are fastest in one process.
    is_large = images > joined.options.exact_below
    if not joined.is_from_both_sides:
        # Few are new: each worker would take longer to open the index.
        return map(here, _blocks(joined.indexes, wanted, _LARGE_BLOCK if is_large else _BLOCK))
    if workers is not None and joined.reference is None and is_large:
        size = images // (_BLOCKS_PER_WORKER * workers.workers)
        size = min(max(size, _BLOCK), _LARGE_BLOCK)
        return workers.search(_blocks(joined.indexes, wanted, size), here)
    return map(here, _blocks(joined.indexes, wanted, _BLOCK))


def _blocks(indexes: IndexSet, ids: I64, size: int) -> Iterator[I64]:
    """These images, those together that the first embedding index looks at together."""
    if len(ids) > size:
        for index in list(indexes.embeddings.values())[:1]:
            ids = index.neighbours_together(ids)
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
