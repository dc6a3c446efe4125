"""The journal of one `dedup apply`: what is about to be done, and what was done, on disk first.

One JSON object a line, ASCII. The first says what the run is; each other one that something of a
blob begins or ended. Lines are added and synced before the store is touched, and after. A kill can
cut off the last line, and a loss of power leave holes in the lines that were added last: what they
announced had not begun, and they are taken off. `append` tells of each line which addition it
belongs to, and how many lines of that follow it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from resolve.apply.steps import Act
from storage.azure_address import redact
from storage.durable import sync_path
from storage.errors import IndexLocked, IndexStorageError, UsageError

LAYOUT = 1


class State(StrEnum):
    """What the journal last says of a blob."""

    BEGUN = "begun"
    DONE = "done"
    GIVEN_UP = "given up"
    SKIPPED = "skipped"
    UNDOING = "undoing"
    UNDONE = "undone"
    NOT_UNDONE = "not undone"


_OF_UNDO = frozenset((State.UNDOING, State.UNDONE, State.NOT_UNDONE))


@dataclass(frozen=True, slots=True)
class Header:
    """What a journal is of.

    Attributes:
        run: its name, also of its folder in the quarantine.
        action: "tag", "quarantine", "delete" or "link".
        list_sha256: of the delete.csv, hex. list_path: where that was.
        quarantine: the place; "" for none.
        started_at: seconds since the epoch.
    """

    run: str
    action: str
    list_sha256: str
    list_path: str
    quarantine: str
    started_at: float


def run_name(now: float) -> str:
    """A name no other run has. `now`: seconds since the epoch."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(3)}"


