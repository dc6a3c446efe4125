"""Wavelet hashes: which images have nearly the same one, turned or mirrored or not.

The 64-bit hashes are searched in Hamming space, the query in its eight orientations; the 256-bit
hashes must agree in the same orientation. Images with equal 64-bit hashes share one row, so a
thousand blank frames cost one comparison.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from search.hits import I64, Flags, Hits, joined, ranks
from search.options import SearchOptions
from search.orientations import ORIENTATIONS, oriented_hashes
from search.substrings import SubstringTables
from storage.catalog import Catalog
from storage.records import F32, U8

U64 = NDArray[np.uint64]

NOT_PROPOSED = 64
_QUERY_BLOCK = 256
# Comparisons after which making the tables of substrings has paid for itself, and the number of
# rows below which it never does: a comparison takes 0.7 ns, adding a row 1 µs.
_COMPARISONS_BEFORE_HASHING = 5e8
_ROWS_FOR_HASHING = 50_000
# An equal 64-bit hash in more images than this multiple of the cap is popular: of them, those
# that come next in the order of the 256-bit hashes are looked at.
_POPULAR = 4


class HashIndex:
    """The hashes of all images of a catalog, in memory (some 60 bytes an image)."""

    def __init__(self, ids: I64, hash64: U8, hash256: U8, texture: F32) -> None:
        """
        Args:
            ids: int64 (n,), ascending. hash64: (n, 8). hash256: (n, 32). texture: (n,).
        """
        words = hash256.reshape(-1, 32).view(">u8")
        keys = hash64.reshape(-1, 8).view(">u8").ravel()
        order = np.argsort(keys)
        # Few hashes are equal: all six keys are compared for those only.
        is_tied = np.zeros(len(ids), bool)
        is_tied[1:] = keys[order[1:]] == keys[order[:-1]]
        is_tied[:-1] |= is_tied[1:]
        tied = order[is_tied]
        columns = (ids, *words.T[::-1], keys)
        order[is_tied] = tied[np.lexsort([column[tied] for column in columns])]
        self.image_ids = ids
        self._place = np.empty(len(ids), np.int64)
        self._place[order] = np.arange(len(ids))
        self._ids = ids[order]
        self._hash64 = np.ascontiguousarray(hash64.reshape(-1, 8)[order])
        self._hash256 = np.ascontiguousarray(hash256.reshape(-1, 32)[order])
        self._texture = texture[order]
        sorted_keys = keys[order]
        self._starts = np.flatnonzero(np.r_[True, sorted_keys[1:] != sorted_keys[:-1]][: len(ids)])
        self._sizes = np.diff(np.r_[self._starts, len(ids)])
        self._flat: Any = faiss.IndexBinaryFlat(64)
        self._flat.add(self._hash64[self._starts])
        self._tables: SubstringTables | None = None
        self._comparisons = 0.0

    @classmethod
    def of(cls, blocks: Iterable[tuple[I64, U8, U8, F32]]) -> HashIndex:
        """An index of what `Catalog.hashes` gives."""
        columns = list(zip(*blocks, strict=True))
        if not columns:
            empty = np.empty((0, 32), np.uint8)
            return cls(np.empty(0, np.int64), empty[:, :8], empty, np.empty(0, np.float32))
        return cls(*(np.concatenate(column) for column in columns))

    @classmethod
    def from_catalog(cls, catalog: Catalog) -> HashIndex:
        """An index of all images of the catalog."""
        return cls.of(catalog.hashes())

    @property
    def kind(self) -> str:
        """What it is, in a few words, for `dedup info`."""
        return "exact" if self._tables is None else "multi-index hash"

    def __len__(self) -> int:
        return len(self._ids)

    def hashes_of(self, ids: I64) -> tuple[U8, U8, F32]:
        """hash64 (n, 8), hash256 (n, 32) and texture (n,) of images that are in the index."""
        place = self._place[np.searchsorted(self.image_ids, ids)]
        return self._hash64[place], self._hash256[place], self._texture[place]

    def search(
        self,
        hash64: U8,
        hash256: U8,
        texture: F32,
        options: SearchOptions,
        own_ids: I64 | None = None,
        radius: int | None = None,
    ) -> Hits:
        """The images whose hashes are near in some orientation, with the 64-bit distance.

        Args:
            hash64, hash256, texture: of the n queries: uint8 (n, 8), (n, 32), float32 (n,).
            options: the radii and the cap.
            own_ids: (n,), the image each query is of, which is not its own neighbour.
            radius: of the 64-bit hashes, where it is smaller than that of the options.
        """
        reach = options.hamming_radius if radius is None else min(radius, options.hamming_radius)
        starts = range(0, max(len(hash64), 1), _QUERY_BLOCK)
        blocks = [slice(start, start + _QUERY_BLOCK) for start in starts]
        parts = [
            self._search_block(
                hash64[b],
                hash256[b],
                texture[b],
                options,
                None if own_ids is None else own_ids[b],
                reach,
            )
            for b in blocks
        ]
        return joined(parts, [len(hash64[b]) for b in blocks])

    def confirmed(
        self, hash64: U8, hash256: U8, texture: F32, options: SearchOptions, rows: I64, ids: I64
    ) -> Hits:
        """Of given pairs of a query and an image of the index, those whose hashes are near.

        Args:
            hash64, hash256, texture: of the n queries, as for `search`.
            rows, ids: (m,), the pairs; rows ascending.
        """
        place = self._place[np.searchsorted(self.image_ids, ids)]
        radius = np.where(
            np.minimum(texture[rows], self._texture[place]) < options.flat_texture,
            0,
            options.hamming_radius,
        )
        nearest = np.full(len(rows), NOT_PROPOSED)
        others64, others256 = self._hash64[place], self._hash256[place]
        for small, large in zip(
            oriented_hashes(hash64, 8), oriented_hashes(hash256, 16), strict=True
        ):
            distance = _distances(others64, small[rows])
            near = np.flatnonzero((distance <= radius) & (distance < nearest))
            agree = _distances(others256[near], large[rows[near]]) <= options.hamming256_radius
            nearest[near[agree]] = distance[near[agree]]
        kept = nearest < NOT_PROPOSED
        return Hits(
            rows[kept], ids[kept], nearest[kept].astype(np.float32), np.zeros(len(hash64), bool)
        )

    def _search_block(
        self,
        hash64: U8,
        hash256: U8,
        texture: F32,
        options: SearchOptions,
        own_ids: I64 | None,
        radius: int,
    ) -> Hits:
        n = len(hash64)
        image, small, large = _distinct_orientations(hash64, hash256)
        query, hash_row, distance = self._near_rows(small, radius)
        begin, length = self._starts[hash_row], self._sizes[hash_row]
        is_popular = length > _POPULAR * options.neighbours_cap
        is_capped = np.zeros(n, bool)
        is_capped[image[query[is_popular]]] = True
        self._narrow(begin, length, is_popular, large[query], options.neighbours_cap)

        place = np.repeat(begin, length) + _counting(length)
        query, distance = np.repeat(query, length), np.repeat(distance, length)
        row, ids = image[query], self._ids[place]
        distance256 = _distances(self._hash256[place], large[query])
        is_flat = np.minimum(texture[row], self._texture[place]) < options.flat_texture
        near = (distance256 <= options.hamming256_radius) & (~is_flat | (distance == 0))
        if own_ids is not None:
            near &= ids != own_ids[row]
        return _nearest(row[near], ids[near], distance[near], distance256[near], options, is_capped)

    def _near_rows(self, hashes: U8, radius: int) -> tuple[I64, I64, I64]:
        """Queries, numbers of distinct hashes and distances of all that are within the radius."""
        unique, inverse = np.unique(hashes, axis=0, return_inverse=True)
        self._comparisons += float(len(unique)) * len(self._starts)
        self._consider_hashing()
        inverse = inverse.ravel()
        if self._tables is None:
            # FAISS's comparison is strict.
            limits, distance, hash_row = self._flat.range_search(unique, radius + 1)
            limits = limits.astype(np.int64)
        else:
            row, hash_row, distance = self._tables.near(unique, radius)
            order = np.argsort(row, kind="stable")
            hash_row, distance = hash_row[order], distance[order]
            limits = np.searchsorted(row[order], np.arange(len(unique) + 1))
        length = np.diff(limits)[inverse]
        pick = np.repeat(limits[:-1][inverse], length) + _counting(length)
        query = np.repeat(np.arange(len(hashes)), length)
        return query, hash_row[pick], distance[pick].astype(np.int64)

    def expect_many(self) -> None:
        """Make now what pays off after some searches, rather than while one of them waits."""
        if self._tables is None and len(self._starts) >= _ROWS_FOR_HASHING:
            self._tables = SubstringTables(self._hash64[self._starts])

    def _consider_hashing(self) -> None:
        if self._comparisons >= _COMPARISONS_BEFORE_HASHING:
            self.expect_many()

    def _narrow(self, begin: I64, length: I64, is_popular: Flags, hash256: U8, cap: int) -> None:
        """Replace the members of popular rows by those around the query's own 256-bit hash."""
        windows: dict[tuple[int, bytes], int] = {}
        width = _POPULAR * cap
        for hit in np.flatnonzero(is_popular):
            first, size, wanted = int(begin[hit]), int(length[hit]), hash256[hit].tobytes()
            key = (first, wanted)
            if key not in windows:
                middle = bisect_left(
                    range(first, first + size),
                    wanted,
                    key=lambda place: self._hash256[place].tobytes(),
                )
                # Equal hashes begin in the middle, so all queries of a clique see the same few.
                windows[key] = first + min(max(middle - width // 2, 0), size - width)
            begin[hit], length[hit] = windows[key], width


def _distinct_orientations(hash64: U8, hash256: U8) -> tuple[I64, U8, U8]:
    """Which query, its 64-bit and its 256-bit hash, for every orientation that differs."""
    small, large = oriented_hashes(hash64, 8), oriented_hashes(hash256, 16)
    both = np.concatenate([small, large], axis=2)
    is_new = np.ones(both.shape[:2], bool)
    for later in range(1, ORIENTATIONS):
        is_new[later] = (both[:later] != both[later]).any(axis=2).all(axis=0)
    _, image = np.nonzero(is_new)
    return image, small[is_new], large[is_new]


def _nearest(
    rows: I64, ids: I64, distance: I64, distance256: I64, options: SearchOptions, is_capped: Flags
) -> Hits:
    """The nearest orientation of each image, and of the images the nearest."""
    order = np.lexsort((distance256, distance, ids, rows))
    rows, ids, distance, distance256 = (
        column[order] for column in (rows, ids, distance, distance256)
    )
    is_first = np.ones(len(rows), bool)
    is_first[1:] = (rows[1:] != rows[:-1]) | (ids[1:] != ids[:-1])
    rows, ids, distance, distance256 = (
        column[is_first] for column in (rows, ids, distance, distance256)
    )
    order = np.lexsort((ids, distance256, distance, rows))
    rows, ids, distance = rows[order], ids[order], distance[order]
    rank = ranks(rows)
    is_capped[rows[rank >= options.neighbours_cap]] = True
    kept = rank < options.neighbours_cap
    return Hits(rows[kept], ids[kept], distance[kept].astype(np.float32), is_capped)


def _counting(lengths: I64) -> I64:
    """0, 1, … up to each length, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def _distances(hashes: U8, others: U8) -> I64:
    different = np.ascontiguousarray(hashes ^ others).view(np.uint64)
    counts: I64 = np.bitwise_count(different).sum(axis=1, dtype=np.int64)
    return counts
