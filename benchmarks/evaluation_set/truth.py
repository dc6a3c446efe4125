"""truth.csv: which pictures of a set are copies of one another, and how each came to be."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from storage.errors import UsageError

TRUTH_FILE = "truth.csv"
COLUMNS = ("path", "group", "role", "edit")
# In the column `edit` of a look-alike: lookalike:<family>:<instance>.
LOOKALIKE = "lookalike"


class Role(StrEnum):
    """What a picture is in its set."""

    ORIGINAL = "original"
    COPY = "copy"
    DISTRACTOR = "distractor"
    LOOKALIKE = "lookalike"


@dataclass(frozen=True, slots=True)
class Picture:
    """One row of truth.csv.

    Attributes:
        path: relative to the folder of the set, with forward slashes.
        group: pictures of one group are copies of one original, all others are not.
        role: what it is.
        edit: the name of the edit that made a copy; `lookalike:<family>:<instance>` for a
            look-alike; the role's name for the others.
    """

    path: str
    group: str
    role: Role
    edit: str

    @property
    def family(self) -> str:
        """The family of a look-alike; empty for other pictures."""
        return self.edit.split(":")[1] if self.role is Role.LOOKALIKE else ""


def write_truth(pictures: Iterable[Picture], folder: Path) -> None:
    """Writes truth.csv into the folder of the set."""
    with (folder / TRUTH_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for picture in pictures:
            writer.writerow((picture.path, picture.group, picture.role.value, picture.edit))


def read_truth(folder: Path) -> list[Picture]:
    """The pictures of a set, in the order of its truth.csv.

    Raises:
        UsageError: there is no truth.csv, it has other columns, a path stands in it twice, or a
            picture that it names is missing.
    """
    path = folder / TRUTH_FILE
    if not path.is_file():
        raise UsageError(
            f"{folder} is no evaluation set: it has no {TRUTH_FILE}.",
            "Make one with python -m benchmarks.evaluation_set.make_set.",
        )
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise UsageError(f"{path} has other columns than {', '.join(COLUMNS)}.")
        pictures = [_picture(row, path, reader.line_num) for row in reader]
    seen: set[str] = set()
    for picture in pictures:
        if picture.path in seen:
            raise UsageError(f"{path} names {picture.path} twice.")
        seen.add(picture.path)
        if not (folder / picture.path).is_file():
            raise UsageError(f"{path} names {picture.path}, which is not there.")
    return pictures


def _picture(row: dict[str, str], path: Path, line: int) -> Picture:
    try:
        role = Role(row["role"])
    except ValueError:
        raise UsageError(
            f"Line {line} of {path} has the role {row['role']!r}.",
            f"Roles are {', '.join(Role)}.",
        ) from None
    if role is Role.LOOKALIKE and row["edit"].count(":") != 2:
        raise UsageError(f"Line {line} of {path}: a look-alike's edit is lookalike:FAMILY:NUMBER.")
    return Picture(row["path"], row["group"], role, row["edit"])
