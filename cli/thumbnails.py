"""Small pictures in a terminal: two pixels to a character, in 24-bit colours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

_COLUMNS = 24
_MOST_ROWS = 12
_RESET = "\x1b[0m"


def can_show(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a terminal says that it has so many colours, and nobody said that it has none."""
    known = os.environ if environment is None else environment
    return (
        stream.isatty()
        and known.get("COLORTERM", "").lower() in ("truecolor", "24bit")
        and not known.get("NO_COLOR")
        and known.get("TERM") != "dumb"
        and "utf" in (stream.encoding or "").lower()
    )


def thumbnail(rgb: NDArray[np.uint8], columns: int = _COLUMNS) -> list[str]:
    """Lines of upper half blocks: the colour of the letter is one pixel, its ground the one below.

    Args:
        rgb: uint8 (h, w, 3).
        columns: its width, in characters; a tall picture is narrower.
    """
    height, width = rgb.shape[:2]
    scale = min(columns / width, 2 * _MOST_ROWS / height)
    size = (max(1, round(width * scale)), max(2, 2 * round(height * scale / 2)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    lines = []
    for above, below in zip(small[::2], small[1::2], strict=True):
        cells = (
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]}m\x1b[48;2;{b[0]};{b[1]};{b[2]}m▀"
            for a, b in zip(above.tolist(), below.tolist(), strict=True)
        )
        lines.append("".join(cells) + _RESET)
    return lines
