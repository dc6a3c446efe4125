"""From the bytes of strangers to an answer: decoded in a process apart, then compared here."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import faiss

from cli.answering import QueryAnswer, embedded
from cli.config import Settings
from cli.loading import load_embedders_of, load_verifier
from cli.query_image import query_options
from cli.service.snapshots import Snapshot
from indexer.embedders.base import Embedder, ModelSpec
from indexer.extract import ExtractedImage, extract
from indexer.pipes import Stop
from indexer.turns import Turns
from indexer.worker_pool import Decoder, memory_share
from storage.errors import ImageInputError
from storage.parameters import IndexParameters
from storage.records import F32, U8
from verify.cascade import Verifier


class Overloaded(Exception):
    """Everybody is busy, and more wait already than may."""


class SharedEmbedder:
    """An embedder that several threads may use, one after the other."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._guard = threading.Lock()

    @property
    def spec(self) -> ModelSpec:
        """What its vectors are."""
        return self._embedder.spec

    def embed(self, images: U8) -> F32:
        """See `Embedder.embed`."""
        with self._guard:
            return self._embedder.embed(images)


class QueryWorkers:
    """Decoders, each a process, and verifiers; a query has one of each while it is answered.

    Args:
        settings: the limits of one image, `workers`, the matchers.
        parameters: of the index.
        patience: seconds that a query waits for its turn.

    Attributes:
        embedders: of the index's models; they may be shared.
    """

    def __init__(self, settings: Settings, parameters: IndexParameters, patience: float) -> None:
        self._patience = patience
        self.embedders: Sequence[Embedder] = [
            SharedEmbedder(embedder) for embedder in load_embedders_of(parameters, settings)
        ]
        # Queries side by side keep the cores busy: see `_one_core_each`.
        cv2.setNumThreads(1)
        self._stop = Stop()
        options = query_options(settings, parameters)
        turns = Turns(self._stop)
        share = memory_share(options.limits.max_memory, settings.workers)
        self._decoders = [
            Decoder(options, settings.image_timeout, extract, self._stop, turns, share)
            for _ in range(settings.workers)
        ]
        self._free: queue.Queue[tuple[Decoder, Verifier]] = queue.Queue()
        for decoder in self._decoders:
            self._free.put((decoder, load_verifier(settings)))

    @property
    def restarts(self) -> int:
        """Decoders that crashed, hung or ran out of memory, and were replaced."""
        return sum(decoder.restarts for decoder in self._decoders)

    def answer(
        self, snapshot: Snapshot, query: str, content: bytes, top: int, is_verified: bool
    ) -> QueryAnswer:
        """The neighbours of an image.

        Raises:
            ImageInputError: the content is no image that can or may be decoded.
            Overloaded: no worker became free in time.
        """
        with self._worker() as (decoder, verifier):
            image = _described(decoder, content)
            embeddings = embedded(image, self.embedders)
            return snapshot.answering.answer(
                query, image, embeddings, top, verifier if is_verified else None
            )

    def format_of(self, content: bytes) -> str:
        """The format of an image that can be decoded, as Pillow names it.

        Raises:
            ImageInputError, Overloaded: as `answer`.
        """
        with self._worker() as (decoder, _):
            return _described(decoder, content).record.format

    def close(self) -> None:
        """End the decoders."""
        self._stop.set()
        for decoder in self._decoders:
            decoder.close()

    @contextmanager
    def _worker(self) -> Iterator[tuple[Decoder, Verifier]]:
        try:
            worker = self._free.get(timeout=self._patience)
        except queue.Empty:
            raise Overloaded from None
        _one_core_each()
        try:
            yield worker
        finally:
            self._free.put(worker)


def _one_core_each() -> None:
    """Has FAISS use no other threads for what this thread asks.

    It searches a thousand descriptors for a pair and a few lists for a query: too little to share.
    Threads of several queries waited for each other, busily: verifying ten neighbours took 1.4 s of
    CPU time instead of 0.17 s.
    """
    faiss.omp_set_num_threads(1)


def _described(decoder: Decoder, content: bytes) -> ExtractedImage:
    answer = decoder.describe(content, hashlib.sha256(content).digest())
    if answer.image is None:
        raise ImageInputError(
            f"This cannot be used as an image: {answer.reason.rstrip('.')}.",
            "Send an image that is whole, in one of the usual formats.",
        )
    return answer.image
