"""What a process of the cluster does for a pass: read a batch of blobs, describe and embed it.

Nothing here knows the catalog: who waits for which content, and what is committed, is decided by
the process that makes the pass (`indexer.cluster_engine`). Work that is done twice because a
machine was lost gives the same answer twice, of which one is used.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from indexer.embedders.base import Embedder, ModelSpec
from indexer.embedders.registry import load_embedder
from indexer.engine import Describing
from indexer.extract import ExtractedImage
from indexer.outcomes import NotRead, Vanished
from indexer.pipes import Stop
from indexer.reading import read_blob
from indexer.worker_pool import Decoder, memory_share
from storage.blob import Blob
from storage.cluster import require_same_version
from storage.errors import ModelError
from storage.open_source import SourceOptions, open_source
from storage.records import F16, U8, Limit
from storage.source import Source, SourceTraffic

_READS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model as `load_embedder` takes it."""

    name: str
    weights: Path | None
    runtime: str
    device: str


@dataclass(frozen=True, slots=True)
class Work:
    """All that a process has to know of a pass. It can be pickled.

    Attributes:
        run: another for all that may differ, so that a process keeps what it has opened.
        version: of dedup, where the pass is made.
        sources: what to open, and how; a blob is read from the one with its number.
        specs: what the models must turn out to be; empty while nobody has looked.
    """

    run: str
    version: str
    sources: tuple[tuple[str, SourceOptions], ...]
    describing: Describing
    models: tuple[ModelChoice, ...]
    specs: tuple[ModelSpec, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """A content that was read, its bytes elsewhere.

    Attributes:
        blob: as it was when it was read.
    """

    blob: Blob
    digest: bytes


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """Of a batch, in its order.

    Attributes:
        traffic: requests and bytes by number of the source.
        seconds: spent reading, over all threads, and digesting.
    """

    outcomes: list[Content | NotRead | Vanished]
    traffic: dict[int, SourceTraffic]
    seconds: tuple[float, float]


# Digest and content of each blob of a batch that gave one, by place in the batch.
Contents = dict[int, tuple[bytes, U8]]


@dataclass(frozen=True, slots=True)
class DescribedContent:
    """What became of a content.

    Attributes:
        is_other: the content was read again after a machine was lost, and has changed since; the
            rest says nothing then.
        image: the description without network inputs; None with a `reason`.
        embeddings: model to float16 (dimension,); empty where models have processes of their own.
    """

    is_other: bool = False
    image: ExtractedImage | None = None
    reason: str = ""
    limit: Limit | None = None
    embeddings: dict[str, F16] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DescribeAnswer:
    """Of a batch, in the order asked for.

    Attributes:
        process: which one answered: name of the machine and number.
        restarts: decoders that this process has replaced so far.
        peak_memory: largest resident set of its decoder so far, bytes.
        seconds: in the decoder for each content, and embedding in all.
    """

    contents: list[DescribedContent]
    process: tuple[str, int]
    restarts: int
    peak_memory: int
    seconds: tuple[list[float], float]


# Side of the square to uint8 (n, side, side, 3), of those contents of a batch that gave an image.
Inputs = dict[int, U8]


def read(work: Work, blobs: Sequence[tuple[int, Blob]]) -> tuple[ReadAnswer, Contents]:
    """Read a batch.

    Args:
        blobs: each with the number of its source.

    Raises:
        SourceNotFound, CredentialsError: this machine does not get to a source.
        UsageError: another version of dedup is installed here.
    """
    station = _station(work)
    before = {number: replace(station.source(number).traffic) for number, _ in blobs}
    with ThreadPoolExecutor(_READS_AT_ONCE) as threads:
        parts = list(threads.map(lambda one: _read_one(station, *one), blobs))
    contents = {
        place: (outcome.digest, content)
        for place, (outcome, content, _) in enumerate(parts)
        if isinstance(outcome, Content) and content is not None
    }
    reading, digesting = zip(*(spent for _, _, spent in parts), strict=True)
    answer = ReadAnswer(
        [outcome for outcome, _, _ in parts],
        {number: _since(station.source(number).traffic, then) for number, then in before.items()},
        (sum(reading), sum(digesting)),
    )
    return answer, contents


def describe(
    work: Work, contents: Contents, wanted: Sequence[tuple[int, bytes]], *, embeds: bool
) -> tuple[DescribeAnswer, Inputs]:
    """Describe contents of a batch that was read.

    Args:
        wanted: places in the batch, and the digests that are expected there.
        embeds: whether to embed them too; else what the networks take is the second answer.

    Raises:
        ModelError: the models are others here than where the pass is made.
    """
    station = _station(work)
    described: list[DescribedContent] = []
    seconds: list[float] = []
    peak = 0
    for place, expected in wanted:
        digest, content = contents.get(place, (b"", np.empty(0, np.uint8)))
        if digest != expected:
            described.append(DescribedContent(is_other=True))
            continue
        one = station.decoder.describe(content.tobytes(), digest)
        seconds.append(one.seconds)
        peak = max(peak, one.peak_memory)
        described.append(DescribedContent(image=one.image, reason=one.reason, limit=one.limit))
    images = [one.image for one in described if one.image is not None]
    inputs = {
        side: np.stack([image.network_inputs[side] for image in images])
        for side in work.describing.options.network_inputs
        if images
    }
    started = time.perf_counter()
    rows = iter(embedded(work, inputs, len(images)) if embeds else [{}] * len(images))
    spent = time.perf_counter() - started
    # The squares are not sent back.
    described = [
        done
        if done.image is None
        else replace(done, image=replace(done.image, network_inputs={}), embeddings=next(rows))
        for done in described
    ]
    answer = DescribeAnswer(
        described,
        (os.uname().nodename, os.getpid()),
        station.decoder.restarts,
        peak,
        (seconds, spent),
    )
    return answer, {} if embeds else inputs


def embedded(work: Work, inputs: Inputs, images: int) -> list[dict[str, F16]]:
    """The embeddings of so many images, by model.

    Raises:
        ModelError: as above.
    """
    rows: list[dict[str, F16]] = [{} for _ in range(images)]
    if images:
        for embedder in _station(work).embedders:
            spec = embedder.spec
            vectors = embedder.embed(inputs[spec.input_size]).astype(np.float16)
            for row, vector in zip(rows, vectors, strict=True):
                row[spec.name] = vector
    return rows


def specs(work: Work) -> tuple[ModelSpec, ...]:
    """What the models are on a machine of the cluster.

    Raises:
        ModelError: one cannot be loaded there.
        UsageError: another version of dedup is installed there.
    """
    return tuple(embedder.spec for embedder in _station(work).embedders)


class _Station:
    """What a process keeps open from one batch to the next."""

    def __init__(self, work: Work) -> None:
        require_same_version(work.version)
        self._work = work
        self._sources: dict[int, Source] = {}

    @property
    def max_bytes(self) -> int:
        return self._work.describing.options.limits.max_bytes

    def source(self, number: int) -> Source:
        if number not in self._sources:
            self._sources[number] = open_source(*self._work.sources[number])
        return self._sources[number]

    @cached_property
    def decoder(self) -> Decoder:
        how = self._work.describing
        # Ray runs as many of these at once as the machine has cores.
        share = memory_share(how.options.limits.max_memory, os.cpu_count() or 1)
        return Decoder(how.options, how.timeout, how.extract, Stop(), share=share)

    @cached_property
    def embedders(self) -> list[Embedder]:
        loaded = [
            load_embedder(
                model.name,
                weights=model.weights,
                runtime=model.runtime,
                device=model.device,
                # A task has one core.
                threads=1,
            )
            for model in self._work.models
        ]
        for embedder, wanted in zip(loaded, self._work.specs, strict=False):
            if embedder.spec != wanted:
                raise ModelError(
                    f"The machine {os.uname().nodename} of the cluster computes {wanted.name} by "
                    f"{embedder.spec.runtime} from weights {embedder.spec.fingerprint[:12]}, "
                    f"another by {wanted.runtime} from {wanted.fingerprint[:12]}.",
                    "Give every machine the same weights, and name a --runtime that all have.",
                )
        return loaded

    def close(self) -> None:
        """Ends what was started, as far as it was."""
        for source in self._sources.values():
            source.close()
        if "decoder" in self.__dict__:
            self.decoder.close()


_open: dict[str, _Station] = {}


def _station(work: Work) -> _Station:
    """Of this work; that of an earlier run is closed."""
    if work.run not in _open:
        while _open:
            _open.popitem()[1].close()
        _open[work.run] = _Station(work)
    return _open[work.run]


def _read_one(
    station: _Station, number: int, blob: Blob
) -> tuple[Content | NotRead | Vanished, U8 | None, tuple[float, float]]:
    started = time.perf_counter()
    source = station.source(number)

    def read_now(now: Blob) -> tuple[Blob, bytes]:
        return now, source.read(now)

    outcome = read_blob(source, blob, station.max_bytes, read_now)
    read_at = time.perf_counter()
    if not isinstance(outcome, tuple):
        return outcome, None, (read_at - started, 0.0)
    current, content = outcome
    digest = hashlib.sha256(content).digest()
    seconds = read_at - started, time.perf_counter() - read_at
    return Content(current, digest), np.frombuffer(content, np.uint8), seconds


def _since(now: SourceTraffic, then: SourceTraffic) -> SourceTraffic:
    return SourceTraffic(
        read_requests=now.read_requests - then.read_requests,
        bytes_read=now.bytes_read - then.bytes_read,
        retries=now.retries - then.retries,
    )
