"""Progress as it looks in a log."""

from __future__ import annotations

import io

from cli.output import as_plain, bytes_text, printable, seconds_text
from cli.progress import SECONDS_BETWEEN_LINES, Display
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
