"""The lists that `dedup resolve` wrote, as they are now: another resolve may replace them."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resolve.lists import GROUPS, LIST_FILES, SUMMARY
from resolve.page.cards import Row
from resolve.page.groups_file import GroupsFile, Order, open_groups
from storage.errors import UsageError
from verify.verdict import Relation


@dataclass(eq=False)
class OpenGroups:
    """One state of groups.jsonl; its file is closed when nobody holds this any more."""

    groups: GroupsFile
    _stack: ExitStack
    _orders: dict[Order, NDArray[np.int64]] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)

    def page(
        self, order: Order, relation: Relation | None, first: int, count: int
    ) -> tuple[int, list[Row]]:
        """How many groups there are of this kind, and some of them."""
        if order not in self._orders:
            self._orders[order] = self.groups.ordered(order)
        places = self._orders[order]
        if relation is not None:
            places = places[self.groups.with_relation(relation)[places]]
        return len(places), [self.groups.row(int(p)) for p in places[first : first + count]]

    def group(self, name: str) -> Row | None:
        """The group of that id."""
        if not self._places:
            self._places.update({name: place for place, name in enumerate(self.groups.ids)})
        place = self._places.get(name)
        return None if place is None else self.groups.row(place)


class ResultLists:
    """The folder of the lists. Safe in several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._opened: OpenGroups | None = None
        self._seen: tuple[int, int, int] | None = None

    def path(self, name: str) -> Path | None:
        """Where a list is; None when it was not made. Only names of lists are known."""
        path = self._folder / name
        return path if name in LIST_FILES and path.is_file() else None

    def summary(self) -> dict[str, Any] | None:
        """What summary.json says; None when there are no lists."""
        path = self.path(SUMMARY)
        if path is None:
            return None
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found

    def groups(self) -> OpenGroups | None:
        """The groups; None when there are no lists."""
        path = self.path(GROUPS)
        if path is None:
            return None
        state = path.stat()
        seen = (state.st_ino, state.st_mtime_ns, state.st_size)
        with self._guard:
            if self._opened is None or seen != self._seen:
                stack = ExitStack()
                try:
                    self._opened = OpenGroups(stack.enter_context(open_groups(self._folder)), stack)
                except UsageError:
                    return None
                self._seen = seen
            return self._opened
