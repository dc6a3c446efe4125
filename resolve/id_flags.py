"""A set of image ids at one byte an id, for sets that may hold most of a collection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


class IdFlags(Collection[int]):
    """Image ids up to a highest one. Ids above it are not in the set and cannot be added."""

    def __init__(self, last_id: int) -> None:
        self._flags: NDArray[np.bool_] = np.zeros(last_id + 1, np.bool_)

    def add(self, image_id: int) -> None:
        """Put an id in. An id above the highest is ignored: nothing is asked about it."""
        if image_id < len(self._flags):
            self._flags[image_id] = True

    def with_ids(self, ids: Iterable[int]) -> IdFlags:
        """This set and these ids, as another set."""
        union = IdFlags(0)
        union._flags = self._flags.copy()
        for image_id in ids:
            union.add(image_id)
        return union

    def __or__(self, other: IdFlags) -> IdFlags:
        union = IdFlags(0)
        union._flags = self._flags | other._flags
        return union

    def __contains__(self, image_id: object) -> bool:
        if not isinstance(image_id, (int, np.integer)):
            return False
        return bool(0 <= image_id < len(self._flags) and self._flags[image_id])

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self._flags).tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(self._flags))
