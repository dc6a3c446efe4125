"""One block of the self-join: what the indexes say of some images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from search.evidence import HASH_SOURCE, Evidence, gather
from search.hits import I64, Flags, Hits
from search.index_set import IndexSet
from search.options import SearchOptions
from search.pair_spool import Proposals, proposals_of
from search.stored_vectors import StoredVectors, VectorStore
from storage.joint_ids import JointIds
from storage.records import F32, U8


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference index.

    Attributes:
        indexes: of its catalog, with the models of the other.
        ids: of both, made after both were opened; the ids of pairs are such joint ids.
    """

    indexes: IndexSet
    ids: JointIds


@dataclass(frozen=True, slots=True)
class Joined:
    """What is joined: a catalog with itself, and with a reference index.

    Attributes:
        catalog: the one `indexes` were opened on, or its vectors.
        is_from_both_sides: every image is searched for, so that a pair is looked for twice.
    """

    catalog: VectorStore
    indexes: IndexSet
    options: SearchOptions
    reference: Reference | None = None
    is_from_both_sides: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What was found for a block of b images.

    Attributes:
        ids: int64 (b,).
        proposals: of pairs with one of them.
        nearest: float32 (models, b), as `search.company.Company.add` takes it.
        capped: how many had more neighbours than the cap.
    """

    ids: I64
    proposals: Proposals
    nearest: F32
    capped: int


def search_block(joined: Joined, block: I64) -> Findings:
    """Look for the neighbours of the images `block`, int64 (b,).

    Raises:
        IndexStorageError: the catalog cannot be read.
    """
    indexes, options, reference = joined.indexes, joined.options, joined.reference
    queries = _queries(joined.catalog, indexes, block)
    evidence = _evidence(
        queries, indexes, options, is_own=True, is_from_both_sides=joined.is_from_both_sides
    )
    proposals = [_proposed(block, evidence, reference)]
    is_capped = evidence.is_capped
    if reference is not None:
        beyond = _evidence(queries, reference.indexes, options, is_own=False)
        is_capped = is_capped | beyond.is_capped
        proposals.append(_proposed_beyond(block, beyond, reference))
    return Findings(
        ids=block,
        proposals=np.concatenate(proposals),
        nearest=_nearest(queries, evidence),
        capped=int(is_capped.sum()),
    )


def _nearest(queries: _Queries, evidence: Evidence) -> F32:
    nearest = np.full((len(queries.vectors), len(queries.ids)), np.nan, np.float32)
    for number, (of_model, (_, places)) in enumerate(
        zip(nearest, queries.vectors.values(), strict=True), start=1
    ):
        of_model[places] = -1.0
        chosen = evidence.sources == number
        np.fmax.at(of_model, evidence.rows[chosen], evidence.values[chosen])
    return nearest


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


def _queries(catalog: VectorStore, indexes: IndexSet, block: I64) -> _Queries:
    vectors = {}
    for model, index in indexes.embeddings.items():
        stored, found = StoredVectors(catalog, model, index.dimension).of(block)
        vectors[model] = stored[found].astype(np.float32), np.flatnonzero(found)
    return _Queries(block, indexes.hashes.hashes_of(block), vectors)


def _evidence(
    queries: _Queries,
    indexes: IndexSet,
    options: SearchOptions,
    *,
    is_own: bool,
    is_from_both_sides: bool = True,
) -> Evidence:
    """What all indexes say of these images, which are in them (`is_own`) or are not."""
    own_ids = queries.ids if is_own else None
    hits: dict[int, Hits] = {}
    for number, (model, (vectors, places)) in enumerate(queries.vectors.items(), start=1):
        reach = replace(options.reach(model), is_from_both_sides=is_from_both_sides)
        part = indexes.embeddings[model].search(
            vectors, reach, own_ids=None if own_ids is None else own_ids[places]
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


def _proposed(block: I64, evidence: Evidence, reference: Reference | None) -> Proposals:
    """The pairs within the catalog, without those of two images that stay in any case."""
    rows, others = evidence.rows, evidence.ids
    wanted = np.ones(len(rows), bool)
    if reference is not None:
        wanted = ~(reference.ids.are_shared(block)[rows] & reference.ids.are_shared(others))
    return _chosen(block[rows], others, evidence, wanted)


def _proposed_beyond(block: I64, evidence: Evidence, reference: Reference) -> Proposals:
    """The pairs of an image that only the catalog has and one that the reference has."""
    rows, others = evidence.rows, reference.ids.of_reference(evidence.ids)
    return _chosen(block[rows], others, evidence, ~reference.ids.are_shared(block)[rows])


def _chosen(ids: I64, others: I64, evidence: Evidence, wanted: Flags) -> Proposals:
    return proposals_of(
        ids[wanted], others[wanted], evidence.sources[wanted], evidence.values[wanted]
    )


def _in_places(hits: Hits, places: I64, queries: int) -> Hits:
    """The hits of some queries as those of all: the others, whose images are gone, have none."""
    is_capped = np.zeros(queries, bool)
    is_capped[places] = hits.is_capped
    return Hits(places[hits.rows], hits.ids, hits.values, is_capped)
