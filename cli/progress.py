"""Showing how far a command is: a bar on a terminal, a plain line every few seconds elsewhere.

All of it goes to standard error, so that standard output holds nothing but the result.
"""

from __future__ import annotations

import sys
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
