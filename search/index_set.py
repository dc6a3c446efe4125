"""All indexes of one catalog, as they must be to search it: complete, and true to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search.embedding_index import EmbeddingIndex, ExactEmbeddingIndex
from search.hash_index import HashIndex
from search.hits import I64
from search.ivfpq_index import MINIMUM_TRAINED_ON
from search.ivfpq_upkeep import open_ivfpq
from search.options import SearchOptions
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory
from storage.parameters import ModelParameters

__all__ = ["IndexDescription", "IndexSet", "SearchOptions"]


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """One index, for `dedup info`.

    Attributes:
        name: the model, or "wavelet hashes".
        kind: how it searches.
        images: how many are in it.
        watermark: the highest image id in it.
        state: what was done to open it.
    """

    name: str
    kind: str
    images: int
    watermark: int
    state: str

    def __str__(self) -> str:
        return f"{self.name}: {self.kind}, {self.images:,} images, {self.state}"


class IndexSet:
    """The hash index and one embedding index per model. Valid while its catalog is open.

    It holds the images that were in the catalog when it was opened.
    """

    def __init__(
        self,
        hashes: HashIndex,
        embeddings: Mapping[str, EmbeddingIndex],
        states: Mapping[str, str],
    ) -> None:
        self.hashes = hashes
        self.embeddings = embeddings
        self._states = states

    @classmethod
    def open(
        cls,
        directory: IndexDirectory,
        catalog: Catalog,
        options: SearchOptions,
        *,
        is_writable: bool = True,
    ) -> IndexSet:
        """Open every index, first adding what it lacks or building it anew where it is missing,
        damaged, of other models or too far from the catalog.

        Files are written for IVF-PQ only; where they cannot be, the index is used from memory.

        Args:
            is_writable: False writes nothing.

        Raises:
            IndexStorageError: the catalog cannot be read.
        """
        hashes = HashIndex.from_catalog(catalog)
        parameters = catalog.parameters()
        models = () if parameters is None else parameters.models
        embeddings: dict[str, EmbeddingIndex] = {}
        states: dict[str, str] = {}
        for model in models:
            embeddings[model.name], states[model.name] = _open_embeddings(
                directory, catalog, model, hashes.image_ids, options, is_writable
            )
        return cls(hashes, embeddings, states)

    @property
    def image_ids(self) -> I64:
        """int64 (n,), ascending: the images in the indexes."""
        return self.hashes.image_ids

    def describe(self) -> list[IndexDescription]:
        """What each index is and holds."""
        ids = self.image_ids
        found = [
            IndexDescription(
                name="wavelet hashes",
                kind=self.hashes.kind,
                images=len(self.hashes),
                watermark=int(ids[-1]) if len(ids) else 0,
                state="in memory",
            )
        ]
        found += [
            IndexDescription(name, index.kind, len(index), index.watermark, self._states[name])
            for name, index in self.embeddings.items()
        ]
        return found


def _open_embeddings(
    directory: IndexDirectory,
    catalog: Catalog,
    model: ModelParameters,
    present: I64,
    options: SearchOptions,
    is_writable: bool,
) -> tuple[EmbeddingIndex, str]:
    if len(present) > max(options.exact_below, MINIMUM_TRAINED_ON):
        return open_ivfpq(directory, catalog, model, present, options, is_writable=is_writable)
    blocks = list(catalog.embeddings(model.name))
    return ExactEmbeddingIndex.of(model.dimension, blocks), "in memory"
