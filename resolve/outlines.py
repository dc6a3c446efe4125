"""What is asked of every image that is in a candidate pair, read once."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from storage.records import ImageOutline

I64 = NDArray[np.int64]

RAW_FORMAT = "RAW"
_UNKNOWN, _OTHER, _RAW = 0, 1, 2
# Logarithm of pixels that are no difference in size; bandwidth below which an image was enlarged.
_SAME_SIZE, _SHARP = 0.1, 0.7


class Outlines:
    """Which images are RAW files, how much detail each has at most, and what breaks ties.

    Args:
        outline: of an image id.
        last_id: no id is expected to be higher. 13 bytes an id.
    """

    def __init__(self, outline: Callable[[int], ImageOutline], last_id: int = 0) -> None:
        self._outline = outline
        # Asked for one id at a time, which takes an array of numpy's ten times as long.
        self._kinds = bytearray(last_id + 1)
        self._sizes: NDArray[np.int32] = np.zeros(last_id + 1, np.int32)
        self._digests: NDArray[np.uint64] = np.zeros(last_id + 1, np.uint64)

    def is_raw(self, image_id: int) -> bool:
        """True for a RAW file. Raises KeyError when there is no such image."""
        if image_id >= len(self._kinds) or not self._kinds[image_id]:
            self._read(image_id)
        return self._kinds[image_id] == _RAW

    def tie_break(self, image_id: int) -> int:
        """The first 64 bits of its digest. Raises KeyError when there is no such image."""
        if image_id >= len(self._kinds) or not self._kinds[image_id]:
            self._read(image_id)
        return int(self._digests[image_id])

    def sizes(self, ids: I64) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
        """The logarithm of the pixels that carry detail, in steps, and what breaks ties.

        Args:
            ids: int64 (n,), ascending.
        """
        if len(ids):
            self._make_room(int(ids[-1]))
        kinds = np.frombuffer(bytes(self._kinds), np.uint8)
        for image_id in ids[kinds[ids] == _UNKNOWN].tolist():
            self._read(image_id)
        return self._sizes[ids], self._digests[ids]

    def _read(self, image_id: int) -> None:
        outline = self._outline(image_id)
        self._make_room(image_id)
        self._kinds[image_id] = _RAW if outline.format == RAW_FORMAT else _OTHER
        self._sizes[image_id] = _size(outline)
        self._digests[image_id] = int.from_bytes(outline.digest[:8], "big")

    def _make_room(self, image_id: int) -> None:
        """Another process may have indexed more since."""
        more = image_id + 1 - len(self._kinds)
        if more > 0:
            more += 1024
            self._kinds += bytes(more)
            self._sizes = np.r_[self._sizes, np.zeros(more, np.int32)]
            self._digests = np.r_[self._digests, np.zeros(more, np.uint64)]


def _size(outline: ImageOutline) -> int:
    detail = outline.bandwidth if outline.bandwidth < _SHARP else 1.0
    pixels = outline.width * outline.height * detail * detail
    return round(math.log(max(1.0, pixels)) / _SAME_SIZE)