class Journal:
    """An open journal; no other process has it open. Use `create_or_open` or `open`.

    Memory: some 200 bytes for each blob.

    Attributes:
        header: of what it is.
        path: the file.
    """

    def __init__(self, path: Path, descriptor: int, header: Header | None) -> None:
        self.path = path
        self._descriptor = descriptor
        self._states: dict[str, State] = {}
        self._offsets: dict[str, int] = {}
        self._append_number = 0
        found = self._read()
        if found is None:
            if header is None:
                raise UsageError(f"{path} is no journal of dedup apply: it is empty.", _REMEDY)
            found = header
            self._append([{"journal": LAYOUT, **asdict(header)}])
        with _faults(path):
            # Each time: who made the file may have been killed before its name was on the disk.
            sync_path(path.parent)
        self.header = found

    @classmethod
    def create_or_open(cls, path: Path, header: Header) -> Journal:
        """The journal at `path`, made with this header when there is none.

        Raises:
            UsageError: it is of another list or another action, or no journal, or being undone.
            IndexLocked: another process has it open.
            IndexStorageError: it cannot be written.
        """
        journal = cls._locked(path, os.O_RDWR | os.O_CREAT, header)
        theirs = journal.header
        try:
            if (theirs.list_sha256, theirs.action) != (header.list_sha256, header.action):
                raise UsageError(
                    f"The journal {path} is of {theirs.action} with another list "
                    f"({theirs.list_path}).",
                    "Name another with --journal FILE.",
                )
            if header.quarantine and theirs.quarantine != header.quarantine:
                raise UsageError(
                    f"The journal {path} is of a run with the quarantine {theirs.quarantine}.",
                    "Give the same quarantine, or another --journal FILE.",
                )
            if any(state in _OF_UNDO for state in journal._states.values()):
                raise UsageError(
                    f"The journal {path} is of a run that was undone, or is being undone.",
                    "Finish it with `dedup undo`, or name another with --journal FILE.",
                )
        except UsageError:
            journal.close()
            raise
        return journal

    @classmethod
    def open(cls, path: Path) -> Journal:
        """The journal at `path`.

        Raises:
            UsageError: there is none.
            IndexLocked, IndexStorageError: as above.
        """
        if not path.is_file():
            raise UsageError(f"There is no journal {path}.", _REMEDY)
        return cls._locked(path, os.O_RDWR, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closing twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def is_undone(self) -> bool:
        """Whether all that it says was begun has been taken back by `dedup undo`."""
        settled = (State.UNDONE, State.GIVEN_UP)
        return self.count(State.UNDONE) > 0 and self.count(*settled) == len(self._states)

    def state(self, uri: str) -> State | None:
        """What it last says of this blob; None when it says nothing but that it was skipped."""
        return self._states.get(uri)

    def act(self, uri: str) -> Act:
        """The act on a blob that was begun. Raises UsageError when the file is damaged."""
        with _faults(self.path):
            line = self._line_at(self._offsets[uri])
        return _parsed_act(self.path, line)

    def uris(self, *states: State) -> list[str]:
        """The blobs in these states, those begun last first."""
        return [uri for uri in reversed(self._offsets) if self._states[uri] in states]

    def count(self, *states: State) -> int:
        """How many blobs are in these states."""
        return sum(state in states for state in self._states.values())

    def begin(self, acts: Sequence[Act]) -> None:
        """On disk before the first of them is done."""
        self._append([{"state": State.BEGUN, "uri": act.uri, "act": act.as_json()} for act in acts])

    def note(self, state: State, reasons: Mapping[str, str]) -> None:
        """On disk that these blobs are in this state, each for its reason; "" for none."""
        now = round(time.time(), 3)
        rows = []
        for uri, reason in reasons.items():
            row: dict[str, Any] = {"state": state, "uri": uri, "at": now}
            rows.append(row | ({"reason": redact(reason)} if reason else {}))
        self._append(rows)

    @classmethod
    def _locked(cls, path: Path, flags: int, header: Header | None) -> Journal:
        with _faults(path):
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            with _faults(path):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(path, descriptor, header)
        except BlockingIOError as error:
            os.close(descriptor)
            raise IndexLocked(
                f"Another process has the journal {path} open.", "Wait until it has finished."
            ) from error
        except BaseException:
            os.close(descriptor)
            raise

    def _append(self, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        with _faults(self.path):
            start = os.lseek(self._descriptor, 0, os.SEEK_END)
            lines = [
                json.dumps(row | self._place(row, len(rows) - number)).encode() + b"\n"
                for number, row in enumerate(rows, 1)
            ]
            content = b"".join(lines)
            try:
                written = 0
                while written < len(content):
                    written += os.write(self._descriptor, content[written:])
                os.fsync(self._descriptor)
            except OSError:
                # A full disk: half a line must not be followed by another.
                os.ftruncate(self._descriptor, start)
                raise
        self._append_number += 1
        for row, line in zip(rows, lines, strict=True):
            self._take(row, start)
            start += len(line)

    def _place(self, row: Mapping[str, Any], left: int) -> dict[str, list[int]]:
        # Not of the first line, whose keys earlier versions know.
        return {"append": [self._append_number, left]} if "state" in row else {}

    def _read(self) -> Header | None:
        header: Header | None = None
        offset = 0
        last: tuple[int, int] | None = _NOTHING
        with _faults(self.path), os.fdopen(os.dup(self._descriptor), "rb") as file:
            for line in file:
                is_hole = b"\0" in line and last is not None and _are_of_one(file, last)
                if is_hole or not line.endswith(b"\n"):
                    os.ftruncate(self._descriptor, offset)
                    break
                row = _parsed(self.path, line)
                last = _append_of(row)
                if header is None:
                    header, last = _header(self.path, row), _HEADER
                else:
                    self._take(row, offset)
                offset += len(line)
        self._append_number = last[0] + 1 if last is not None else 0
        return header

    def _take(self, row: Mapping[str, Any], offset: int) -> None:
        if "state" not in row:
            return
        try:
            state, uri = State(row["state"]), str(row["uri"])
        except (ValueError, KeyError) as error:
            raise _damaged(self.path) from error
        if state is State.BEGUN:
            # Last begun is last in order, for undo goes backwards.
            self._offsets.pop(uri, None)
            self._offsets[uri] = offset
        if state is not State.SKIPPED:
            self._states[uri] = state

    def _line_at(self, offset: int) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            piece = os.pread(self._descriptor, 4096, offset + len(line))
            if not piece:
                break
            end = piece.find(b"\n")
            line += piece if end < 0 else piece[: end + 1]
        return bytes(line)


# As `_append_of` would say it.
_NOTHING, _HEADER = (-1, 0), (0, 0)
_REMEDY = "Name a journal that `dedup apply --yes` wrote: it says where at its end."


def _parsed(path: Path, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(row, dict):
        raise _damaged(path)
    return row


def _append_of(row: dict[str, Any]) -> tuple[int, int] | None:
    """Which addition a line is of, and how many of its lines follow; None for one of before that
    was told. Taken out of the row."""
    found = row.pop("append", None)
    if not isinstance(found, list) or [type(each) for each in found] != [int, int]:
        return None
    return found[0], found[1]


def _are_of_one(lines: Iterable[bytes], last: tuple[int, int]) -> bool:
    """Whether all these are of one addition: that which `last` is not the end of, or the next.

    Only what was added last may have holes: all before it was synced.
    """
    number, left = last
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        append = _append_of(row) if isinstance(row, dict) else None
        if append is None or append[0] != (number if left else number + 1):
            return False
    return True


def _parsed_act(path: Path, line: bytes) -> Act:
    try:
        return Act.from_json(_parsed(path, line)["act"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error


def _header(path: Path, row: dict[str, Any]) -> Header:
    layout = row.pop("journal", None)
    if layout is not None and layout != LAYOUT:
        raise UsageError(
            f"The journal {path} has layout {layout}, this version knows {LAYOUT}.",
            "Use the version of dedup that made it.",
        )
    try:
        if layout is None:
            raise ValueError("no header")
        return Header(**row)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path} is no journal of dedup apply.", _REMEDY) from error


def _damaged(path: Path) -> UsageError:
    return UsageError(
        f"The journal {path} is damaged: a line of it is not what was written there.",
        "Restore it from a backup; the blobs are where the lines before it say.",
    )


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        raise IndexStorageError(
            f"The journal {path} cannot be written or read ({error.strerror or error}).",
            "Nothing is done without it: free some space, or name another with --journal FILE.",
        ) from error
