"""Image ids of two catalogs as ids of one: an image that both know has one id, for it is one.

    1 … n              the images of the index, under their own ids
    n + 1 … n + m      those of the reference index that the index does not know, by their ids there
    n + m + 1 …        images the index has been given since: their own ids, moved up by m

n and m are the highest ids of the two when they were opened, so that an id means the same in every
process and for the whole run, whoever indexes meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from storage.catalog import Catalog

I64 = NDArray[np.int64]


def _none() -> I64:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class JointIds:
    """The map between the ids. 32 bytes for each image that both know, nothing for the others.

    Attributes:
        own_last: n. reference_last: m.
        own: int64 (k,), ascending: the images of the index that the reference index knows too.
        twin: int64 (k,): their ids in the reference index.
    """

    own_last: int
    reference_last: int
    own: I64 = field(default_factory=_none)
    twin: I64 = field(default_factory=_none)
    _twin_sorted: I64 = field(init=False)
    _own_of_twin: I64 = field(init=False)

    def __post_init__(self) -> None:
        order = np.argsort(self.twin)
        object.__setattr__(self, "_twin_sorted", self.twin[order])
        object.__setattr__(self, "_own_of_twin", self.own[order])

    @classmethod
    def matching(cls, index: Catalog, reference: Catalog) -> JointIds:
        """The ids of two catalogs as they are now: one walk along the digests of both."""
        own_last, reference_last = index.last_image_id, reference.last_image_id
        pairs = np.fromiter(
            (
                pair
                for pair in _of_both(index.digests(), reference.digests())
                if pair[0] <= own_last and pair[1] <= reference_last
            ),
            np.dtype((np.int64, 2)),
        )
        order = np.argsort(pairs[:, 0])
        return cls(own_last, reference_last, pairs[order, 0], pairs[order, 1])

    @property
    def last(self) -> int:
        """The highest id of an image that either knew when they were opened."""
        return self.own_last + self.reference_last

    def to_own(self, image_id: int) -> int | None:
        """The id in the index; None when only the reference index has the image."""
        if image_id <= self.own_last:
            return image_id
        return None if image_id <= self.last else image_id - self.reference_last

    def of_own(self, own_id: int) -> int:
        """The joint id of an image of the index."""
        return own_id if own_id <= self.own_last else own_id + self.reference_last

    def to_reference(self, image_id: int) -> int | None:
        """The id in the reference index; None when it does not know the image."""
        if self.own_last < image_id <= self.last:
            return image_id - self.own_last
        place = int(self.own.searchsorted(image_id))
        is_shared = place < len(self.own) and self.own[place] == image_id
        return int(self.twin[place]) if is_shared else None

    def of_reference(self, reference_ids: I64) -> I64:
        """The joint ids of images of the reference index, none above m."""
        joint = reference_ids + self.own_last
        if len(self.twin):
            place = np.searchsorted(self._twin_sorted, reference_ids).clip(max=len(self.twin) - 1)
            is_shared = self._twin_sorted[place] == reference_ids
            joint[is_shared] = self._own_of_twin[place[is_shared]]
        return joint

    def of_one_reference(self, reference_id: int) -> int:
        """The joint id of one image of the reference index."""
        place = int(self._twin_sorted.searchsorted(reference_id))
        if place < len(self.twin) and self._twin_sorted[place] == reference_id:
            return int(self._own_of_twin[place])
        return self.own_last + reference_id

    def are_shared(self, own_ids: I64) -> NDArray[np.bool_]:
        """bool (n,): which of these images of the index the reference index knows too."""
        return np.isin(own_ids, self.own)


def _of_both(
    own: Iterator[tuple[bytes, int]], reference: Iterator[tuple[bytes, int]]
) -> Iterator[tuple[int, int]]:
    """The ids of the digests that both give; both give them in ascending order."""
    mine, theirs = next(own, None), next(reference, None)
    while mine is not None and theirs is not None:
        if mine[0] == theirs[0]:
            yield mine[1], theirs[1]
        behind = mine[0] <= theirs[0], theirs[0] <= mine[0]
        if behind[0]:
            mine = next(own, None)
        if behind[1]:
            theirs = next(reference, None)
