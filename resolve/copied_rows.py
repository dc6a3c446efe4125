"""Rows of the lists of an earlier resolve, taken over where nothing has changed.

Most of a later resolve would be making rows anew that come out as they were. Only lists that are
byte for byte those which the earlier resolve wrote are used, and each row only for the blob it is
of: what is not found in its place is made anew.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import IO

from storage.codec import blob_key

# A row of groups.jsonl up to the path of its keeper; the id has always as many digits.
_BEFORE_PATH = '{"id": "0123456789abcdef", "keeper": {"path": '
_AFTER_ID = _BEFORE_PATH.index('", "keeper"')


def digests_of(paths: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of each file, hex."""
    found = {}
    for name, path in paths.items():
        with path.open("rb") as file:
            found[name] = file_digest(file, "sha256").hexdigest()
    return found


def opened_lists(
    folder: Path, names: Sequence[str], digests: Mapping[str, str], stack: ExitStack
) -> list[IO[str]] | None:
    """The lists in the folder, to be read; None unless each is there and has its digest."""
    if any(name not in digests for name in names):
        return None
    try:
        if digests_of({name: folder / name for name in names}) != {n: digests[n] for n in names}:
            return None
        return [
            stack.enter_context(
                # A carriage return is part of a name.
                (folder / name).open(encoding="utf-8", errors="surrogateescape", newline="\n")
            )
            for name in names
        ]
    except OSError:
        return None


class CopiedRows:
    """The rows of one list, given out in their order.

    Args:
        file: at its first row.
        begins: whether a row is that of the blob with a path, cheaply.
        path_of: the path a row is of.
        is_whole: False for a line that a row goes on after.
    """

    def __init__(
        self,
        file: IO[str],
        begins: Callable[[str, str], bool],
        path_of: Callable[[str], str],
        is_whole: Callable[[str], bool],
    ) -> None:
        self._file = file
        # Lines that were read and put back.
        self._ahead: deque[str] = deque()
        self._begins = begins
        self._path_of = path_of
        self._is_whole = is_whole
        self._row = self._next()

    @classmethod
    def of_csv(cls, file: IO[str]) -> CopiedRows:
        """Of keep.csv or delete.csv, whose first cell is the path."""
        rows = cls(file, _begins_csv, _path_of_csv, _is_whole_csv)
        # The names of the columns.
        rows._row = rows._next()
        return rows

    @classmethod
    def of_groups(cls, file: IO[str]) -> CopiedRows:
        """Of groups.jsonl."""
        return cls(file, _begins_group, _path_of_group, lambda _: True)

    def take(self, path: str) -> str | None:
        """The row of this blob; None without one. Paths are asked for in the order of the catalog:
        rows before it are passed over, for their blobs are gone or have other rows now."""
        while self._row:
            if self._begins(self._row, path):
                row, self._row = self._row, self._next()
                return row
            if blob_key(self._path_of(self._row)) >= blob_key(path):
                return None
            self._row = self._next()
        return None

    def take_all(self, paths: Sequence[str]) -> list[str] | None:
        """The rows of some blobs in the order of the catalog, where they follow each other.

        None where they do not, or have to be looked at one by one; then none is taken.
        """
        if not paths:
            return []
        first = self.take(paths[0])
        if first is None or len(paths) == 1:
            return None if first is None else [first]
        rows = [first, self._row, *self._lines(len(paths) - 2)]
        if (
            len(rows) == len(paths)
            and all(map(self._is_whole, rows))
            and all(map(str.startswith, rows, [f"{path}," for path in paths]))
        ):
            self._row = self._next()
            return rows
        self._ahead.extendleft(reversed(rows))
        self._row = self._next()
        return None

    def take_each(self, paths: Sequence[str]) -> list[str] | None:
        """The rows of these blobs; None where one has none, and then none is taken."""
        rows: list[str] = []
        for path in paths:
            row = self.take(path)
            if row is None:
                self.put_back(rows)
                return None
            rows.append(row)
        return rows

    def put_back(self, rows: Sequence[str]) -> None:
        """Undo that these were taken, which were the last ones."""
        self._ahead.extendleft(reversed([*rows, self._row]))
        self._row = self._next()

    def _lines(self, count: int) -> list[str]:
        """So many lines, or as many as there are."""
        ahead = [self._ahead.popleft() for _ in range(min(count, len(self._ahead)))]
        return ahead + list(islice(self._file, count - len(ahead)))

    def _next(self) -> str:
        row = self._line()
        while row and not self._is_whole(row):
            more = self._line()
            if not more:
                break
            row += more
        return row

    def _line(self) -> str:
        return self._ahead.popleft() if self._ahead else next(self._file, "")


def _begins_csv(row: str, path: str) -> bool:
    # A path with a comma in it is quoted.
    return row.startswith(f"{path},") or (row.startswith('"') and _path_of_csv(row) == path)


def _path_of_csv(row: str) -> str:
    if not row.startswith('"'):
        return row[: row.index(",")]
    end = row.index('"', 1)
    while row[end + 1 : end + 2] == '"':
        end = row.index('"', end + 2)
    return row[1:end].replace('""', '"')


def _is_whole_csv(row: str) -> bool:
    return '"' not in row or row.count('"') % 2 == 0


def _begins_group(row: str, path: str) -> bool:
    return row.startswith(f'", "keeper": {{"path": {json.dumps(path)}, ', _AFTER_ID)


def _path_of_group(row: str) -> str:
    path: str = json.JSONDecoder().raw_decode(row, len(_BEFORE_PATH))[0]
    return path
