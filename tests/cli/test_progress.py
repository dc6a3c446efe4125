"""Progress as it looks in a log."""

from __future__ import annotations

import io
import re
import time

import pytest

from cli.config import Settings
from cli.output import as_plain, bytes_text, printable, seconds_text
from cli.progress import SECONDS_BETWEEN_LINES, Display, steps
from storage.records import BlobStatus


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_away_from_a_terminal_there_is_a_line_every_few_seconds() -> None:
    stream, clock = io.StringIO(), _Clock()
    with Display("indexing", stream, clock).shown() as shown:
        for done in range(100):
            clock.now += 0.2
            shown.update(done, 1000, "5.0 images/s")
    lines = stream.getvalue().splitlines()
    assert len(lines) == int(100 * 0.2 / SECONDS_BETWEEN_LINES)
    assert lines[0] == "indexing: 24 of 1,000, 5.0 images/s, 3 min 23 s left"
    assert "\x1b" not in stream.getvalue()


def test_time_left_is_that_of_the_stage_and_not_of_the_ones_before() -> None:
    stream, clock = io.StringIO(), _Clock()
    with Display("resolving", stream, clock).shown() as shown:
        shown.update(0, 1000, "verifying")
        clock.now += 600
        shown.update(1000, 1000, "verifying")
        shown.update(0, 61, "grouping")
        clock.now += 10
        shown.update(30, 61, "grouping")
    assert stream.getvalue().splitlines()[-1] == "resolving: 30 of 61, grouping, 10.3 s left"


def test_without_a_total_no_time_left_is_claimed() -> None:
    stream, clock = io.StringIO(), _Clock()
    with Display("listing", stream, clock).shown() as shown:
        clock.now += 10
        shown.update(7, None, "7 blobs")
    assert stream.getvalue() == "listing: 7, 7 blobs\n"


def test_sizes_and_durations_are_written_for_people() -> None:
    assert bytes_text(999) == "999 B"
    assert bytes_text(1_500_000) == "1.5 MB"
    assert seconds_text(0.42) == "0.4 s"
    assert seconds_text(125) == "2 min 05 s"
    assert seconds_text(12_000) == "3 h 20 min"


def test_a_name_that_is_not_utf8_can_be_printed() -> None:
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    assert printable(name).encode()
    assert as_plain({BlobStatus.INDEXED: (1, 2)}) == {"indexed": [1, 2]}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("has_colours", [True, False])
def test_no_color_is_obeyed_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, has_colours: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not has_colours:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = _Terminal()
    with Display("indexing", stream).shown() as shown:
        shown.update(5, 10, "5.0 images/s")
    assert "indexing" in stream.getvalue()
    assert bool(re.search(r"\x1b\[[\d;]*[34]8?;?5?;?\d", stream.getvalue())) == has_colours


def test_a_step_that_takes_long_is_told_of_again_and_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cli.progress.SECONDS_BETWEEN_LINES", 0.02)
    with steps("info", Settings()) as step:
        step("counting blobs")
        time.sleep(0.3)
    told = capsys.readouterr().err.splitlines()
    assert len(told) >= 2
    assert all(line.startswith("info: counting blobs, ") for line in told)
    with steps("info", Settings(quiet=True)) as step:
        step("counting blobs")
        time.sleep(0.1)
    assert capsys.readouterr().err == ""
