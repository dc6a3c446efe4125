"""Processes that share a machine: each works on one core, and none reacts to Ctrl-C itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess

_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LOCK = threading.Lock()


def usable_cores() -> int:
    """Cores that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def worker_context(*preloaded: str) -> BaseContext:
    """Where worker processes come from: a fork server, with libraries on one thread each.

    Forking this process would hang after OpenMP has started in it (FAISS, torch). A pool of small
    matrix products on several threads each is many times slower than one thread a process.

    Args:
        preloaded: modules that the server imports once for all; only the first call's count.
    """
    context = multiprocessing.get_context("forkserver")
    with _LOCK:
        context.set_forkserver_preload(list(preloaded))
        before = {name: os.environ.get(name) for name in _THREAD_LIMITS}
        # Libraries read these once, in the fork server. This process's own keep their threads.
        os.environ.update(dict.fromkeys(_THREAD_LIMITS, "1"))
        # Ctrl-C is for this process, which ends the workers. The server and they inherit the
        # mask; the tracker comes first because its start takes SIGINT out of it.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
    return context


def schedule_as_batch() -> None:
    """Lets this thread, and all threads and processes it starts, be switched less often, where the
    system can and nobody has asked for another policy.

    Decoders and networks that keep all cores busy wake each other a dozen times an image, and
    each time the one that was at work finds its caches used by another: 3 % of the CPU time of a
    pass. Nothing here waits for a user; what does is served first.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            if os.sched_getscheduler(0) == os.SCHED_OTHER:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def end_with_parent() -> None:
    """In a worker: end as soon as the process that has started it is gone.

    A killed process cannot close its pool, and its workers would wait for work for ever, with all
    that they hold in memory: they have both ends of the pipe that it comes through.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True, name="parent").start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
