"""Copy verdicts as links between images, and the images they connect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify.verdict import Verdict

LOW_COVERS_HIGH = 1
HIGH_COVERS_LOW = 2


@dataclass(frozen=True, slots=True)
class Links:
    """The copy verdicts of some images.

    Attributes:
        low, high: int64 (m,), image ids, low < high, no pair twice.
        covering: uint8 (m,), LOW_COVERS_HIGH and HIGH_COVERS_LOW, or both, or neither.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    covering: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.low)

    def once(self) -> Links:
        """Each pair once, in the order of their first."""
        _, first = np.unique(self.low << 32 | self.high, return_index=True)
        if len(first) == len(self):
            return self
        is_first = np.zeros(len(self), np.bool_)
        is_first[first] = True
        return self.where(is_first)

    def where(self, wanted: NDArray[np.bool_]) -> Links:
        """Those of them that are wanted, bool (m,)."""
        return Links(self.low[wanted], self.high[wanted], self.covering[wanted])


def covering_of(verdict: Verdict) -> int:
    """Who covers whom, as `Links` notes it; the verdict's a is the lower id."""
    return LOW_COVERS_HIGH * verdict.a_covers_b | HIGH_COVERS_LOW * verdict.b_covers_a


def pools_of(links: Links, images: int) -> NDArray[np.int64]:
    """int64 (images,): the lowest id of the pool that each image is in, its own outside of any."""
    label = np.arange(images)
    low, high = links.low, links.high
    while True:
        least = np.minimum(label[low], label[high])
        before = label.copy()
        for ends in (label[low], label[high]):
            np.minimum.at(label, ends, least)
        np.minimum.at(label, low, least)
        np.minimum.at(label, high, least)
        label = label[label]
        if np.array_equal(label, before):
            return label


def pools(links: Links, last_id: int) -> Iterator[Links]:
    """The connected components, as the links of each, in the order of their lowest id.

    Args:
        last_id: no id is higher. Takes 8 bytes of memory for each id.
    """
    if not len(links):
        return
    parent = np.arange(last_id + 1, dtype=np.int64)

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = int(parent[node])
        return node

    for low, high in zip(links.low.tolist(), links.high.tolist(), strict=True):
        one, other = root(low), root(high)
        # The lower id becomes the root, so that the order of pools depends on nothing else.
        if one != other:
            parent[max(one, other)] = min(one, other)
    roots = np.fromiter((root(node) for node in links.low.tolist()), np.int64, len(links))
    order = np.argsort(roots, kind="stable")
    starts = np.flatnonzero(np.diff(roots[order], prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        part = order[start:stop]
        yield Links(links.low[part], links.high[part], links.covering[part])
