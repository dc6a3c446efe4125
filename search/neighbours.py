"""The images nearest to one that need not be in the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from search.evidence import HASH_SOURCE, gather
from search.hash_index import NOT_PROPOSED
from search.hits import Hits
from search.index_set import IndexSet
from search.options import Reach, SearchOptions
from storage.catalog import Catalog
from storage.records import F32


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An image near the query.

    Attributes:
        image_id: in the catalog.
        hamming: smallest distance of the 64-bit hashes over the eight orientations; 64 when the
            hashes did not propose it.
        similarity: model name to cosine similarity, for the embeddings that proposed it; of
            several embeddings of the query, the largest.
    """

    image_id: int
    hamming: int
    similarity: dict[str, float] = field(default_factory=dict)


def neighbours(
    catalog: Catalog,
    indexes: IndexSet,
    hash64: bytes,
    hash256: bytes,
    embeddings: Mapping[str, Sequence[F32]],
    top: int,
    options: SearchOptions,
) -> list[Neighbour]:
    """The `top` images with the strongest evidence, best first.

    The nearest are given however far they are: the caller sees the similarity, and verification
    decides.

    Args:
        catalog: the one `indexes` were opened on.
        hash64, hash256: 8 and 32 bytes, of the query.
        embeddings: model name to L2-normalised float32 (dimension,), one or more of them: those of
            the turned and mirrored query find turned and mirrored copies. Models that the index
            does not have are ignored.
    """
    wide = replace(options, neighbours_cap=max(options.neighbours_cap, top))
    hits = {
        HASH_SOURCE: indexes.hashes.search(
            np.frombuffer(hash64, np.uint8)[None],
            np.frombuffer(hash256, np.uint8)[None],
            # Nothing is known of the query's texture: the images found say whether they are flat.
            np.ones(1, np.float32),
            wide,
        )
    }
    models = list(indexes.embeddings)
    for number, model in enumerate(models, start=1):
        vectors = embeddings.get(model, ())
        if len(vectors):
            reach = Reach(wide.reach(model).similarity, top, -1.0, wide.neighbours_cap)
            hits[number] = _as_one(
                indexes.embeddings[model].search(np.stack(vectors).astype(np.float32), reach)
            )
    found: dict[int, Neighbour] = {}
    evidence = gather(hits, top)
    for image_id, source, value in zip(
        evidence.ids.tolist(), evidence.sources.tolist(), evidence.values.tolist(), strict=True
    ):
        neighbour = found.get(image_id, Neighbour(image_id, NOT_PROPOSED))
        if source == HASH_SOURCE:
            found[image_id] = replace(neighbour, hamming=int(value))
        else:
            similarity = {**neighbour.similarity, models[source - 1]: value}
            found[image_id] = replace(neighbour, similarity=similarity)
    return [neighbour for neighbour in found.values() if _is_known(catalog, neighbour.image_id)]


def _is_known(catalog: Catalog, image_id: int) -> bool:
    """False when another process has removed the image since the indexes were opened."""
    try:
        catalog.record(image_id)
    except KeyError:
        return False
    return True


def _as_one(hits: Hits) -> Hits:
    """The hits of several versions of one query as those of one."""
    is_capped = np.array([hits.is_capped.any()])
    return Hits(np.zeros_like(hits.rows), hits.ids, hits.values, is_capped)
