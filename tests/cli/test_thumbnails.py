"""Pictures in a terminal, and only where there is one."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cli.thumbnails import can_show, thumbnail
from tests.cli.helpers import ROOT, IndexedGallery, clean_environment


def test_two_pixels_stand_above_each_other_in_a_character() -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[0, :, 0], picture[1, :, 2] = 255, 200
    (line,) = thumbnail(picture, columns=3)
    assert line == 3 * "\x1b[38;2;255;0;0m\x1b[48;2;0;0;200m▀" + "\x1b[0m"


@pytest.mark.parametrize("shape", [(1, 5000, 3), (5000, 1, 3), (480, 640, 3), (1, 1, 3)])
def test_any_shape_fits(shape: tuple[int, int, int]) -> None:
    lines = thumbnail(np.full(shape, 9, np.uint8))
    assert 1 <= len(lines) <= 12
    assert all(1 <= line.count("▀") <= 24 for line in lines)


def test_nothing_is_shown_where_there_is_no_terminal() -> None:
    assert not can_show(io.StringIO(), {"COLORTERM": "truecolor"})


@pytest.mark.parametrize(
    ("environment", "is_shown"),
    [({"COLORTERM": "truecolor"}, True), ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, False),
     ({"COLORTERM": ""}, False)],
)  # fmt: skip
def test_a_query_on_a_terminal_shows_its_copies(
    indexed: IndexedGallery, tmp_path: Path, environment: dict[str, str], is_shown: bool
) -> None:
    ours, theirs = pty.openpty()
    query = indexed.folder / "chelsea-jpeg.jpg"
    wanted = clean_environment(
        PYTHONPATH=str(ROOT), PYTHONIOENCODING="utf-8", TERM="xterm", **environment
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "query", str(query), "--index", str(indexed.index)],
        cwd=tmp_path, env=wanted, stdout=theirs, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 65536):
            said += chunk
    except OSError:
        pass
    assert process.wait(120) == 0
    text = said.decode()
    assert "chelsea.png" in text
    assert bool(re.search(r"\x1b\[38;2;\d+;\d+;\d+m", text)) is is_shown
