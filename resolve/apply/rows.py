"""Reading delete.csv, and refusing one that is not whole, or that would delete a keeper.

The file is read twice: once to check all of it before anything is done, once to do it. Between
the two only 8 bytes a row are kept of each column.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resolve.lists import DELETE_COLUMNS
from storage.errors import IndexStorageError, UsageError
from verify.verdict import Relation

_REMEDY = "Give a delete.csv as `dedup resolve` wrote it, or with rows taken out of it."


@dataclass(frozen=True, slots=True)
class Row:
    """One row of delete.csv.

    Attributes:
        path, keep: URIs of the copy and of what stays in its place.
        relation, score, size, group: as in the list.
    """

    path: str
    keep: str
    relation: Relation
    score: float
    size: int
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class DeleteList:
    """A delete.csv that was read to its end and may be acted on.

    Attributes:
        path: the file.
        sha256: of its bytes, hex: which list a journal belongs to.
        rows: how many. bytes: of the copies together.
        has_files: some are files, not blobs of an account.
    """

    path: Path
    sha256: str
    rows: int
    bytes: int
    has_files: bool
    _paths: NDArray[np.uint64]

    def __iter__(self) -> Iterator[Row]:
        """The rows in their order. Raises what `check_list` does."""
        return _rows(self.path)

    def has(self, uri: str) -> bool:
        """Whether this is to be deleted; once in very many times true of what is not."""
        short = np.uint64(_short(uri))
        place = int(np.searchsorted(self._paths, short))
        return place < len(self._paths) and bool(self._paths[place] == short)


def check_list(path: Path) -> DeleteList:
    """Reads all of it.

    Raises:
        UsageError: no such file; another header; a row that is none, or twice in it; a keeper that
            is itself to be deleted.
        IndexStorageError: it cannot be read.
    """
    paths, keeps = array("Q"), array("Q")
    count = size = files = 0
    for row in _rows(path):
        paths.append(_short(row.path))
        keeps.append(_short(row.keep))
        count += 1
        size += row.size
        files += row.path.startswith("/")
    _refuse_twice(path, paths)
    _refuse_deleted_keepers(path, paths, keeps)
    with _readable(path), path.open("rb") as file:
        found = sha256()
        while piece := file.read(1 << 20):
            found.update(piece)
    ordered = np.sort(np.asarray(paths, np.uint64))
    return DeleteList(path, found.hexdigest(), count, size, files > 0, ordered)


def _refuse_twice(path: Path, paths: array[int]) -> None:
    values, counts = np.unique(np.asarray(paths, np.uint64), return_counts=True)
    suspects = frozenset(values[counts > 1].tolist())
    seen: set[str] = set()
    for row in _rows(path) if suspects else ():
        if _short(row.path) in suspects:
            if row.path in seen:
                raise UsageError(f"{path} has {row.path} twice.", _REMEDY)
            seen.add(row.path)


def _refuse_deleted_keepers(path: Path, paths: array[int], keeps: array[int]) -> None:
    suspects = frozenset(
        np.intersect1d(np.asarray(paths, np.uint64), np.asarray(keeps, np.uint64)).tolist()
    )
    if not suspects:
        return
    # Two names with one short hash are told apart by the names themselves.
    deleted = {row.path for row in _rows(path) if _short(row.path) in suspects}
    for row in _rows(path):
        if row.keep in deleted:
            raise UsageError(
                f"{path} would delete a keeper: {row.keep} is to be deleted, and is what stays in "
                f"place of {row.path}.",
                "Two lists were mixed: run `dedup resolve` again.",
            )


def _rows(path: Path) -> Iterator[Row]:
    with (
        _readable(path),
        path.open(encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            if tuple(header) != DELETE_COLUMNS:
                raise UsageError(
                    f"{path} is no delete.csv of this version: its columns are "
                    f"{', '.join(header)[:200] or 'none'}, not {', '.join(DELETE_COLUMNS)}.",
                    _REMEDY,
                )
            for cells in reader:
                yield _row(cells, path, reader.line_num)
        except csv.Error as error:
            raise UsageError(f"{path}, line {reader.line_num}: {error}.", _REMEDY) from error


def _row(cells: list[str], path: Path, line: int) -> Row:
    try:
        uri, keep, relation, score, size, group, _ = cells
        row = Row(uri, keep, Relation(relation), float(score), int(size), group)
    except ValueError as error:
        raise UsageError(f"{path}, line {line} is no row of a delete.csv.", _REMEDY) from error
    is_sound = (
        row.path
        and row.keep
        and row.path != row.keep
        and row.relation is not Relation.DIFFERENT
        and 0 <= row.score <= 1
        and row.size >= 0
    )
    if not is_sound:
        raise UsageError(f"{path}, line {line} makes no sense: {','.join(cells)[:300]}", _REMEDY)
    return row


def _short(uri: str) -> int:
    digest = blake2b(uri.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(f"There is no list {path} ({error.strerror}).", _REMEDY) from error
    except OSError as error:
        raise IndexStorageError(
            f"The list {path} cannot be read ({error.strerror or error}).", "Make it readable."
        ) from error
