"""Decoders in processes of their own, so that a hostile file costs one image and not the run.

Each process serves one thread of the main process over a pipe. A decoder that crashes, does not
answer in time or runs out of memory is replaced; the image gets a second chance in a fresh process
while no other decodes, then it is unreadable.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from indexer.errors import UndecodableImage
from indexer.extract import ExtractedImage, ExtractOptions
from indexer.pipes import Stop, Stopped
from indexer.turns import Turns
from storage.records import Limit, LimitKind
from storage.worker_processes import worker_context

Extract = Callable[[bytes, bytes, ExtractOptions], ExtractedImage]

# Without which no decoder can do anything; what `memory_share` gives at the least.
_LEAST_MEMORY = 2**30
_START_SECONDS = 60.0
# How soon a decoder that is at work notices that the run ends.
_POLL_SECONDS = 0.2
# How much longer than its time limit a decoder lives when its run has died.
_ALARM_SECONDS = 2.0
# How long a process whose pipe has closed may take to be gone.
_END_SECONDS = 5.0
_MEMORY_BYTES = 8
# From glibc's <malloc.h>. What is larger than the first is mapped, and given back when freed; the
# largest value that it takes. Of the rest so much stays with the process.
_M_MMAP_THRESHOLD, _MAPPED_FROM = -3, 32 * 2**20
_M_TRIM_THRESHOLD, _KEPT_FREE = -1, 48 * 2**20
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Described:
    """A decoder's answer.

    Attributes:
        image: the description, or None.
        reason: why there is none; "" when there is one.
        limit: the limit that the image is over, when that is why.
        seconds: time in the decoder.
        peak_memory: largest resident set of the decoder so far, bytes.
    """

    image: ExtractedImage | None
    reason: str
    seconds: float
    peak_memory: int
    limit: Limit | None = None


class DecoderFailed(Exception):
    """The decoder crashed, did not answer in time, or ran out of memory."""

    def __init__(self, reason: str, limit: Limit | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.limit = limit


def memory_share(most: int, workers: int) -> int:
    """Bytes that one image may take while as many others are decoded as there are workers.

    Half the memory of the machine is for all of them. An image that needs more is decoded alone,
    with `most`.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(most, max(_LEAST_MEMORY, machine // 2 // workers))


class Decoder:
    """One decoding process. Belongs to one thread.

    Args:
        options: what to extract.
        timeout: seconds an image may take.
        extract: the function to run there; it must be importable by name.
        stop: ends every wait.
        turns: of all decoders of the run; None when this is the only one.
        share: bytes of memory beside others; None for what `options` allows.
    """

    def __init__(
        self,
        options: ExtractOptions,
        timeout: float,
        extract: Extract,
        stop: Stop,
        turns: Turns | None = None,
        share: int | None = None,
    ) -> None:
        self._options = options
        self._timeout = timeout
        self._extract = extract
        self._stop = stop
        self._turns = turns or Turns(stop)
        self._share = options.limits.max_memory if share is None else share
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self.restarts = 0

    def describe(self, content: bytes, digest: bytes) -> Described:
        """Describes one image; once more alone and in a new process if the first fails on it.

        Raises Stopped when the run ends meanwhile; the decoder is then only to be closed.
        """
        try:
            with self._turns.together():
                return self._ask(content, digest, self._share)
        except DecoderFailed:
            self._replace()
        try:
            with self._turns.alone():
                return self._ask(content, digest, self._options.limits.max_memory)
        except DecoderFailed as error:
            self._replace()
            return Described(None, error.reason, 0.0, 0, error.limit)

    def close(self) -> None:
        """Ends the process."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            # It ends by itself when the pipe closes, unless it hangs in a decoder.
            self._process.join(timeout=0.5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process = None

    def _ask(self, content: bytes, digest: bytes, memory: int) -> Described:
        pipe = self._running()
        try:
            pipe.send_bytes(memory.to_bytes(_MEMORY_BYTES, "big") + digest + content)
            if not self._answers(pipe, self._timeout):
                raise self._too_slow()
            answer = _receive(pipe)
        except (EOFError, OSError) as error:
            raise self._died() from error
        if answer.limit is not None and answer.limit.kind is LimitKind.MEMORY:
            raise DecoderFailed(answer.reason, answer.limit)
        return answer

    def _too_slow(self) -> DecoderFailed:
        limit = Limit(LimitKind.SECONDS, self._timeout)
        return DecoderFailed(f"decoding took longer than {self._timeout:g} s", limit)

    def _died(self) -> DecoderFailed:
        assert self._process is not None
        self._process.join(timeout=_END_SECONDS)
        code = self._process.exitcode or 0
        if code == -signal.SIGALRM:
            return self._too_slow()
        if code == -signal.SIGKILL:
            # Nobody here sends it: the system does, when memory is used up.
            return DecoderFailed("the decoder was killed on it, as for want of memory")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return DecoderFailed(f"the decoder crashed on it ({how})")

    def _running(self) -> Connection:
        if self._pipe is not None:
            return self._pipe
        context = worker_context("indexer.extract")
        ours, theirs = context.Pipe()
        self._process = context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, self._extract, self._options, self._timeout), daemon=True
        )
        self._process.start()
        theirs.close()
        self._pipe = ours
        try:
            is_ready = self._answers(ours, _START_SECONDS) and ours.recv() == "ready"
        except (EOFError, OSError):
            is_ready = False
        if not is_ready:
            raise RuntimeError("a decoding process did not start")
        return ours

    def _answers(self, pipe: Connection, seconds: float) -> bool:
        """Whether there is an answer, or the end of the decoder, in that time."""
        deadline = time.monotonic() + seconds
        # `pipe.poll` makes a selector each time.
        waiting = select.poll()
        waiting.register(pipe.fileno(), select.POLLIN)
        while not waiting.poll(1000 * max(0.0, min(_POLL_SECONDS, deadline - time.monotonic()))):
            if self._stop.is_set:
                raise Stopped
            if time.monotonic() >= deadline:
                return False
        return True

    def _replace(self) -> None:
        self.restarts += 1
        if self._process is not None:
            self._process.kill()
        self.close()


def _serve(pipe: Connection, extract: Extract, options: ExtractOptions, timeout: float) -> None:
    """The decoding process: one image after the other until the pipe closes."""
    # The alarm ends the process even inside a C library, and when nobody is left to kill it.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _silence()
    _keep_freed_memory()
    import cv2

    cv2.setNumThreads(1)
    # What is there by now stays: it need not be looked through for garbage.
    gc.freeze()
    mapped = _mapped_bytes()
    try:
        pipe.send("ready")
    except OSError:
        # The run has ended while this process was starting.
        return
    while True:
        try:
            message = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        memory = int.from_bytes(message[:_MEMORY_BYTES], "big")
        digest = message[_MEMORY_BYTES : _MEMORY_BYTES + _DIGEST_BYTES]
        content = message[_MEMORY_BYTES + _DIGEST_BYTES :]
        del message
        _limit_memory(mapped + 2 * len(content) + memory)
        signal.setitimer(signal.ITIMER_REAL, timeout + _ALARM_SECONDS)
        answer = _describe(extract, content, digest, options)
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            _send(pipe, answer)
        except OSError:
            return


def _send(pipe: Connection, answer: Described) -> None:
    """The pixels as messages of their own: pickled with the rest they would be copied twice."""
    pixels: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(answer, protocol=5, buffer_callback=pixels.append)
    pipe.send_bytes(bytes([len(pixels)]) + rest)
    for buffer in pixels:
        pipe.send_bytes(buffer.raw())


def _receive(pipe: Connection) -> Described:
    """What `_send` has sent; its arrays are read-only."""
    message = memoryview(pipe.recv_bytes())
    pixels = [pipe.recv_bytes() for _ in range(message[0])]
    answer = pickle.loads(message[1:], buffers=pixels)
    assert isinstance(answer, Described)
    return answer


def _keep_freed_memory() -> None:
    """Pixels take a megabyte here and there, which glibc would give back to the system each time
    and ask for anew: a thousand page faults an image, an eighth of the time."""
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)


def _silence() -> None:
    """What decoders in C write of damaged files is said by the reason; here it would only tear the
    run's own display. A crash is told by the exit code."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


def _limit_memory(most: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _mapped_bytes() -> int:
    """The address space of this process: its libraries, before it has decoded anything."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _describe(
    extract: Extract, content: bytes, digest: bytes, options: ExtractOptions
) -> Described:
    started = time.perf_counter()
    image: ExtractedImage | None = None
    reason = ""
    limit: Limit | None = None
    try:
        image = extract(content, digest, options)
    except UndecodableImage as error:
        reason, limit = error.reason, error.limit
    except MemoryError:
        reason = "decoding it needs more memory than one image may have"
        limit = Limit(LimitKind.MEMORY, options.limits.max_memory)
    except Exception as error:  # noqa: BLE001 - whatever a file sets off here costs that file only
        reason = f"the decoder failed on it: {type(error).__name__}: {error}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Described(image, reason, time.perf_counter() - started, peak, limit)
