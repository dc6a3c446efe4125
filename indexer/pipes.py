"""Bounded hand-over between the threads of the pass, and how they all stop when one does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")

_POLL_SECONDS = 0.2


class Stopped(Exception):
    """Another thread has ended the run."""


class Stop:
    """Tells all threads to end, and keeps the first reason."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self.error: BaseException | None = None

    def set(self, error: BaseException | None = None) -> None:
        """Ends the run; `error` is raised by the thread that runs the pass."""
        with self._lock:
            if self.error is None:
                self.error = error
        self._event.set()

    @property
    def is_set(self) -> bool:
        """True when the run is to end."""
        return self._event.is_set()


class Pipe(Generic[Item]):
    """A bounded queue with several producers and consumers that ends when its producers have.

    Args:
        size: items it holds.
        producers: how many `finish` calls end it.
        stop: ends every wait.
    """

    def __init__(self, size: int, producers: int, stop: Stop) -> None:
        self._queue: queue.Queue[Item] = queue.Queue(size)
        self._stop = stop
        self._producers = producers
        self._lock = threading.Lock()

    def put(self, item: Item) -> None:
        """Waits for room. Raises Stopped when the run ends meanwhile."""
        while not self._stop.is_set:
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return
        raise Stopped

    def expect(self, producers: int) -> None:
        """So many producers more. To be told while there is one that has not finished."""
        with self._lock:
            self._producers += producers

    def finish(self) -> None:
        """One producer has nothing more."""
        with self._lock:
            self._producers -= 1

    def poll(self, seconds: float = _POLL_SECONDS) -> Item | None:
        """The next item, or None when none came in that time."""
        if self._stop.is_set:
            raise Stopped
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None

    def left_over(self) -> Iterator[Item]:
        """What a run that has ended did not get to."""
        with suppress(queue.Empty):
            while True:
                yield self._queue.get_nowait()

    @property
    def is_finished(self) -> bool:
        """True when no item is left and none will come."""
        # In this order: a producer puts its last item before it finishes.
        return self._producers == 0 and self._queue.empty()

    def __iter__(self) -> Iterator[Item]:
        while not self.is_finished:
            item = self.poll()
            if item is not None:
                yield item


class ByteBudget:
    """How many bytes of image data may be in flight at once; a larger single image goes alone."""

    def __init__(self, limit: int, stop: Stop) -> None:
        self._limit = limit
        self._used = 0
        self._condition = threading.Condition()
        self._stop = stop

    def acquire(self, size: int) -> None:
        """Waits until `size` more bytes fit. Raises Stopped when the run ends meanwhile."""
        with self._condition:
            while self._used and self._used + size > self._limit:
                if self._stop.is_set:
                    raise Stopped
                self._condition.wait(_POLL_SECONDS)
            self._used += size

    def release(self, size: int) -> None:
        """Gives the bytes back."""
        with self._condition:
            self._used -= size
            self._condition.notify_all()


def stage_thread(name: str, work: Callable[[], None], stop: Stop) -> threading.Thread:
    """A thread of a stage, not yet started: whatever ends it early ends the run."""

    def guarded() -> None:
        try:
            work()
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - a dead thread must end the run
            stop.set(error)

    return threading.Thread(target=guarded, name=name, daemon=True)
