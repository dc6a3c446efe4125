"""The writing side of the pass: embed in full batches, commit in atomic ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from indexer.embedders.base import Embedder
from indexer.extract import ExtractedImage
from indexer.in_flight import InFlight, Waiting
from indexer.outcomes import Alias, Gone, Listed, Unreadable, Vanished
from indexer.run_report import RunCounts, StageClock
from storage.blob import Blob
from storage.catalog import Catalog
from storage.commit import CatalogBatch, IndexedBlob, UnreadableBlob
from storage.records import ImageFeatures, Limit
from storage.source import Source

F16 = NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class DescribedBlob:
    """A blob with its decoded content, or the reason why there is none.

    Attributes:
        embeddings: model to float16 (dimension,), where it was embedded elsewhere; None where it is
            to be embedded here.
    """

    source: Source
    blob: Blob
    digest: bytes
    image: ExtractedImage | None
    reason: str
    limit: Limit | None = None
    embeddings: dict[str, F16] | None = None


@dataclass(slots=True)
class Committer:
    """Collects outcomes, embeds images and commits both. Belongs to the thread that runs the pass.

    Attributes:
        batch_size: images embedded at once.
        commit_every: blobs per transaction.
        commit_seconds: neither a transaction nor an image that waits for others to fill its batch
            is put off for longer than this.
    """

    catalog: Catalog
    embedders: Sequence[Embedder]
    in_flight: InFlight
    counts: RunCounts
    clock: StageClock
    batch_size: int
    commit_every: int
    commit_seconds: float
    _to_embed: list[DescribedBlob] = field(default_factory=list)
    _embed_before: float = 0.0
    _batch: CatalogBatch = field(default_factory=CatalogBatch)
    _in_batch: list[bytes] = field(default_factory=list)
    _undecodable: list[tuple[bytes, str, Limit | None]] = field(default_factory=list)
    _last_commit: float = field(default_factory=time.monotonic)

    def take(self, outcome: object) -> None:
        """Adds one outcome; embeds and commits when there is enough."""
        match outcome:
            case DescribedBlob(image=None):
                self._add_unreadable(outcome.source, outcome.blob, outcome.reason, outcome.limit)
                self._undecodable.append((outcome.digest, outcome.reason, outcome.limit))
            case DescribedBlob(embeddings=dict() as embeddings):
                self._add_image(outcome, embeddings)
            case DescribedBlob():
                if not self._to_embed:
                    self._embed_before = time.monotonic() + self.commit_seconds
                self._to_embed.append(outcome)
                if len(self._to_embed) >= self.batch_size:
                    self.embed()
            case Alias(is_unchanged=True):
                self._batch.indexed.append(
                    IndexedBlob(outcome.blob, outcome.source.uri, outcome.digest, outcome.is_unread)
                )
            case Alias():
                # A commit may have been ahead of the queue.
                if self.in_flight.take_alias(outcome):
                    self._add_alias(outcome, outcome.digest)
            case Unreadable():
                self._add_unreadable(outcome.source, outcome.blob, outcome.reason, outcome.limit)
            case Vanished():
                self.counts.vanished += 1
                self._batch.removed.append(outcome.blob.uri)
            case Gone():
                self.remove(outcome.uri)
            case Listed():
                # At once: the lister waits for it before it asks for the next page.
                self._batch.pages.append(outcome.page)
                self.commit()
                outcome.is_kept.set()
            case _:
                raise TypeError(f"no outcome of the pass: {outcome!r}")
        self.commit_if_due()

    def commit_if_due(self) -> None:
        """Commits when the batch is full or old."""
        # Measured from the first image: where embedding is the slowest stage batches are full.
        if self._to_embed and time.monotonic() >= self._embed_before:
            self.embed()
        waiting = len(self._batch.indexed) + len(self._batch.unreadable)
        is_old = time.monotonic() - self._last_commit >= self.commit_seconds
        if waiting >= self.commit_every or (is_old and (waiting or self._batch.removed)):
            self.commit()

    def remove(self, uri: str) -> None:
        """Takes a blob that is gone out of the catalog, with the next commit."""
        self.counts.removed += 1
        self._batch.removed.append(uri)
        if len(self._batch.removed) >= self.commit_every:
            self.commit()

    def embed(self) -> None:
        """Embeds what has been collected, a full batch or not."""
        described, self._to_embed = self._to_embed, []
        if not described:
            return
        images = [item.image for item in described if item.image is not None]
        embeddings: list[dict[str, F16]] = [{} for _ in images]
        with self.clock.timed("embed"):
            for embedder in self.embedders:
                spec = embedder.spec
                pixels = np.stack([image.network_inputs[spec.input_size] for image in images])
                for row, vector in zip(embeddings, embedder.embed(pixels), strict=True):
                    row[spec.name] = vector.astype(np.float16)
        for item, row in zip(described, embeddings, strict=True):
            self._add_image(item, row)

    def commit(self) -> None:
        """Makes everything embedded so far visible, in one transaction."""
        with self.in_flight.held():
            for digest, reason, limit in self._undecodable:
                for waiting in self.in_flight.settle(digest):
                    # Of one that was not read, the next run finds out for itself.
                    blob = replace(waiting.blob, etag="") if waiting.is_unread else waiting.blob
                    self._add_unreadable(waiting.source, blob, reason, limit)
            for digest in self._in_batch:
                for waiting in self.in_flight.settle(digest):
                    self._add_alias(waiting, digest)
            for alias in self.in_flight.take_aliases():
                self._add_alias(alias, alias.digest)
            batch = self._batch
            if not batch.is_empty:
                with self.clock.timed("commit"):
                    self.catalog.commit(batch)
        # Not before: Ctrl-C may end the commit, and the last one then takes all of it again.
        self._batch = CatalogBatch()
        self._in_batch.clear()
        self._undecodable.clear()
        self._last_commit = time.monotonic()

    def finish(self) -> None:
        """Embeds and commits all that is left."""
        self.embed()
        self.commit()

    def _add_image(self, item: DescribedBlob, embeddings: dict[str, F16]) -> None:
        assert item.image is not None
        self._batch.images.append(ImageFeatures(item.image.record, item.image.preview, embeddings))
        self._batch.indexed.append(IndexedBlob(item.blob, item.source.uri, item.digest))
        self._in_batch.append(item.digest)
        self.counts.new_images += 1

    def _add_alias(self, alias: Alias | Waiting, digest: bytes) -> None:
        self._batch.indexed.append(
            IndexedBlob(alias.blob, alias.source.uri, digest, alias.is_unread)
        )
        self.counts.aliased += 1
        self.counts.unread += alias.is_unread

    def _add_unreadable(self, source: Source, blob: Blob, reason: str, limit: Limit | None) -> None:
        self._batch.unreadable.append(UnreadableBlob(blob, source.uri, reason, limit))
        self.counts.unreadable += 1
