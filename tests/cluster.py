"""A Ray cluster of several nodes on this machine, which a test may kill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.cluster_utils import Cluster


class Nodes:
    """Two nodes with a core each, and a head that only keeps the books.

    Attributes:
        address: of the head, HOST:PORT.
    """

    def __init__(self) -> None:
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self.address = str(self._cluster.address)
        self._nodes = [self.add(), self.add()]

    def add(self, **resources: int) -> Any:
        """One node more."""
        return self._cluster.add_node(**{"num_cpus": 1, **resources})

    def kill(self, node: Any) -> None:
        """End it with all its processes, without a word to the others."""
        self._cluster.remove_node(node, allow_graceful=False)

    def close(self) -> None:
        ray.shutdown()
        self._cluster.shutdown()


@contextmanager
def running() -> Iterator[Nodes]:
    nodes = Nodes()
    try:
        ray.init(nodes.address, log_to_driver=False, logging_level="ERROR")
        yield nodes
    finally:
        nodes.close()
