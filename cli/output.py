"""How commands print: JSON for programs, short plain text for people."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np


def as_plain(value: Any) -> Any:
    """The value as what JSON has: dataclasses become objects, arrays lists, paths texts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(as_plain(key)): as_plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, str):
        return [as_plain(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    # ASCII: a file name that is not UTF-8 must not stop the output.
    print(json.dumps(as_plain(value), indent=2))


def printable(text: str) -> str:
    """A file name as a terminal can show it: what is not UTF-8 is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def bytes_text(count: float) -> str:
    """A number of bytes with a fitting unit: 1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def seconds_text(seconds: float) -> str:
    """A duration: 0.4 s, 2 min 05 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 image`, `2 images`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
