"""What Prometheus is told."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cli.service.describing import QueryWorkers
from cli.service.snapshots import Snapshots

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters of this service alone: several in one process do not mix.

    Attributes:
        requests: by method, route (the pattern, never what a client wrote) and status.
        seconds: by route.
        refused: by why: key, scope, rate, size, busy.
        added: images that came into the index through the service.
    """

    def __init__(self, snapshots: Snapshots, workers: QueryWorkers) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "dedup_requests", "Requests answered", ["method", "route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "dedup_request_seconds", "Time to answer, the body of the request included", ["route"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self.refused = Counter(
            "dedup_refused", "Requests not looked into", ["why"], registry=self._registry
        )
        self.added = Counter(
            "dedup_images_added", "Images added through the service", registry=self._registry
        )
        restarts = Gauge(
            "dedup_decoder_restarts", "Decoders that crashed, hung or ran out of memory",
            registry=self._registry,
        )  # fmt: skip
        restarts.set_function(lambda: workers.restarts)
        images = Gauge("dedup_images", "Images in the snapshot", registry=self._registry)
        number = Gauge("dedup_snapshot_number", "Snapshots taken", registry=self._registry)
        age = Gauge(
            "dedup_snapshot_age_seconds", "Since the snapshot was taken", registry=self._registry
        )
        failing = Gauge(
            "dedup_snapshot_failing", "1 while the index cannot be read anew",
            registry=self._registry,
        )  # fmt: skip

        def of_snapshot(name: str) -> float:
            with snapshots.current() as snapshot:
                return float(getattr(snapshot, name))

        images.set_function(lambda: of_snapshot("images"))
        number.set_function(lambda: of_snapshot("number"))
        age.set_function(lambda: time.monotonic() - of_snapshot("taken"))
        failing.set_function(lambda: float(bool(snapshots.last_failure)))

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)
