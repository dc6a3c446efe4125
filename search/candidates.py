"""What the candidate stage hands to verification."""

from __future__ import annotations

from dataclasses import dataclass


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
