"""Hamming range search among many 64-bit hashes: a multi-index hash in sorted arrays.

Norouzi, Punjani & Fleet 2012: cut into three parts, two hashes that differ in at most r bits differ
in at most ⌊r / 3⌋ in one of the parts; so they are found among those with that part, or one as near
to it. Exact. The bits of a part are spread over the hash, for neighbouring bits of a wavelet hash
mostly agree, and parts that many hashes share tell little.

48 bytes a hash, and 48 MB.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from search.hits import I64
from storage.records import U8

U64 = NDArray[np.uint64]
U32 = NDArray[np.uint32]

_PARTS = 3
_BITS = 22
# Comparisons made at a time; some 40 bytes each.
_AT_ONCE = 1 << 20
_UNPACKED_AT_ONCE = 1 << 16


class SubstringTables:
    """Some 64-bit hashes, by their parts.

    Args:
        hashes: uint8 (n, 8).
    """

    def __init__(self, hashes: U8) -> None:
        words = _words(hashes)
        keys = _keys(hashes)
        self._masks = [_mask(part) for part in range(_PARTS)]
        self._starts, self._rows, self._words = [], [], []
        for part in range(_PARTS):
            order = np.argsort(keys[part], kind="stable").astype(np.uint32)
            counts = np.bincount(keys[part], minlength=1 << _BITS)
            self._starts.append(np.r_[0, np.cumsum(counts)].astype(np.uint32))
            self._rows.append(order)
            # In the order of the parts: what is compared with one query lies together.
            self._words.append(words[order])

    def near(self, queries: U8, radius: int) -> tuple[I64, I64, I64]:
        """Numbers of queries, rows and distances of all pairs within the radius, each once.

        Args:
            queries: uint8 (q, 8).
        """
        words, keys = _words(queries), _keys(queries)
        flips = radius // _PARTS
        changes = _changes(flips)
        found = [(np.empty(0, np.int64),) * 3]
        for part in range(_PARTS):
            wanted = (keys[part][:, None] ^ changes[None]).ravel()
            begin = self._starts[part][wanted].astype(np.int64)
            length = self._starts[part][wanted + 1].astype(np.int64) - begin
            taken = np.flatnonzero(length)
            ends = np.cumsum(length[taken])
            first = 0
            while first < len(taken):
                done = ends[first - 1] if first else 0
                last = max(int(np.searchsorted(ends, done + _AT_ONCE, side="right")), first + 1)
                some = taken[first:last]
                found.append(
                    self._compared(part, some // len(changes), begin[some], length[some], words,
                                   radius, flips)
                )  # fmt: skip
                first = last
        queries_found, rows, distances = (
            np.concatenate(column) for column in zip(*found, strict=True)
        )
        return queries_found, rows, distances

    def _compared(
        self, part: int, queries: I64, begin: I64, length: I64, words: U64, radius: int, flips: int
    ) -> tuple[I64, I64, I64]:
        ends = np.cumsum(length)
        place = np.arange(int(ends[-1])) + np.repeat(begin - (ends - length), length)
        different = self._words[part][place] ^ np.repeat(words[queries], length)
        distance = np.bitwise_count(different)
        near = np.flatnonzero(distance <= radius)
        different = different[near]
        # What an earlier part has found already.
        is_new = np.ones(len(near), bool)
        for earlier in range(part):
            is_new &= np.bitwise_count(different & self._masks[earlier]) > flips
        near = near[is_new]
        query = queries[np.searchsorted(ends, near, side="right")]
        return (
            query,
            self._rows[part][place[near]].astype(np.int64),
            distance[near].astype(np.int64),
        )


def _words(hashes: U8) -> U64:
    return np.ascontiguousarray(hashes).view(">u8").ravel().astype(np.uint64)


def _keys(hashes: U8) -> U32:
    """uint32 (parts, n): the bits of each part, packed."""
    keys = np.zeros((_PARTS, len(hashes)), np.uint32)
    for start in range(0, len(hashes), _UNPACKED_AT_ONCE):
        bits = np.unpackbits(hashes[start : start + _UNPACKED_AT_ONCE], axis=1).astype(np.uint32)
        for part in range(_PARTS):
            of_part = bits[:, part::_PARTS]
            weights = np.uint32(1) << np.arange(of_part.shape[1], dtype=np.uint32)
            keys[part, start : start + len(bits)] = of_part @ weights
    return keys


def _mask(part: int) -> np.uint64:
    """The bits of a part, in a hash as a number."""
    bits = np.zeros(64, np.uint8)
    bits[part::_PARTS] = 1
    return np.uint64(int.from_bytes(np.packbits(bits).tobytes(), "big"))


def _changes(flips: int) -> U32:
    """All numbers with at most so many of the bits of a part."""
    chosen = [bits for count in range(flips + 1) for bits in combinations(range(_BITS), count)]
    return np.array([sum(1 << bit for bit in bits) for bits in chosen], np.uint32)
