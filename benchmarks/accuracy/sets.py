"""An evaluation set in memory: its pictures, and which pairs of them are true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation_set.truth import Picture, Role, read_truth

I32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class TruthSet:
    """Pictures with known truth. A picture is named by its place in `pictures`.

    Attributes:
        folder: where they are.
        pictures: in the order of truth.csv.
    """

    folder: Path
    pictures: Sequence[Picture]

    @classmethod
    def read(cls, folder: Path) -> TruthSet:
        """The set in this folder.

        Raises:
            UsageError: it is not one.
        """
        return cls(folder, read_truth(folder))

    @property
    def files(self) -> list[Path]:
        """The file of each picture."""
        return [self.folder / picture.path for picture in self.pictures]

    @cached_property
    def groups(self) -> I32:
        """int32 (n,): pictures with the same number are copies of one original."""
        numbers: dict[str, int] = {}
        return np.array(
            [numbers.setdefault(picture.group, len(numbers)) for picture in self.pictures], np.int32
        )

    @cached_property
    def is_original(self) -> NDArray[np.bool_]:
        """bool (n,)."""
        return np.array([picture.role is Role.ORIGINAL for picture in self.pictures], bool)

    @cached_property
    def members(self) -> dict[int, list[int]]:
        """Group to its pictures."""
        members: dict[int, list[int]] = defaultdict(list)
        for place, group in enumerate(self.groups.tolist()):
            members[group].append(place)
        return dict(members)

    @cached_property
    def copies(self) -> dict[int, int]:
        """Each copy and the original it was made from."""
        original = {
            group: place
            for group, places in self.members.items()
            for place in places
            if self.is_original[place]
        }
        return {
            place: original[group]
            for place, group in enumerate(self.groups.tolist())
            if self.pictures[place].role is Role.COPY and group in original
        }

    @property
    def pairs_of_one_group(self) -> int:
        """How many pairs are of one original, those of two copies included."""
        return sum(len(places) * (len(places) - 1) // 2 for places in self.members.values())
