"""What a program asked the system to do with the files below a folder, in the order it did.

`strace` follows the program and its children and writes each call down with all its bytes; this
reads it. Calls that failed changed nothing and are left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

_CALLS = (
    "openat,close,dup,dup2,dup3,fcntl,lseek,write,pwrite64,writev,pwritev,pwritev2,"
    "copy_file_range,sendfile,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,msync,"
    "mmap,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,"
    "symlinkat,utimensat,clone,clone3,fork,vfork"
)
# More than any one call writes here.
_LONGEST = 100_000_000
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PLACE = re.compile(r"<((?:\\x[0-9a-f]{2})*)>(?:\(deleted\))?")
_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\w+)(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
# Calls that may name a file by where the program is.
_BY_NAME = ("rename(", "link(", "unlink(", "mkdir(", "rmdir(", "symlink(", "truncate(")
_UNFINISHED = " <unfinished ...>"
# Memory that is shared with others through a file and holds nothing that a restart needs.
_SHARED_MEMORY = frozenset(("lock.mdb",))


class Kind(StrEnum):
    """What is done to a file, or in a folder."""

    WRITE = "write"
    RESIZE = "resize"
    RESERVE = "reserve"
    SYNC = "sync"
    OPEN = "open"
    MAKE_FOLDER = "make folder"
    RENAME = "rename"
    LINK = "link"
    SYMLINK = "symlink"
    REMOVE = "remove"
    SET_TIME = "set time"


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of the files below the folder, or one sync of them.

    Attributes:
        kind: what.
        path: the file or folder, by its name at that time.
        opened: which opening of the file it came through; 0 for a call by name. A file that is
            renamed or removed keeps its openings.
        target: the new name (rename, link), what a symbolic link says, or how a file is opened.
        offset, data: of a write; an offset of -1 is the end of the file. `offset` is the new size
            for a resize, and the least size for a reservation.
        is_synced: this write is on the disk when the call returns (O_DSYNC).
        began: for a sync, how many operations were complete when it was asked for: only these it
            covers.
    """

    kind: Kind
    path: str
    opened: int = 0
    target: str = ""
    offset: int = 0
    data: bytes = b""
    is_synced: bool = False
    began: int = 0


