"""Pairs of pictures with a score: what every tool, dedup too, is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPairs:
    """Each pair at most once; a pair that is not listed has score 0 and is no match.

    Attributes:
        first, second: int32 (m,), places in the set, first < second.
        score: float32 (m,), above 0 and higher the surer.
        is_match: bool (m,), what the tool calls a duplicate at its own threshold.
    """

    first: I32
    second: I32
    score: F32
    is_match: Flags

    @classmethod
    def of(cls, pairs: dict[tuple[int, int], tuple[float, bool]]) -> ScoredPairs:
        """From a mapping of (first, second) to (score, is_match); scores of 0 are left out."""
        kept = {pair: what for pair, what in pairs.items() if what[0] > 0 or what[1]}
        ends = np.array(list(kept), np.int32).reshape(-1, 2)
        return cls(
            ends.min(axis=1) if len(ends) else ends[:, 0],
            ends.max(axis=1) if len(ends) else ends[:, 1],
            np.array([score for score, _ in kept.values()], np.float32),
            np.array([is_match for _, is_match in kept.values()], bool),
        )


def hamming_pairs(hashes: NDArray[np.uint8], usable: Flags, threshold: int) -> ScoredPairs:
    """All pairs of hashes up to a quarter of their bits beyond the threshold.

    Args:
        hashes: uint8 (n, bytes), packed bits.
        usable: bool (n,), hashes that may match at all.
        threshold: largest distance that counts as a match.

    Returns:
        Score 1 - distance / bits.
    """
    bits = 8 * hashes.shape[1]
    furthest = min(bits // 2, threshold + bits // 4)
    places = np.flatnonzero(usable).astype(np.int32)
    columns: list[tuple[I32, I32, NDArray[np.int64]]] = []
    for row, place in enumerate(places):
        others = places[row + 1 :]
        distance = np.bitwise_count(hashes[others] ^ hashes[place]).sum(axis=1, dtype=np.int64)
        near = distance <= furthest
        columns.append((np.full(int(near.sum()), place, np.int32), others[near], distance[near]))
    if not columns:
        empty = np.empty(0, np.int32)
        return ScoredPairs(empty, empty, np.empty(0, np.float32), np.empty(0, bool))
    first, second, distances = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    score = (1 - distances / bits).astype(np.float32)
    return ScoredPairs(
        first.astype(np.int32), second.astype(np.int32), score, distances <= threshold
    )


def cosine_pairs(vectors: F32, usable: Flags, threshold: float, least: float) -> ScoredPairs:
    """All pairs whose cosine similarity is at least `least`; a match from `threshold` on.

    Args:
        vectors: float32 (n, dimension).
        usable: bool (n,), vectors that may match at all.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = np.triu(unit @ unit.T, k=1)
    similarity[~usable] = 0
    similarity[:, ~usable] = 0
    first, second = np.nonzero(similarity >= max(least, 1e-6))
    score = similarity[first, second].astype(np.float32)
    return ScoredPairs(first.astype(np.int32), second.astype(np.int32), score, score >= threshold)
