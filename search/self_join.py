"""Every pair of images in a catalog that some index says could be copies.

With a reference index, also every pair of an image of the catalog and one of the reference index;
pairs within the reference index are nobody's concern, for nothing is deleted there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from search.candidates import CandidatePair
from search.company import Company
from search.evidence import HASH_SOURCE, Evidence, gather
from search.hits import I64, Flags, Hits
from search.index_set import IndexSet
from search.options import SearchOptions
from search.pair_spool import PairSpool
from search.stored_vectors import StoredVectors
from storage.catalog import Catalog
from storage.joint_ids import JointIds
from storage.records import F32, U8

_QUERY_BLOCK = 1024


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


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference index.

    Attributes:
        indexes: of its catalog, with the models of the other.
        ids: of both, made after both were opened; the ids of pairs are such joint ids.
    """

    indexes: IndexSet
    ids: JointIds


def candidate_pairs(
    catalog: Catalog,
    indexes: IndexSet,
    options: SearchOptions,
    statistics: CandidateStatistics | None = None,
    reference: Reference | None = None,
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

    Raises:
        IndexStorageError: the catalog cannot be read, or there is no space for temporary files.
    """
    counts = CandidateStatistics() if statistics is None else statistics
    started = time.monotonic()
    ids = indexes.image_ids
    # The lower id of every pair is one of these, whichever index the other one is in.
    company = Company(ids, list(indexes.embeddings), options)
    with PairSpool(ids, options.spill_after, options.spill_directory) as spool:
        for block in _blocks(indexes):
            queries = _queries(catalog, indexes, block)
            evidence = _evidence(queries, indexes, options, is_own=True)
            _propose(spool, block, evidence, reference)
            embedded = {model: places for model, (_, places) in queries.vectors.items()}
            company.add(block, embedded, evidence)
            is_capped = evidence.is_capped
            if reference is not None:
                beyond = _evidence(queries, reference.indexes, options, is_own=False)
                is_capped = is_capped | beyond.is_capped
                _propose_beyond(spool, block, beyond, reference)
            counts.images += len(block)
            counts.capped_images += int(is_capped.sum())
        counts.seconds = time.monotonic() - started
        for pair in filter(company.is_worth_it, spool.pairs(list(indexes.embeddings))):
            counts.pairs += 1
            yield pair


def _blocks(indexes: IndexSet) -> Iterator[I64]:
    """All images, those together that the first embedding index looks at together."""
    ids = indexes.image_ids
    for index in list(indexes.embeddings.values())[:1]:
        ids = index.neighbours_together(ids)
    for start in range(0, len(ids), _QUERY_BLOCK):
        yield ids[start : start + _QUERY_BLOCK]


@dataclass(frozen=True, slots=True, eq=False)
class _Queries:
    """What a block of images is searched for by.

    Attributes:
        ids: int64 (n,).
        hashes: hash64 (n, 8), hash256 (n, 32) and texture (n,).
        vectors: model to float32 (m, dimension) and the places of the m images that have one.
    """

    ids: I64
    hashes: tuple[U8, U8, F32]
    vectors: Mapping[str, tuple[F32, I64]]


def _queries(catalog: Catalog, indexes: IndexSet, block: I64) -> _Queries:
    vectors = {}
    for model, index in indexes.embeddings.items():
        stored, found = StoredVectors(catalog, model, index.dimension).of(block)
        vectors[model] = stored[found].astype(np.float32), np.flatnonzero(found)
    return _Queries(block, indexes.hashes.hashes_of(block), vectors)


def _evidence(
    queries: _Queries, indexes: IndexSet, options: SearchOptions, *, is_own: bool
) -> Evidence:
    """What all indexes say of these images, which are in them (`is_own`) or are not."""
    own_ids = queries.ids if is_own else None
    hits: dict[int, Hits] = {}
    for number, (model, (vectors, places)) in enumerate(queries.vectors.items(), start=1):
        part = indexes.embeddings[model].search(
            vectors, options.reach(model), own_ids=None if own_ids is None else own_ids[places]
        )
        hits[number] = _in_places(part, places, len(queries.ids))
    hits[HASH_SOURCE] = _by_hash(queries, indexes, options, own_ids, hits)
    return gather(hits, options.neighbours_cap)


def _by_hash(
    queries: _Queries,
    indexes: IndexSet,
    options: SearchOptions,
    own_ids: I64 | None,
    embedded: Mapping[int, Hits],
) -> Hits:
    """Images with near hashes, as far as they may be worth a comparison.

    Where every model knows an image, hashes that are not very near count only beside a likeness
    that a model sees (`search.company`). So they are looked for among those it sees, and only very
    near ones among all.
    """
    n = len(queries.ids)
    is_known = np.full(n, bool(queries.vectors))
    for _, places in queries.vectors.values():
        is_known &= np.isin(np.arange(n), places)
    found = []
    for chosen, radius in (
        (np.flatnonzero(is_known), options.hamming_alone),
        (np.flatnonzero(~is_known), None),
    ):
        if len(chosen):
            hash64, hash256, texture = queries.hashes
            part = indexes.hashes.search(
                hash64[chosen],
                hash256[chosen],
                texture[chosen],
                options,
                own_ids=None if own_ids is None else own_ids[chosen],
                radius=radius,
            )
            found.append(_in_places(part, chosen, n))
    found += [
        indexes.hashes.confirmed(*queries.hashes, options, hits.rows, hits.ids)
        for hits in embedded.values()
    ]
    return Hits(
        np.concatenate([hits.rows for hits in found]),
        np.concatenate([hits.ids for hits in found]),
        np.concatenate([hits.values for hits in found]),
        np.logical_or.reduce([hits.is_capped for hits in found]),
    )


def _propose(spool: PairSpool, block: I64, evidence: Evidence, reference: Reference | None) -> None:
    """Propose the pairs within the catalog, without those of two images that stay in any case."""
    rows, others = evidence.rows, evidence.ids
    wanted = np.ones(len(rows), bool)
    if reference is not None:
        wanted = ~(reference.ids.are_shared(block)[rows] & reference.ids.are_shared(others))
    _add(spool, block[rows], others, evidence, wanted)


def _propose_beyond(spool: PairSpool, block: I64, evidence: Evidence, reference: Reference) -> None:
    """Propose the pairs of an image that only the catalog has and one that the reference has."""
    rows, others = evidence.rows, reference.ids.of_reference(evidence.ids)
    _add(spool, block[rows], others, evidence, ~reference.ids.are_shared(block)[rows])


def _add(spool: PairSpool, ids: I64, others: I64, evidence: Evidence, wanted: Flags) -> None:
    spool.add(ids[wanted], others[wanted], evidence.sources[wanted], evidence.values[wanted])


def _in_places(hits: Hits, places: I64, queries: int) -> Hits:
    """The hits of some queries as those of all: the others, whose images are gone, have none."""
    is_capped = np.zeros(queries, bool)
    is_capped[places] = hits.is_capped
    return Hits(places[hits.rows], hits.ids, hits.values, is_capped)
