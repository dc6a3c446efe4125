"""Which pools have to be grouped: all, or those that have changed since an earlier resolve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resolve.blobs import BlobCensus
from resolve.earlier import Earlier
from resolve.groups import Constraints, Group
from resolve.links import Links, pools_of

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What is left to group.

    Attributes:
        links: all copy verdicts, of the earlier resolve and of this one, between images that are
            still there.
        open_links: those of the pools that have to be grouped.
        groups: of the other pools, as they were.
        images_before: that the earlier resolve had searched for and that are still there.
        as_before: bool (last id + 1,): images with the blobs they had, in a pool that is as it was.
    """

    links: Links
    open_links: Links
    groups: tuple[Group, ...]
    images_before: int
    as_before: Flags

    @classmethod
    def since(
        cls, earlier: Earlier | None, new: Links, census: BlobCensus, constraints: Constraints
    ) -> Changes:
        """What has changed since an earlier resolve; everything without one.

        A pool has changed when an image of it is new, is gone, was searched for again, has other
        blobs, or may be deleted now and could not be then, or the other way round.

        Args:
            new: the copy verdicts of this resolve.
        """
        if earlier is None:
            return cls(new, new, (), 0, np.zeros(len(census.of_image), np.bool_))
        images = len(census.of_image)
        known = earlier.searched.last_id + 1
        is_there = census.blobs_of_image > 0
        is_changed = np.ones(images, np.bool_)
        before = min(known, images)
        is_changed[:before] = census.of_image[:before] != earlier.blobs[:before]
        undeletable = np.zeros(images, np.bool_)
        undeletable[[n for n in constraints.undeletable if n < images]] = True
        is_changed[earlier.searched.again] = True
        is_changed[:before] |= undeletable[:before] != earlier.undeletable[:before]
        both = _together(earlier.links, new).once()
        label = pools_of(both, images)
        is_open = np.zeros(images, np.bool_)
        is_open[label[np.flatnonzero(is_changed)]] = True
        is_open[label[new.low]] = True
        alive = is_there[both.low] & is_there[both.high]
        links = both.where(alive)
        return cls(
            links,
            links.where(is_open[label[links.low]]),
            tuple(group for group in earlier.groups if not is_open[label[group.keeper]]),
            int(is_there[:before].sum()),
            is_there & ~is_changed & ~is_open[label],
        )


def _together(one: Links, other: Links) -> Links:
    return Links(
        np.concatenate([one.low, other.low]),
        np.concatenate([one.high, other.high]),
        np.concatenate([one.covering, other.covering]),
    )
