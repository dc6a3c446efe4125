"""decisions.jsonl as the review writes it: a line is on the disk before the page says "saved".

Lines are added at the end, and undoing takes the lines of the last entry out again, each in a new
file that takes the old one's place: half a line would be an error for every later resolve. What
others wrote stays as it is, letter by letter.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resolve.decisions import Decisions, read_decisions
from storage.durable import sync_path
from storage.errors import IndexLocked, IndexStorageError

BY = "dedup review"


@dataclass(frozen=True, slots=True)
class Kept:
    """This picture stays."""

    digest: str


@dataclass(frozen=True, slots=True)
class Apart:
    """These two are different pictures."""

    a: str
    b: str


Decision = Kept | Apart


class DecisionsFile:
    """The file, of which this process is the only writer. Safe in several threads. Use `open`.

    Args:
        path: it need not exist.
        others: files that are read too and never written.
    """

    def __init__(self, path: Path, others: Sequence[Path] = ()) -> None:
        self.path = path
        self._others = tuple(others)
        self._guard = threading.Lock()
        self._known = read_decisions(path, *self._others)
        with _faults(path):
            self._can_undo = any(_note(line) is not None for line in self._lines())

    @classmethod
    @contextmanager
    def open(cls, path: Path, others: Sequence[Path] = ()) -> Iterator[DecisionsFile]:
        """The file, until the end of the block.

        Raises:
            IndexLocked: another review writes to it.
            UsageError: a line is no decision.
            IndexStorageError: the folder cannot be written to.
        """
        with _faults(path):
            descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            with _faults(path):
                if not os.access(path.parent, os.W_OK):
                    raise PermissionError(13, "not permitted")
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise IndexLocked(
                        f"Another review writes to {path}.", "Close it, or go on in its page."
                    ) from error
            yield cls(path, others)
        finally:
            os.close(descriptor)

    @property
    def known(self) -> Decisions:
        """All that hold now, those of the other files too."""
        return self._known

    def is_known(self, decision: Decision) -> bool:
        """Whether somebody decided so before."""
        if isinstance(decision, Kept):
            return bytes.fromhex(decision.digest) in self._known.keep
        return _pair(decision) in self._known.not_same

    def add(self, decisions: Sequence[Decision], group: str) -> int:
        """Write those that are new, to be undone together; how many there were.

        Raises:
            IndexStorageError: full, read-only or faulty. Nothing was decided then.
        """
        with self._guard:
            new = [decision for decision in decisions if not self.is_known(decision)]
            if new:
                note = {
                    "by": BY,
                    "at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "group": group,
                    "entry": secrets.token_hex(6),
                }
                lines = "".join(json.dumps(_row(decision) | note) + "\n" for decision in new)
                with _faults(self.path):
                    self._append(lines.encode())
                self._known = _with(self._known, new)
                self._can_undo = True
            return len(new)

    def undo(self) -> str | None:
        """Take back what was written last by a review; the group it was about, None for nothing.

        Raises:
            IndexStorageError: full, read-only or faulty. Nothing was taken back then.
        """
        with self._guard:
            with _faults(self.path):
                lines = self._lines()
                notes = [_note(line) for line in lines]
                last = next((note for note in reversed(notes) if note is not None), None)
                if last is None:
                    return None
                entry, group = last
                staying = [
                    number for number, note in enumerate(notes) if note is None or note[0] != entry
                ]
                self._replace(b"".join(lines[number] for number in staying))
            self._can_undo = any(notes[number] is not None for number in staying)
            self._known = read_decisions(self.path, *self._others)
            return group

    @property
    def can_undo(self) -> bool:
        """Whether a review has written something that stands."""
        return self._can_undo

    def _lines(self) -> list[bytes]:
        try:
            with self.path.open("rb") as file:
                return file.readlines()
        except FileNotFoundError:
            return []

    def _append(self, lines: bytes) -> None:
        content = b"".join(self._lines())
        if content and not content.endswith(b"\n"):
            # Written by hand, without an end to the last line.
            content += b"\n"
        self._replace(content + lines)

    def _replace(self, content: bytes) -> None:
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                with suppress(FileNotFoundError):
                    shutil.copymode(self.path, temporary)
                os.fsync(file.fileno())
            temporary.replace(self.path)
            sync_path(self.path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _with(known: Decisions, new: Sequence[Decision]) -> Decisions:
    kept = {bytes.fromhex(each.digest) for each in new if isinstance(each, Kept)}
    apart = {_pair(each) for each in new if isinstance(each, Apart)}
    return Decisions(known.not_same | apart, known.keep | kept)


def _pair(apart: Apart) -> tuple[bytes, bytes]:
    low, high = sorted((bytes.fromhex(apart.a), bytes.fromhex(apart.b)))
    return low, high


def _row(decision: Decision) -> dict[str, str]:
    if isinstance(decision, Kept):
        return {"digest": decision.digest, "decision": "keep"}
    return {"a": decision.a, "b": decision.b, "decision": "not_same"}


def _note(line: bytes) -> tuple[str, str] | None:
    """Entry and group of a line that a review wrote; None for others."""
    try:
        row: Any = json.loads(line)
    except ValueError:
        # `read_decisions` has taken it: empty, or with line ends that are none to bytes.
        return None
    if not isinstance(row, dict) or row.get("by") != BY or "entry" not in row:
        return None
    return str(row["entry"]), str(row.get("group", ""))


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise IndexStorageError(
            f"Decisions cannot be written to {path} ({error.strerror or error}).",
            "Make the folder writable and free some space on its disk.",
        ) from error
