"""The blocks of a self-join searched on a Ray cluster.

What is searched is sent once to each machine that takes part: the hashes, FAISS's index, and the
float16 vectors, which all processes of a machine share in its memory. A machine needs as much of
it as the vectors take, 2.6 kB an image and model with 1280 dimensions. A block whose machine is
lost is searched again.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import faiss
import numpy as np

from search.embedding_index import EmbeddingIndex, ExactEmbeddingIndex
from search.hash_index import HashIndex
from search.hits import I64
from search.index_set import IndexSet
from search.ivfpq_index import IvfPqEmbeddingIndex
from search.join_block import Findings, Joined, search_block
from search.options import SearchOptions
from search.sent_vectors import SentVectors
from search.stored_vectors import StoredVectors
from storage.catalog import Catalog
from storage.cluster import Cluster, WorkLost, package_version, require_same_version
from storage.records import F16, F32, U8

_AHEAD = 2
_RETRIES = 3
# Vectors of one object in the cluster's memory: 1280 float16 of so many are 256 MB.
_VECTORS_TOGETHER = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class _SentIndex:
    """An embedding index, without its vectors.

    Attributes:
        content: an IVF-PQ index as FAISS writes it; None for one that compares all vectors.
        vectors: what to get the chunks of `SentVectors` by.
    """

    model: str
    dimension: int
    watermark: int
    nprobe: int
    content: U8 | None
    vectors: list[Any]


@dataclass(frozen=True, slots=True, eq=False)
class _SentJoin:
    """What a process of the cluster searches.

    Attributes:
        run: no two are the same.
        hashes: the columns of `Catalog.hashes`.
    """

    run: str
    version: str
    options: SearchOptions
    hashes: tuple[I64, U8, U8, F32]
    indexes: list[_SentIndex]


class JoinCluster:
    """A `search.join_workers.JoinPool` of Ray tasks.

    Args:
        catalog, indexes: what is joined; sent when the first block is asked for.
        options: as of the join.
    """

    def __init__(
        self, cluster: Cluster, catalog: Catalog, indexes: IndexSet, options: SearchOptions
    ) -> None:
        self._cluster = cluster
        self._catalog = catalog
        self._indexes = indexes
        self._options = options

    @property
    def workers(self) -> int:
        return self._cluster.cores

    def search(
        self, blocks: Iterable[I64], otherwise: Callable[[I64], Findings]
    ) -> Iterator[Findings]:
        ray = self._cluster.ray
        sent = ray.put(self._sent())
        task = ray.remote(_search).options(num_cpus=1, max_retries=_RETRIES)
        waiting: deque[tuple[I64, Any]] = deque()
        stream = iter(blocks)
        while True:
            for block in islice(stream, max(0, _AHEAD * self.workers - len(waiting))):
                waiting.append((block, task.remote(sent, block)))
            if not waiting:
                return
            block, reference = waiting.popleft()
            try:
                findings: Findings = self._cluster.answer(reference)
            except WorkLost:
                findings = otherwise(block)
            yield findings

    def _sent(self) -> _SentJoin:
        ids = self._indexes.image_ids
        hash64, hash256, texture = self._indexes.hashes.hashes_of(ids)
        return _SentJoin(
            uuid.uuid4().hex,
            package_version(),
            self._options,
            (ids, hash64, hash256, texture),
            [self._sent_index(*named) for named in self._indexes.embeddings.items()],
        )

    def _sent_index(self, model: str, index: EmbeddingIndex) -> _SentIndex:
        put = self._cluster.ray.put
        blocks = self._catalog.embeddings(model, batch=_VECTORS_TOGETHER)
        vectors = [put(block) for block in blocks]
        content, nprobe = None, 0
        if isinstance(index, IvfPqEmbeddingIndex):
            content, nprobe = faiss.serialize_index(index.index), index.nprobe
        return _SentIndex(model, index.dimension, index.watermark, nprobe, content, vectors)


_joined: dict[str, Joined] = {}


def _search(sent: _SentJoin, block: I64) -> Findings:
    if sent.run not in _joined:
        require_same_version(sent.version)
        # Of an earlier join.
        _joined.clear()
        _joined[sent.run] = _opened(sent)
    return search_block(_joined[sent.run], block)


def _opened(sent: _SentJoin) -> Joined:
    from storage.cluster import ray_module

    # A task has one core.
    faiss.omp_set_num_threads(1)
    ids = sent.hashes[0]
    chunks: dict[str, list[tuple[I64, F16]]] = {
        index.model: ray_module().get(index.vectors) for index in sent.indexes
    }
    store = SentVectors(chunks)
    embeddings: dict[str, EmbeddingIndex] = {}
    for index in sent.indexes:
        if index.content is None:
            exact = ExactEmbeddingIndex.of(index.dimension, chunks[index.model])
            embeddings[index.model] = exact
            continue
        embeddings[index.model] = IvfPqEmbeddingIndex(
            # FAISS takes what it is given for its own.
            faiss.deserialize_index(np.array(index.content), faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE),
            index.watermark,
            StoredVectors(store, index.model, index.dimension),
            ids,
            nprobe=index.nprobe,
            widening=sent.options.widening,
        )
    indexes = IndexSet(HashIndex(*sent.hashes), embeddings, dict.fromkeys(embeddings, "sent"))
    return Joined(store, indexes, sent.options)
