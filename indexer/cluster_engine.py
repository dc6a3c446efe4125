"""The engine of a pass on a Ray cluster: batches of blobs are read, described and embedded there.

    jobs ─► read (any machine) ─► who waits for what (here) ─► describe and embed ─► results
                   └─ contents stay in the cluster's memory ──────┘

What is decided stays in this process: which content is described once for several names, and what
is committed when. A machine that is lost takes no decision with it: Ray does its tasks again, and
reads contents again that it held; each answer is taken once. So the catalog is the one that
`indexer.local_engine` would have made.

Back-pressure: only so many batches are on their way at once, and an answer that cannot be committed
yet holds up the next.
"""

from __future__ import annotations

import math
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer import cluster_tasks
from indexer.cluster_tasks import (
    Content,
    DescribeAnswer,
    DescribedContent,
    ModelChoice,
    ReadAnswer,
    Work,
)
from indexer.committing import DescribedBlob
from indexer.embedders.base import ModelSpec
from indexer.engine import Describing, Flow
from indexer.extract import ExtractOptions, extract
from indexer.outcomes import Alias, NotRead, ReadJob, Vanished
from indexer.pipes import stage_thread
from indexer.reading import UNAVAILABLE
from storage.azure_address import is_azure
from storage.cluster import Cluster, WorkLost, package_version
from storage.errors import SourceUnavailable
from storage.open_source import SourceOptions
from storage.records import F16
from storage.source import Source

# A batch: so many blobs, or so many bytes, whichever is fewer.
_BATCH, _BATCH_BYTES = 32, 64 * 2**20
# Batches on their way for each core: one in work, one that waits for it.
_AHEAD = 2
# Requests per second that a reading task of a cloud source has at the least.
_LEAST_RATE = 8.0
_POLL_SECONDS = 0.2
# Ray's own attempts, and then attempts with one blob alone.
_RETRIES = 3
_TIMES_ALONE = 2
_MODELS_PER_GPU = 2


class ClusterRemote:
    """An `indexer.engine.Remote` on a Ray cluster, for one pass or many.

    Where machines have GPUs and `device` does not say otherwise, models are actors with a share of
    one each; else each process embeds what it has described.

    Args:
        sources: those of the pass, each with what it was opened from. Every machine opens them
            itself: a folder must be there at the same path, and credentials must hold there.
        models: in the order of the index.

    Raises:
        ModelError: a model cannot be loaded on the cluster.
        UsageError: another version of dedup is installed there.
        ClusterError: the cluster does not answer.
    """

    def __init__(
        self,
        cluster: Cluster,
        sources: Sequence[tuple[Source, str, SourceOptions]],
        models: Sequence[ModelChoice],
    ) -> None:
        self.cluster = cluster
        self.numbers = {source.uri: number for number, (source, _, _) in enumerate(sources)}
        self.readers = _readers_at_once(cluster, sources)
        shared = tuple(
            (location, _share(options, self.readers)) for _, location, options in sources
        )
        nothing_yet = Describing(extract, ExtractOptions(), 0.0)
        work = Work(_new_run(), package_version(), shared, nothing_yet, tuple(models), ())
        self._specs: tuple[ModelSpec, ...] = ()
        self._actors: list[Any] = []
        uses_gpus = cluster.gpus and not all(model.device == "cpu" for model in models)
        if models and uses_gpus:
            self._actors = self._started(work, cluster.gpus * _MODELS_PER_GPU)
            self._specs = cluster.answer(self._actors[0].specs.remote())
        elif models:
            self._specs = cluster.answer(cluster.ray.remote(cluster_tasks.specs).remote(work))
        self._work = replace(work, specs=self._specs)
        self._describing = nothing_yet

    @property
    def specs(self) -> Sequence[ModelSpec]:
        return self._specs

    @property
    def actors(self) -> list[Any]:
        """The models, where they have processes of their own."""
        return self._actors

    def engine(self, describing: Describing, flow: Flow) -> ClusterEngine:
        if describing != self._describing:
            self._describing = describing
            self._work = replace(self._work, run=_new_run(), describing=describing)
        return ClusterEngine(self, self._work, flow)

    def _started(self, work: Work, count: int) -> list[Any]:
        actor = self.cluster.ray.remote(_ModelActor).options(
            num_gpus=1 / _MODELS_PER_GPU, num_cpus=0, max_restarts=-1, max_task_retries=_RETRIES
        )
        return [actor.remote(work) for _ in range(count)]


