"""What the plots of the report count: over the groups while they are read, over unreadable.csv."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from resolve.lists import UNREADABLE
from resolve.page.cards import Row
from resolve.page.text import shown_path

_KINDS = 8
_OTHER = "other reasons"
# Where the scores of copies crowd is near 1.
_SCORES = (
    (0.9999, "99.99 % and more"),
    (0.999, "99.9 to 99.99 %"),
    (0.99, "99 to 99.9 %"),
    (0.98, "98 to 99 %"),
    (0.95, "95 to 98 %"),
    (0.9, "90 to 95 %"),
    (0.0, "below 90 %"),
)
_SIZES = ((2, "2"), (3, "3"), (4, "4"), (9, "5 to 9"), (99, "10 to 99"))
_LARGEST = "100 and more"


@dataclass(slots=True)
class Tally:
    """Counts by the labels that the plots have.

    Attributes:
        sizes: groups by their number of files, the keeper included.
        scores: copies by how sure the verdict is.
        bytes: what the copies take, by relation.
    """

    sizes: Counter[str] = field(default_factory=Counter)
    scores: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)

    def saw(self, place: int, row: Row) -> None:
        """A line of groups.jsonl."""
        files = 1 + len(row["members"])
        self.sizes[next((label for most, label in _SIZES if files <= most), _LARGEST)] += 1
        for member in row["members"]:
            score = float(member["score"])
            self.scores[next(label for least, label in _SCORES if score >= least)] += 1
            self.bytes[str(member["relation"])] += int(member["bytes"])

    @property
    def by_size(self) -> dict[str, int]:
        """`sizes`, the smallest first."""
        labels = [*(label for _, label in _SIZES), _LARGEST]
        return {label: self.sizes[label] for label in labels if self.sizes[label]}

    @property
    def by_score(self) -> dict[str, int]:
        """`scores`, the surest first."""
        return {label: self.scores[label] for _, label in _SCORES if self.scores[label]}


def unreadable_kinds(folder: Path) -> Mapping[str, int]:
    """Kind to the number of files in unreadable.csv, the most frequent first.

    A kind is what a reason says before its particulars, without its numbers.
    """
    kinds: Counter[str] = Counter()
    with (folder / UNREADABLE).open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            kinds[_kind(row["reason"])] += 1
    found = dict(kinds.most_common(_KINDS))
    rest = kinds.total() - sum(found.values())
    return found | ({_OTHER: rest} if rest else {})


def _kind(reason: str) -> str:
    said = re.split(r"[:;(]", reason, maxsplit=1)[0].strip(" .'")
    return shown_path(re.sub(r"\d[\d.,×]*", "…", said)) or _OTHER
