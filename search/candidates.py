"""What the candidate stage hands to verification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Pairs that are Python's own objects at a time: ten times as large.
_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True)
class CandidatePair:
    """Two images that some index says could be copies of one picture.

    Attributes:
        low_id, high_id: image ids, low_id < high_id.
        hamming: smallest Hamming distance of the 64-bit wavelet hashes over the eight
            orientations of one side; 64 when the hash index did not propose the pair.
        similarity: model name to cosine similarity, for the embeddings that proposed the pair.
    """

    low_id: int
    high_id: int
    hamming: int
    similarity: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class CandidateColumns:
    """The same of n pairs, as columns.

    Attributes:
        low_ids, high_ids, hamming: int64 (n,).
        similarity: float32 (models, n), NaN where a model did not propose the pair.
    """

    low_ids: NDArray[np.int64]
    high_ids: NDArray[np.int64]
    hamming: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.low_ids)

    def where(self, wanted: NDArray[np.bool_]) -> CandidateColumns:
        """Those of them that are wanted, bool (n,)."""
        return CandidateColumns(
            self.low_ids[wanted],
            self.high_ids[wanted],
            self.hamming[wanted],
            self.similarity[:, wanted],
        )

    def pairs(self, models: Sequence[str]) -> Iterator[CandidatePair]:
        """One by one; `models` are the names of those of `similarity`."""
        for start in range(0, len(self), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            for low, high, hamming, similarity in zip(
                self.low_ids[part].tolist(),
                self.high_ids[part].tolist(),
                self.hamming[part].tolist(),
                self.similarity.T[part].tolist(),
                strict=True,
            ):
                yield CandidatePair(
                    low,
                    high,
                    hamming,
                    # NaN is no number, not even itself.
                    {
                        model: value
                        for model, value in zip(models, similarity, strict=True)
                        if value == value
                    },
                )
