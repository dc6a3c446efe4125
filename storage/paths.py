"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path


def home_expanded(path: str | Path) -> Path:
    """With `~` and `~name` as the home folders that they stand for.

    The name of nobody stays as it is, as in a shell; `Path.expanduser` would raise RuntimeError.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111
