"""Which proposals are worth a comparison, seen beside what else was found for the two images.

A weak proposal may be all there is for a heavy crop. For two images that both have much nearer
neighbours it is chance: their copies are among those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.candidates import CandidateColumns
from search.hash_index import NOT_PROPOSED
from search.hits import I64, Flags
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

    def are_worth_it(self, pairs: CandidateColumns) -> Flags:
        """bool (n,): False for a pair that is weaker than what its images have elsewhere."""
        # Of a reference index, whose images were not searched for.
        are_beyond = np.maximum(pairs.low_ids, pairs.high_ids) >= self._size
        low, high = (np.where(are_beyond, 0, ids) for ids in (pairs.low_ids, pairs.high_ids))
        by_hash = pairs.hamming != NOT_PROPOSED
        alone = by_hash & (pairs.hamming > self._alone)
        worth_it = by_hash.copy()
        for nearest, similarity in zip(self._nearest.values(), pairs.similarity, strict=True):
            one, other = nearest[low], nearest[high]
            # A model that knows both has found them unlike, where it does not propose them.
            worth_it[alone & ~np.isnan(one) & ~np.isnan(other)] = False
            bar = np.where(other < one, other, one)
            with np.errstate(invalid="ignore"):
                likely = (similarity.astype(np.float64) + self._behind).astype(np.float32) >= bar
            worth_it |= likely & ~by_hash
        worth_it |= by_hash & ~np.isnan(pairs.similarity).all(axis=0)
        return np.asarray(worth_it | are_beyond)