class _ModelActor:
    """The models of a pass in a process with a share of a GPU."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def specs(self) -> tuple[ModelSpec, ...]:
        return cluster_tasks.specs(self._work)

    def embed(self, work: Work, inputs: cluster_tasks.Inputs, images: int) -> list[dict[str, F16]]:
        return cluster_tasks.embedded(work, inputs, images)


@dataclass(eq=False)
class _Batch:
    """Blobs on their way through the cluster.

    Attributes:
        jobs: to be read; later, of those only the ones to be described.
        digests: of these.
        is_alone: it has a single blob, because it was lost with others.
    """

    jobs: list[ReadJob]
    digests: list[bytes]
    is_alone: bool
    described: list[DescribedContent]
    actor: int = -1


Next = Callable[[Any], None]


class ClusterEngine:
    """An `indexer.engine.Engine`; made by `ClusterRemote.engine`."""

    def __init__(self, remote: ClusterRemote, work: Work, flow: Flow) -> None:
        self._remote = remote
        self._cluster = remote.cluster
        self._flow = flow
        ray = self._cluster.ray
        self._work = ray.put(work)
        self._read = ray.remote(cluster_tasks.read).options(
            # It waits for the network, and so beside whatever else a machine does.
            num_cpus=0,
            num_returns=2,
            max_retries=_RETRIES,
            scheduling_strategy="SPREAD",
        )
        self._describe = ray.remote(cluster_tasks.describe).options(
            num_cpus=1, num_returns=2, max_retries=_RETRIES
        )
        self._waiting: deque[ReadJob] = deque()
        self._alone: deque[ReadJob] = deque()
        # By what is waited for: the batch, and what to do with the answer.
        self._pending: dict[Any, tuple[_Batch, Next]] = {}
        self._reading = 0
        self._times_lost: Counter[str] = Counter()
        self._busy = [0] * len(remote.actors)
        self._restarts: dict[tuple[str, int], int] = {}
        self._memory: dict[tuple[str, int], int] = {}
        self._thread = stage_thread("cluster", self._run, flow.stop)
        flow.results.expect(1)

    @property
    def restarts(self) -> int:
        return sum(self._restarts.values())

    @property
    def peak_memory(self) -> int:
        return sum(self._memory.values())

    def start(self) -> None:
        self._thread.start()

    def leave(self, leave_at: float) -> None:
        # After a stop it waits for nothing but an answer that is being fetched.
        self._thread.join()
        for reference in self._pending:
            self._cluster.ray.cancel(reference)
        self._pending.clear()

    def _run(self) -> None:
        while True:
            self._take_jobs()
            self._send()
            if self._pending:
                self._take_answers()
            elif self._flow.jobs.is_finished and not self._waiting and not self._alone:
                break
        self._flow.results.finish()

    def _take_jobs(self) -> None:
        # With nothing under way there is nothing else to wait for.
        patience = 0.0 if self._pending or self._waiting or self._alone else _POLL_SECONDS
        while len(self._waiting) < 2 * _BATCH and not self._flow.jobs.is_finished:
            job = self._flow.jobs.poll(patience)
            if job is None:
                return
            self._admit(job)
            patience = 0.0

    def _admit(self, job: ReadJob) -> None:
        """To be read, unless its content is known or being found out by another name's."""
        claim = self._flow.in_flight.claim_unread(job) if job.may_be_known_by_md5 else True
        if isinstance(claim, Alias):
            self._flow.results.put(claim)
        elif claim:
            self._waiting.append(job)

    def _send(self) -> None:
        while self._reading < self._remote.readers and len(self._pending) < self._room():
            batch = self._next_batch()
            if batch is None:
                return
            blobs = [(self._remote.numbers[job.source.uri], job.blob) for job in batch.jobs]
            answer, contents = self._read.remote(self._work, blobs)
            self._reading += 1
            self._pending[answer] = batch, lambda got, b=batch, c=contents: self._claim(b, got, c)  # type: ignore[misc]

    def _room(self) -> int:
        return _AHEAD * self._cluster.cores + 2

    def _next_batch(self) -> _Batch | None:
        if self._alone:
            return _Batch([self._alone.popleft()], [], True, [])
        is_last = self._flow.jobs.is_finished
        if len(self._waiting) < _BATCH and self._pending and not is_last:
            # More may come before what is under way is done.
            return None
        jobs: list[ReadJob] = []
        size = 0
        while self._waiting and len(jobs) < _BATCH and size < _BATCH_BYTES:
            job = self._waiting.popleft()
            size += job.blob.size
            jobs.append(job)
        return _Batch(jobs, [], False, []) if jobs else None

    def _take_answers(self) -> None:
        ray = self._cluster.ray
        ready, _ = ray.wait(list(self._pending), num_returns=1, timeout=_POLL_SECONDS)
        for reference in ready:
            batch, go_on = self._pending.pop(reference)
            try:
                answer = self._cluster.answer(reference)
            except WorkLost as error:
                self._redo(batch, error)
                continue
            go_on(answer)

    def _claim(self, batch: _Batch, answer: ReadAnswer, contents: Any) -> None:
        """Of a batch that was read: what is to be described."""
        flow = self._flow
        self._reading -= 1
        self._count(batch, answer)
        wanted: list[tuple[int, bytes]] = []
        jobs: list[ReadJob] = []
        for place, (job, outcome) in enumerate(zip(batch.jobs, answer.outcomes, strict=True)):
            match outcome:
                case Content():
                    claim = flow.in_flight.claim(job.source, outcome.blob, outcome.digest)
                    if claim is True:
                        wanted.append((place, outcome.digest))
                        jobs.append(replace(job, blob=outcome.blob))
                    elif claim:
                        flow.results.put(claim)
                case NotRead():
                    flow.results.put(outcome.of(job.source))
                case Vanished():
                    self._require_gone(job)
                    flow.results.put(outcome)
            if job.may_be_known_by_md5:
                for other in flow.in_flight.release(job.blob):
                    self._admit(other)
        if wanted:
            batch.jobs, batch.digests = jobs, [digest for _, digest in wanted]
            embeds = not self._remote.actors
            described, inputs = self._describe.remote(self._work, contents, wanted, embeds=embeds)
            self._pending[described] = batch, lambda got: self._embed(batch, got, inputs)

    def _embed(self, batch: _Batch, answer: DescribeAnswer, inputs: Any) -> None:
        """Of a batch that was described: embed it, where that was not done yet."""
        for seconds in answer.seconds[0]:
            self._flow.clock.add("describe", seconds)
        self._flow.clock.add("embed", answer.seconds[1])
        process = answer.process
        self._restarts[process] = answer.restarts
        self._memory[process] = max(self._memory.get(process, 0), answer.peak_memory)
        batch.described = answer.contents
        images = sum(one.image is not None for one in answer.contents)
        if not images or not self._busy:
            self._finish(batch, [one.embeddings for one in answer.contents if one.image])
            return
        batch.actor = self._busy.index(min(self._busy))
        self._busy[batch.actor] += 1
        rows = self._remote.actors[batch.actor].embed.remote(self._work, inputs, images)
        self._pending[rows] = batch, lambda got: self._finish(batch, got)

    def _finish(self, batch: _Batch, rows: list[dict[str, F16]]) -> None:
        if batch.actor >= 0:
            self._busy[batch.actor] -= 1
        of_images = iter(rows)
        for job, digest, one in zip(batch.jobs, batch.digests, batch.described, strict=True):
            if one.is_other:
                self._read_again(job, digest)
                continue
            embeddings = next(of_images) if one.image is not None else {}
            self._flow.results.put(
                DescribedBlob(
                    job.source, job.blob, digest, one.image, one.reason, one.limit, embeddings
                )
            )

    def _redo(self, batch: _Batch, error: WorkLost) -> None:
        """Its process or machine was lost, more often than Ray tries by itself."""
        if not batch.digests:
            self._reading -= 1
        elif batch.actor >= 0:
            self._busy[batch.actor] -= 1
        for place, job in enumerate(batch.jobs):
            self._times_lost[job.blob.uri] += batch.is_alone
            if batch.digests:
                self._abandon(batch.digests[place])
            if self._times_lost[job.blob.uri] < _TIMES_ALONE:
                self._alone.append(job)
                continue
            reason = f"{UNAVAILABLE}the cluster lost each process that had it ({error})"
            self._flow.results.put(NotRead.this_time(job.blob, reason).of(job.source))
            for other in self._flow.in_flight.release(job.blob):
                self._admit(other)

    def _read_again(self, job: ReadJob, digest: bytes) -> None:
        self._abandon(digest)
        self._admit(ReadJob(job.source, job.blob))

    def _abandon(self, digest: bytes) -> None:
        for other in self._flow.in_flight.abandon(digest):
            self._admit(ReadJob(other.source, other.blob))

    def _require_gone(self, job: ReadJob) -> None:
        """A machine without the share that the others have mounted must not empty the catalog.

        Raises:
            SourceUnavailable: the blob is there.
        """
        if job.source.stat(job.blob.uri) is not None:
            raise SourceUnavailable(
                f"A machine of the cluster does not see {job.blob.uri}, which is there.",
                "Mount the folder at the same path on every machine of the cluster.",
            )

    def _count(self, batch: _Batch, answer: ReadAnswer) -> None:
        sources = {self._remote.numbers[job.source.uri]: job.source for job in batch.jobs}
        for number, traffic in answer.traffic.items():
            total = sources[number].traffic
            total.read_requests += traffic.read_requests
            total.bytes_read += traffic.bytes_read
            total.retries += traffic.retries
        contents = sum(isinstance(outcome, Content) for outcome in answer.outcomes)
        for stage, seconds in zip(("read", "digest"), answer.seconds, strict=True):
            for _ in range(contents):
                self._flow.clock.add(stage, seconds / contents)


def _new_run() -> str:
    return uuid.uuid4().hex


def _readers_at_once(cluster: Cluster, sources: Sequence[tuple[Source, str, SourceOptions]]) -> int:
    """Reading tasks under way at once: of a cloud source as many as its rate is enough for."""
    rates = [options.max_requests_per_second for _, at, options in sources if is_azure(at)]
    most = _AHEAD * cluster.cores
    return max(1, min([most, *(math.floor(rate / _LEAST_RATE) for rate in rates)]))


def _share(options: SourceOptions, readers: int) -> SourceOptions:
    """Of the rate, for one reading task."""
    return replace(options, max_requests_per_second=options.max_requests_per_second / readers)
