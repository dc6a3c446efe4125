"""Tiny pictures by number: what a soak is about are requests, not pixels."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from benchmarks.fault_store.account import Account

_SIDE = 48
_CELLS = 6
# One in so many is a copy of the one before it.
_COPIES = 20


def picture(number: int, version: int = 0) -> bytes:
    """A small JPEG; other pixels for each number and version."""
    colours = np.random.default_rng([number, version]).integers(0, 256, (_CELLS, _CELLS, 3))
    shown = Image.fromarray(colours.astype(np.uint8)).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def name_of(number: int) -> str:
    """Names sort as their numbers do."""
    return f"{number // 1000:03}/{number:06}.jpg"


def filled(blobs: int) -> Account:
    """An account with so many pictures."""
    account = Account()
    for number in range(blobs):
        is_copy = number % _COPIES == _COPIES - 1
        account.put(name_of(number), picture(number - is_copy))
    return account


def changed(name: str, _content: bytes) -> bytes:
    """What a picture is replaced with while it is read."""
    return picture(int(name[-10:-4]), version=1)
