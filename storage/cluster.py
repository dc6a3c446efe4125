"""A Ray cluster: the one that runs at an address, or one on this machine for as long as needed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import time
from types import ModuleType, TracebackType
from typing import Any
from urllib.parse import urlsplit

from storage.errors import ClusterError, UsageError

# Machines come and go where a cluster scales itself.
_SIZE_IS_TRUE_SECONDS = 5.0
_ANSWER_SECONDS = 10.0


def ray_module() -> ModuleType:
    """Ray, which takes seconds to import.

    Raises:
        UsageError: it is not installed.
    """
    # Ray asks for this once a process, and says so on every start.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            f"The engine ray is not installed ({error}).", "pip install 'dedup[ray]'"
        ) from error
    return ray


def package_version() -> str:
    """Of dedup, as it is installed here."""
    try:
        return importlib.metadata.version("dedup")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


class WorkLost(Exception):
    """The processes or machines that did a task are gone, all of them."""


class Cluster:
    """A connection to Ray, ended with the context.

    Args:
        address: `auto`, `HOST:PORT` of a head node, or `ray://…`; "" starts Ray on this machine.
        cores: of this machine, where Ray is started on it; 0 for all.

    Raises:
        UsageError: Ray is not installed, or nothing answers at the address.
    """

    def __init__(self, address: str = "", cores: int = 0) -> None:
        self._ray: Any = ray_module()
        self._size = (0, 0)
        self._sized_at = float("-inf")
        self._is_own = not self._ray.is_initialized()
        if not self._is_own:
            return
        try:
            if address:
                _require_answer(address)
                self._ray.init(address, log_to_driver=False, logging_level="ERROR")
            else:
                self._ray.init(
                    "local",
                    num_cpus=cores or None,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
        except (OSError, RuntimeError, ValueError) as error:
            where = f"No Ray cluster answers at {address}" if address else "Ray does not start here"
            raise UsageError(
                f"{where}: {error}",
                "Start one with `ray start --head`, and give its HOST:PORT as --address.",
            ) from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_own:
            self._ray.shutdown()

    @property
    def ray(self) -> Any:
        """The module, connected."""
        return self._ray

    def answer(self, reference: Any) -> Any:
        """What a task gave.

        Raises:
            Exception: what the task raised.
            WorkLost: its process or machine is gone, and Ray has tried again in vain.
            ClusterError: the cluster is gone.
        """
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from error
        except (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.ObjectLostError,
            errors.OutOfMemoryError,
            errors.RayActorError,
        ) as error:
            raise WorkLost(type(error).__name__) from error
        except errors.RayError as error:
            raise ClusterError(
                f"The cluster failed: {error}",
                "Look at its dashboard or logs, and run the command again: it carries on.",
            ) from error

    @property
    def cores(self) -> int:
        """That tasks may use now, over all machines; 1 at the least."""
        return max(1, self._sized()[0])

    @property
    def gpus(self) -> int:
        """Over all machines."""
        return self._sized()[1]

    def _sized(self) -> tuple[int, int]:
        now = time.monotonic()
        if now - self._sized_at >= _SIZE_IS_TRUE_SECONDS:
            resources = self._ray.cluster_resources()
            self._size = int(resources.get("CPU", 1)), int(resources.get("GPU", 0))
            self._sized_at = now
        return self._size


def _require_answer(address: str) -> None:
    """Ray itself waits for minutes.

    Raises:
        OSError: nothing answers there.
        ValueError: no address.
    """
    if address == "auto":
        return
    parts = urlsplit(address if "://" in address else f"//{address}")
    if not parts.hostname or not parts.port:
        raise ValueError("it is not auto, HOST:PORT or ray://HOST:PORT")
    socket.create_connection((parts.hostname, parts.port), _ANSWER_SECONDS).close()


def require_same_version(version: str) -> None:
    """Called on a worker, with the version of the process that sent it work.

    Raises:
        UsageError: another is installed here, which could describe or judge images differently.
    """
    here = package_version()
    if here != version:
        raise UsageError(
            f"The machine {platform.node()} of the cluster has dedup {here}, not {version}.",
            "Install the same version on every machine of the cluster.",
        )
