"""Verdicts computed on a Ray cluster.

The records and previews of a task's images travel with it, some 50 kB each, so that no machine
needs to reach the index or the originals. A task whose machine is lost is done again by Ray.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2

from resolve.verdict_workers import Answer, Pair, Promise, WorkerLost
from resolve.verdicts import CachedVerdicts, PairVerifier
from storage.catalog_view import CatalogView
from storage.cluster import Cluster, WorkLost, package_version, require_same_version
from storage.records import ImageRecord

VerifierFactory = Callable[[], PairVerifier]

_TASKS_AHEAD_PER_CORE = 3
_RETRIES = 2


@dataclass(frozen=True, slots=True)
class _Verifying:
    """What a process of the cluster has to know.

    Attributes:
        run: no two are the same.
    """

    run: str
    version: str
    make_verifier: VerifierFactory


@dataclass(frozen=True, slots=True)
class _SentImages:
    """Stands for the catalog where there is none: the part of it that a task needs."""

    records: dict[int, ImageRecord]
    previews: dict[int, bytes]

    def record(self, image_id: int) -> ImageRecord:
        return self.records[image_id]

    def preview(self, image_id: int) -> bytes:
        return self.previews[image_id]


class VerdictCluster:
    """A `VerdictPool` of Ray tasks.

    Args:
        catalog: of the pairs.
        make_verifier: makes the verifier of a process there; it must be picklable.
        gpu_share: of a GPU, for each task.
    """

    def __init__(
        self,
        cluster: Cluster,
        catalog: CatalogView,
        make_verifier: VerifierFactory,
        gpu_share: float = 0.0,
    ) -> None:
        ray = cluster.ray
        self._cluster = cluster
        self._catalog = catalog
        how = _Verifying(uuid.uuid4().hex, package_version(), make_verifier)
        self._how = ray.put(how)
        self._verify = ray.remote(_verify).options(
            num_cpus=1, num_gpus=gpu_share, max_retries=_RETRIES
        )

    @property
    def tasks_ahead(self) -> int:
        return _TASKS_AHEAD_PER_CORE * self._cluster.cores

    def submit(self, pairs: Sequence[Pair]) -> Promise:
        ids = sorted({image_id for pair in pairs for image_id in pair})
        images = _SentImages(
            {image_id: self._catalog.record(image_id) for image_id in ids},
            {image_id: self._catalog.preview(image_id) for image_id in ids},
        )
        reference = self._verify.remote(self._how, images, list(pairs))
        return lambda: self._taken(reference)

    def close(self) -> None:
        """The cluster is left by whoever has joined it."""

    def _taken(self, reference: Any) -> Answer:
        try:
            answer: Answer = self._cluster.answer(reference)
        except WorkLost as error:
            raise WorkerLost from error
        return answer


_verifiers: dict[str, PairVerifier] = {}


def _verify(how: _Verifying, images: Any, pairs: Sequence[Pair]) -> Answer:
    if how.run not in _verifiers:
        require_same_version(how.version)
        cv2.setNumThreads(1)
        # Of an earlier run.
        _verifiers.clear()
        _verifiers[how.run] = how.make_verifier()
    verdicts = CachedVerdicts(
        images, _verifiers[how.run], is_writable=False, previews_in_memory=2 * len(pairs)
    )
    values = [verdicts.compute(*pair) for pair in pairs]
    return values, verdicts.costs.take().as_dict()