def can_trace() -> str:
    """Why programs cannot be followed here; "" when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-e", "trace=write", "-o", "/dev/null", "true"],
        capture_output=True,
        check=False,
        text=True,
    )
    return f"strace may not follow programs here ({done.stderr.strip()})" if done.returncode else ""


def traced(command: Sequence[str], log: Path) -> list[str]:
    """`command`, to be followed; what it does is written to `log`."""
    options = ["-f", "--seccomp-bpf", "-y", "-xx", "-s", str(_LONGEST), "-e", "signal=none"]
    return ["strace", *options, "-e", f"trace={_CALLS}", "-o", str(log), *command]


def read_operations(log: Path, root: Path, started_in: Path = Path("/")) -> list[Operation]:
    """What was done below `root`, an absolute path without links.

    Args:
        started_in: where the program was started, and stayed.

    Raises:
        ValueError: something was done that this does not follow.
    """
    return list(_Reader(os.fsencode(root), os.fsdecode(started_in)).read(log))


@dataclass(slots=True)
class _Opening:
    path: str
    number: int
    position: int = 0
    is_appending: bool = False
    is_synced: bool = False


class _Reader:
    def __init__(self, root: bytes, started_in: str) -> None:
        self._started_in = started_in
        self._root = os.fsdecode(root)
        # In the log, names are hexadecimal.
        self._wanted = "".join(f"\\x{byte:02x}" for byte in root)
        self._parents: dict[str, tuple[str, bool]] = {}
        self._tables: dict[str, dict[int, _Opening]] = {}
        self._openings = 0
        self._done = 0

    def read(self, log: Path) -> Iterator[Operation]:
        lines = list(_whole_lines(log))
        for process, text, _ in lines:
            self._note_child(process, text)
        begun: list[int] = []
        for process, text, start in lines:
            begun.append(self._done)
            is_ours = self._wanted in text or text.startswith(_BY_NAME)
            match = _CALL.match(text) if is_ours else None
            if match is None or match[3].startswith("-") or match[3] == "?":
                continue
            for operation in self._operations(process, match[1], match[2], match[3], begun[start]):
                self._done += 1
                yield operation

    def _note_child(self, process: str, text: str) -> None:
        match = _CALL.match(text)
        if match is not None and match[1] in ("clone", "clone3", "fork", "vfork"):
            self._parents[match[3]] = (process, "CLONE_FILES" in match[2])

    def _table(self, process: str) -> dict[int, _Opening]:
        found = self._tables.get(process)
        if found is None:
            parent, is_shared = self._parents.get(process, ("", False))
            theirs = self._table(parent) if parent else {}
            found = self._tables[process] = theirs if is_shared else dict(theirs)
        return found

    def _operations(
        self, process: str, call: str, text: str, result: str, began: int
    ) -> Iterator[Operation]:
        texts = [_unhex(each) for each in _TEXT.findall(text)]
        places = [os.fsdecode(_unhex(each)) for each in _PLACE.findall(text)]
        plain = _PLACE.sub("", _TEXT.sub("S", text)).split(", ")
        table = self._table(process)
        match call:
            case "openat":
                yield from self._open(table, plain, os.fsdecode(texts[0]), places, result)
            case "close":
                table.pop(int(plain[0]), None)
            case "dup" | "dup2" | "dup3":
                self._copy(table, int(plain[0]), int(result))
            case "fcntl" if plain[1].startswith("F_DUPFD"):
                self._copy(table, int(plain[0]), int(result))
            case "lseek":
                if (opening := table.get(int(plain[0]))) is not None:
                    opening.position = int(result)
            case "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2":
                yield from self._write(table, call, plain, texts, int(result))
            case "ftruncate":
                if (opening := table.get(int(plain[0]))) is not None:
                    yield _resize(opening.path, int(plain[1]), opening.number)
            case "truncate":
                if self._is_below(path := self._full(texts[0], self._started_in)):
                    yield _resize(path, int(plain[1]))
            case "fallocate":
                if (opening := table.get(int(plain[0]))) is not None:
                    size = int(plain[2]) + int(plain[3])
                    yield Operation(Kind.RESERVE, opening.path, opening.number, offset=size)
            case "fsync" | "fdatasync":
                if (opening := table.get(int(plain[0]))) is not None:
                    yield Operation(Kind.SYNC, opening.path, opening.number, began=began)
            case "mmap":
                self._check_map(plain, places)
            case "utimensat":
                path = self._full(texts[0], places[0]) if texts else places[0]
                if self._is_below(path):
                    yield Operation(Kind.SET_TIME, path)
            case "copy_file_range" | "sendfile" | "sync_file_range" | "msync":
                if any(self._is_below(place) for place in places):
                    raise ValueError(f"{call} is not followed: {text[:200]}")
            case "fcntl" | "clone" | "clone3" | "fork" | "vfork":
                pass
            case _:
                yield from self._names(call, plain, texts, places)

    def _open(
        self,
        table: dict[int, _Opening],
        plain: Sequence[str],
        name: str,
        places: Sequence[str],
        result: str,
    ) -> Iterator[Operation]:
        path = self._full(os.fsencode(name), places[0] if places else "/")
        table.pop(int(result), None)
        flags = plain[2]
        # A file without a name leaves nothing behind.
        if not self._is_below(path) or "O_TMPFILE" in flags:
            return
        self._openings += 1
        opening = _Opening(path, self._openings)
        opening.is_appending = "O_APPEND" in flags
        opening.is_synced = "O_DSYNC" in flags or "O_SYNC" in flags
        table[int(result)] = opening
        yield Operation(Kind.OPEN, path, opening.number, target=flags)
        if "O_TRUNC" in flags:
            yield _resize(path, 0, opening.number)

    def _copy(self, table: dict[int, _Opening], old: int, new: int) -> None:
        if old in table:
            table[new] = table[old]
        else:
            table.pop(new, None)

    def _write(
        self,
        table: dict[int, _Opening],
        call: str,
        plain: Sequence[str],
        texts: Sequence[bytes],
        written: int,
    ) -> Iterator[Operation]:
        opening = table.get(int(plain[0]))
        if opening is None:
            return
        data = b"".join(texts)[:written]
        if call.startswith("pwrite"):
            offset = int(plain[3] if call == "pwrite64" else plain[-1])
        else:
            offset = -1 if opening.is_appending else opening.position
            opening.position += written
        yield Operation(
            Kind.WRITE,
            opening.path,
            opening.number,
            offset=offset,
            data=data,
            is_synced=opening.is_synced,
        )

    def _names(
        self, call: str, plain: Sequence[str], texts: Sequence[bytes], places: Sequence[str]
    ) -> Iterator[Operation]:
        bases = list(places) if call.endswith(("at", "at2")) else [self._started_in] * 2
        if call.startswith("symlink"):
            path = self._full(texts[1], bases[0])
            if self._is_below(path):
                yield Operation(Kind.SYMLINK, path, target=os.fsdecode(texts[0]))
            return
        paths = [
            self._full(text, bases[min(number, len(bases) - 1)])
            for number, text in enumerate(texts)
        ]
        if not any(self._is_below(path) for path in paths):
            return
        if call.startswith("rename"):
            yield Operation(Kind.RENAME, paths[0], target=paths[1])
        elif call.startswith("link"):
            yield Operation(Kind.LINK, paths[0], target=paths[1])
        elif call.startswith(("unlink", "rmdir")):
            yield Operation(Kind.REMOVE, paths[0])
        elif call.startswith("mkdir"):
            yield Operation(Kind.MAKE_FOLDER, paths[0])
        else:
            raise ValueError(f"{call} is not followed")

    def _check_map(self, plain: Sequence[str], places: Sequence[str]) -> None:
        is_written = "PROT_WRITE" in plain[2] and "MAP_SHARED" in plain[3]
        for place in places:
            is_ours = self._is_below(place) and PurePosixPath(place).name not in _SHARED_MEMORY
            if is_written and is_ours:
                raise ValueError(f"{place} is written through a map, which is not followed")

    def _full(self, name: bytes, base: str) -> str:
        return os.path.normpath(PurePosixPath(base) / os.fsdecode(name))

    def _is_below(self, path: str) -> bool:
        return path == self._root or path.startswith(self._root + "/")


def _resize(path: str, size: int, opened: int = 0) -> Operation:
    return Operation(Kind.RESIZE, path, opened, offset=size)


def _whole_lines(log: Path) -> Iterator[tuple[str, str, int]]:
    """Process, call with its result, and the number of the line at which it was asked for.

    The numbers are of the lines that this gives.
    """
    pending: dict[str, tuple[str, int]] = {}
    given = 0
    with log.open() as file:
        for line in file:
            match = _LINE.match(line.rstrip("\n"))
            if match is None:
                continue
            process, text = match[1], match[2]
            if text.endswith(_UNFINISHED):
                pending[process] = text.removesuffix(_UNFINISHED), given
                continue
            start = given
            if (resumed := _RESUMED.match(text)) is not None:
                before, start = pending.pop(process, ("", given))
                text = before + resumed[1]
            yield process, text, start
            given += 1


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
