"""Rows of the lists of an earlier resolve, taken over where nothing has changed.

Most of a later resolve would be making rows anew that come out as they were. Only lists that are
byte for byte those which the earlier resolve wrote are used, and each row only for the blob it is
of: what is not found in its place is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import file_digest
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

    def _next(self) -> str:
        row = next(self._file, "")
        while row and not self._is_whole(row):
            more = next(self._file, "")
            if not more:
                break
            row += more
        return row


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
