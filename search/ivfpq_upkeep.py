"""Keeping an IVF-PQ index true to the catalog: load, add what is new, or build anew."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from search.hits import I64
from search.index_files import LAYOUT, IndexCard, IndexFiles
from search.ivfpq_index import IvfPqEmbeddingIndex
from search.options import SearchOptions
from search.stored_vectors import StoredVectors
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory
from storage.parameters import ModelParameters

# An index is built anew when more of it than this is gone from the catalog, for its place in the
# answers is wasted; or when the catalog has outgrown its lists by this factor.
_MOST_REMOVED = 0.10
_MOST_GROWTH = 4.0
_ANCHORS = 16


def open_ivfpq(
    directory: IndexDirectory,
    catalog: Catalog,
    model: ModelParameters,
    present: I64,
    options: SearchOptions,
    *,
    is_writable: bool = True,
) -> tuple[IvfPqEmbeddingIndex, str]:
    """The index of that model, holding every image of the catalog, and what was done to have it.

    Args:
        present: int64, ascending: the images of the catalog.
        is_writable: False leaves the files as they are and keeps what is new in memory.
    """
    files = IndexFiles(directory, model.name)
    vectors = StoredVectors(catalog, model.name, model.dimension)
    stored = files.read()
    reason = stored if isinstance(stored, str) else _outdated(stored[1], model, present, vectors)
    if isinstance(stored, str) or reason:
        index = IvfPqEmbeddingIndex.trained(
            vectors, present, nprobe=options.nprobe, widening=options.widening
        )
        trained_on, removals = len(present), catalog.removals
        note = f"built anew: {reason}"
    else:
        read, card = stored
        index = IvfPqEmbeddingIndex(
            read,
            card.watermark,
            vectors,
            present,
            nprobe=options.nprobe,
            widening=options.widening,
        )
        trained_on, removals = card.trained_on, card.removals
        note = ""
    added = _add_new(index, catalog, model.name, int(present[-1]))
    if not added:
        return index, "up to date"
    note = note or f"{added} images added"
    if not is_writable:
        return index, f"{note}; kept in memory: opened to be read"
    card = IndexCard(
        layout=LAYOUT,
        model=model.name,
        fingerprint=_fingerprint(model),
        dimension=model.dimension,
        watermark=index.watermark,
        images=len(index),
        trained_on=trained_on,
        removals=removals,
        anchors=_anchors(present, vectors),
    )
    problem = files.write(index.index, card)
    return index, f"{note}; kept in memory: {problem}" if problem else note


def _add_new(index: IvfPqEmbeddingIndex, catalog: Catalog, model: str, last: int) -> int:
    """Add the images above the watermark up to the id `last`; how many there were."""
    added = 0
    for ids, vectors in catalog.embeddings(model, index.watermark + 1):
        # Another process may have committed more: this index ends where `present` does.
        wanted = ids <= last
        index.add(ids[wanted], vectors[wanted])
        added += int(wanted.sum())
        if not wanted.all():
            break
    return added


def _outdated(card: IndexCard, model: ModelParameters, present: I64, vectors: StoredVectors) -> str:
    """Why the index of this card is no use for the catalog; "" when it is."""
    if (card.model, card.fingerprint, card.dimension) != (
        model.name,
        _fingerprint(model),
        model.dimension,
    ):
        return "it was of another model"
    indexed = int(np.searchsorted(present, card.watermark, side="right"))
    if not _are_anchored(card, present, vectors) or indexed > card.images:
        return "it was of another catalog"
    if card.images - indexed > _MOST_REMOVED * card.images:
        return f"{card.images - indexed} of its {card.images} images were gone"
    if len(present) > _MOST_GROWTH * card.trained_on:
        return f"the catalog had grown from {card.trained_on} images to {len(present)}"
    return ""


def _are_anchored(card: IndexCard, present: I64, vectors: StoredVectors) -> bool:
    anchors = dict(card.anchors)
    ids = np.array(sorted(anchors), np.int64)
    stored, found = vectors.of(ids[np.isin(ids, present)])
    left = ids[np.isin(ids, present)][found]
    # With every anchor removed nothing can be said.
    return bool(len(left)) and all(
        sha256(vector.tobytes()).hexdigest() == anchors[int(image_id)]
        for image_id, vector in zip(left, stored[found], strict=True)
    )


def _anchors(present: I64, vectors: StoredVectors) -> tuple[tuple[int, str], ...]:
    chosen = present[np.unique(np.linspace(0, len(present) - 1, _ANCHORS).astype(np.int64))]
    stored, found = vectors.of(chosen)
    return tuple(
        (int(image_id), sha256(vector.tobytes()).hexdigest())
        for image_id, vector in zip(chosen[found], stored[found], strict=True)
    )


def _fingerprint(model: ModelParameters) -> str:
    return f"{model.fingerprint} {model.runtime} {model.input_size}"
