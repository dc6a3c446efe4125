"""Names of the ranges that images and files are counted in."""

from __future__ import annotations

from resolve.collection import BYTES, PIXELS


def _words(ends: tuple[int, ...], unit: int, name: str) -> list[str]:
    shown = [f"{end / unit:g}" for end in ends[:-1]]
    return [f"≤ {shown[0]} {name}", *(f"≤ {end}" for end in shown[1:]), f"> {shown[-1]} {name}"]


PIXELS_WORDS = _words(PIXELS, 1_000_000, "MP")
BYTES_WORDS = _words(BYTES, 1_000_000, "MB")
