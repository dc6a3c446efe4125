"""groups.jsonl, read at random: where each group is, and what groups are sorted and filtered by.

Read once from end to end when opened; after that a page of groups costs as much as its lines.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resolve.lists import GROUPS
from resolve.page.cards import Row, bytes_to_free, lowest_score, relations
from storage.errors import IndexStorageError, UsageError
from verify.verdict import Relation

RELATIONS = tuple(Relation)
RowSeen = Callable[[int, Row], None]
# Two thirds of a line, for nothing that is asked of all of them. No name can look like it: within a
# string the quotes are escaped.
_MEASUREMENTS = re.compile(rb'"measurements": \{[^{}]*\}, ')


class Order(StrEnum):
    """What comes first."""

    UNCERTAIN = "uncertain"
    CERTAIN = "certain"
    BYTES = "bytes"


class GroupsFile:
    """The groups of one result. Safe in several threads. Use `open_groups`.

    Attributes:
        scores: float64 (n,), of the least certain copy.
        bytes: int64 (n,), what the copies take.
        relations: uint16 (n,), a bit for each of `RELATIONS`.
        copies: int64 (n,), how many files may go.
        ids: of the groups; equal ones come in the order of these.
        folders: names; folders_of: for each group, places in `folders`.
    """

    def __init__(self, content: mmap.mmap | bytes, path: Path, on_row: RowSeen | None) -> None:
        self._content = content
        self._starts = array("q", [0])
        self.ids: list[str] = []
        self.folders: list[str] = []
        self.folders_of: list[tuple[int, ...]] = []
        places: dict[str, int] = {}
        scores, sizes = array("d"), array("q")
        bits, copies = array("H"), array("q")
        start = 0
        while start < len(content):
            end = content.find(b"\n", start) + 1 or len(content)
            row = _parsed(_MEASUREMENTS.sub(b"", content[start:end]), path, len(self.ids) + 1)
            try:
                scores.append(lowest_score(row))
                sizes.append(bytes_to_free(row))
                bits.append(sum(1 << RELATIONS.index(relation) for relation in relations(row)))
                copies.append(len(row["members"]))
                self.ids.append(str(row["id"]))
                names = (image["path"] for image in (row["keeper"], *row["members"]))
                folders = dict.fromkeys(name.rpartition("/")[0] + "/" for name in names)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise _no_groups(path, len(self.ids) + 1) from error
            for folder in folders:
                if folder not in places:
                    places[folder] = len(self.folders)
                    self.folders.append(folder)
            self.folders_of.append(tuple(places[folder] for folder in folders))
            if on_row is not None:
                on_row(len(self.ids) - 1, row)
            start = end
            self._starts.append(start)
        self.scores: NDArray[np.float64] = np.array(scores, np.float64)
        self.bytes: NDArray[np.int64] = np.array(sizes, np.int64)
        self.relations: NDArray[np.uint16] = np.array(bits, np.uint16)
        self.copies: NDArray[np.int64] = np.array(copies, np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, place: int) -> Row:
        """The line at this place of the file, parsed."""
        row: Row = json.loads(self._content[self._starts[place] : self._starts[place + 1]])
        return row

    def ordered(self, order: Order = Order.UNCERTAIN) -> NDArray[np.int64]:
        """int64 (n,): places in the order asked for; among equals, by id."""
        ids = np.array(self.ids, "U16")
        first = {
            Order.UNCERTAIN: self.scores,
            Order.CERTAIN: -self.scores,
            Order.BYTES: -self.bytes,
        }[order]
        return np.lexsort((ids, first)).astype(np.int64)

    def in_folders(self, text: str) -> NDArray[np.bool_]:
        """bool (n,): whether a file of the group lies in a folder whose name has this in it."""
        wanted = text.casefold()
        found = {place for place, name in enumerate(self.folders) if wanted in name.casefold()}
        return np.array([not found.isdisjoint(places) for places in self.folders_of], np.bool_)

    def with_relation(self, relation: Relation) -> NDArray[np.bool_]:
        """bool (n,): whether a copy of the group is of this kind."""
        return np.asarray(self.relations & (1 << RELATIONS.index(relation)) != 0)


@contextmanager
def open_groups(folder: Path, on_row: RowSeen | None = None) -> Iterator[GroupsFile]:
    """The groups.jsonl in the folder of the lists.

    Args:
        on_row: told of each line, without its measurements, and its place while it is read.

    Raises:
        UsageError: there is none, or it is none.
        IndexStorageError: it cannot be read.
    """
    path = folder / GROUPS
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            # A result that is replaced meanwhile leaves this one as it was. Nothing of no length
            # can be mapped.
            content = (
                stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
                if os.fstat(file.fileno()).st_size
                else b""
            )
        except FileNotFoundError as error:
            raise UsageError(
                f"There is no {GROUPS} in {folder}.",
                f"Make the lists with `dedup resolve --out {folder}`, or name their folder.",
            ) from error
        except OSError as error:
            raise IndexStorageError(
                f"{path} cannot be read ({error.strerror or error}).", "Make it readable."
            ) from error
        yield GroupsFile(content, path, on_row)


def _parsed(line: bytes, path: Path, number: int) -> Row:
    try:
        row: Row = json.loads(line)
    except ValueError as error:
        raise _no_groups(path, number) from error
    return row


def _no_groups(path: Path, number: int) -> UsageError:
    return UsageError(f"{path}, line {number}, is no group.", "Resolve again.")
