"""Showing how far a command is: a bar on a terminal, a plain line every few seconds elsewhere.

All of it goes to standard error, so that standard output holds nothing but the result.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.config import Settings
from cli.output import seconds_text

SECONDS_BETWEEN_LINES = 5.0


class Display:
    """What a listener tells: how many of how many, and a few words.

    Args:
        stream: where to show it.
        clock: seconds; for tests.
    """

    def __init__(
        self, title: str, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._title = title
        self._stream = stream
        self._clock = clock
        self._started = clock()
        self._last_line = self._started
        self._done_before = 0
        self._bar: Progress | None = None

    @contextmanager
    def shown(self) -> Iterator[Display]:
        """On a terminal, the bar for as long as the block runs."""
        if not self._stream.isatty():
            yield self
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            console=Console(file=self._stream),
            transient=True,
        )
        self._task = self._bar.add_task(self._title, total=None, words="")
        with self._bar:
            yield self

    def update(self, done: int, total: int | None, words: str) -> None:
        """Show the new state; without a terminal, at most one line every few seconds."""
        eta = self._eta(done, total)
        if self._bar is not None:
            text = f"{words}{', ' if eta else ''}{eta}"
            self._bar.update(self._task, completed=done, total=total, words=text)
            return
        now = self._clock()
        if now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            of = f" of {total:,}" if total else ""
            line = f"{self._title}: {done:,}{of}, {words}{', ' if eta else ''}{eta}"
            print(line, file=self._stream, flush=True)

    def show(self, words: str) -> None:
        """Show what is being done where nothing can be counted."""
        if self._bar is not None:
            self._bar.update(self._task, words=words)
            return
        now = self._clock()
        if now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            spent = seconds_text(now - self._started)
            print(f"{self._title}: {words}, {spent} so far", file=self._stream, flush=True)

    def _eta(self, done: int, total: int | None) -> str:
        if done < self._done_before:
            # Another stage: how fast the one before went says nothing of it.
            self._started = self._clock()
        self._done_before = done
        spent = self._clock() - self._started
        if not total or not 0 < done < total or spent < 1:
            return ""
        return f"{seconds_text(spent / done * (total - done))} left"


@contextmanager
def display(title: str, settings: Settings) -> Iterator[Display | None]:
    """A display on standard error; None when nothing is to be shown."""
    if settings.quiet or (settings.json and not sys.stderr.isatty()):
        yield None
        return
    with Display(title, sys.stderr).shown() as shown:
        yield shown


Step = Callable[[str], None]


@contextmanager
def steps(title: str, settings: Settings) -> Iterator[Step]:
    """For a command that cannot tell how far it is: call what is given with what comes next.

    On a terminal the step and the time so far are shown; elsewhere a line tells of a step that
    takes longer than a few seconds, as often as `Display` would.
    """
    with display(title, settings) as shown:
        if shown is None:
            yield lambda words: None
            return
        teller = _Teller(shown)
        try:
            yield teller.step
        finally:
            teller.end()


class _Teller:
    """Repeats the words of the current step, for a display that shows only what it is told."""

    def __init__(self, shown: Display) -> None:
        self._shown = shown
        self._words = ""
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="progress", daemon=True)
        self._thread.start()

    def step(self, words: str) -> None:
        """From now on it is at this."""
        self._words = words
        self._shown.show(words)

    def end(self) -> None:
        """Say no more."""
        self._is_over.set()
        self._thread.join()

    def _repeat(self) -> None:
        while not self._is_over.wait(SECONDS_BETWEEN_LINES):
            self._shown.show(self._words)
