"""Which proposals are worth a comparison, seen beside what else was found for the two images.

A weak proposal may be all there is for a heavy crop. For two images that both have much nearer
neighbours it is chance: their copies are among those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.candidates import CandidatePair
from search.hash_index import NOT_PROPOSED
from search.hits import I64
from search.options import SearchOptions
from search.pair_spool import Proposals
from storage.records import F32


class Company:
    """The similarity of the nearest neighbour of each image, 4 bytes an image and model.

    Args:
        image_ids: int64 (n,), ascending.
        models: of the embeddings, in the order of the sources of evidence.
        options: what a proposal may be worth.
        known: by model and image id what an earlier join has found, float32.
    """

    def __init__(
        self,
        image_ids: I64,
        models: Sequence[str],
        options: SearchOptions,
        known: Mapping[str, F32] | None = None,
    ) -> None:
        # By image id. NaN: no embedding, or not searched for.
        size = int(image_ids[-1]) + 1 if len(image_ids) else 0
        self._nearest: dict[str, F32] = {
            model: np.full(size, np.nan, np.float32) for model in models
        }
        for model, of_model in (known or {}).items():
            self._nearest[model][: len(of_model)] = of_model[:size]
        self._size = size
        self._alone = options.hamming_alone
        self._behind = options.behind_nearest

    def add(self, ids: I64, nearest: F32) -> None:
        """Take in what was found for a block of images.

        Args:
            ids: int64 (b,).
            nearest: float32 (models, b): the similarity of the nearest neighbour of each; -1 where
                there was none within reach, NaN for an image without an embedding.
        """
        for of_model, found in zip(self._nearest.values(), nearest, strict=True):
            of_model[ids] = found

    def see(self, proposals: Proposals) -> None:
        """Take in what was found for others: an image is as near to them as they are to it."""
        for number, of_model in enumerate(self._nearest.values(), start=1):
            found = proposals[proposals["source"] == number]
            for side in ("low", "high"):
                np.fmax.at(of_model, found[side], found["value"])

    @property
    def nearest(self) -> dict[str, F32]:
        """By model and image id: what is known now, float32."""
        return self._nearest

    def is_worth_it(self, pair: CandidatePair) -> bool:
        """False when the pair is weaker than what its images have elsewhere."""
        if max(pair.low_id, pair.high_id) >= self._size:
            # Of a reference index, whose images were not searched for.
            return True
        if pair.hamming != NOT_PROPOSED:
            return (
                bool(pair.similarity)
                or pair.hamming <= self._alone
                or not any(self._are_embedded(pair, nearest) for nearest in self._nearest.values())
            )
        return any(
            similarity + self._behind
            >= min(self._nearest[model][pair.low_id], self._nearest[model][pair.high_id])
            for model, similarity in pair.similarity.items()
        )

    def _are_embedded(self, pair: CandidatePair, nearest: F32) -> bool:
        """True when this model knows both, and so has found them unlike."""
        return not (np.isnan(nearest[pair.low_id]) or np.isnan(nearest[pair.high_id]))
