"""A disk that keeps what was synced, and of the rest as much as it likes, when the power goes.

What a file system may do with that, by POSIX:

- of what was written to a file since it was last synced, any sector of 512 bytes may be there or
  not, whatever the order it was written in; a file that grew may have its new size and zeros;
- a name that was given, changed or taken away is so for certain only when its folder was synced
  afterwards. A rename is never half done.

To sync a file says nothing of its name, and to sync a folder nothing of that folder's own name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random

from benchmarks.hostile.system_calls import Kind, Operation

_SECTOR = 512
_CHANGES = frozenset(Kind) - {Kind.OPEN, Kind.SET_TIME}


class Loss(StrEnum):
    """What the disk keeps of what was not synced."""

    NOTHING_IS_LOST = "nothing is lost"
    ALL = "all of it is lost"
    LATEST = "names are lost from some moment on, of the contents any part"
    ANY = "any of the names and any part of the contents is lost"


@dataclass(slots=True)
class _Change:
    """To the content of a file: bytes at an offset, or a new size when there are none."""

    number: int
    offset: int
    data: bytes | None
    is_synced: bool


@dataclass(slots=True)
class _File:
    mode: int = 0o644
    modified_ns: int | None = None
    link: str | None = None
    synced: bytearray = field(default_factory=bytearray)
    content: bytearray = field(default_factory=bytearray)
    pending: list[_Change] = field(default_factory=list)

    def change(self, change: _Change) -> None:
        self.pending.append(change)
        _apply(self.content, change)

    def sync(self, before: int) -> None:
        while self.pending and self.pending[0].number < before:
            _apply(self.synced, self.pending.pop(0))

    def after(self, loss: Loss, random: Random) -> bytes:
        """The content that is found when the power is back."""
        if loss is Loss.NOTHING_IS_LOST:
            return bytes(self.content)
        kept = bytearray(self.synced)
        for change in self.pending:
            if change.is_synced:
                _apply(kept, change)
            elif loss is not Loss.ALL:
                for part in _parts(change):
                    if random.random() < 0.5:
                        _apply(kept, part)
        if loss is not Loss.ALL and self.pending and random.random() < 0.5:
            kept.extend(bytes(max(0, len(self.content) - len(kept))))
        return bytes(kept)


@dataclass(slots=True)
class _Folder:
    names: dict[str, _Node] = field(default_factory=dict)
    synced: dict[str, _Node] = field(default_factory=dict)
    mode: int = 0o755


_Node = _File | _Folder


@dataclass(slots=True)
class _Naming:
    """Names that change together."""

    number: int
    sets: list[tuple[_Folder, str, _Node | None]]


class LossyDisk:
    """The folder `root`, as it is now, to be taken through operations below it.

    Everything that is there at the beginning is on the disk.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = _read_folder(root)
        self._openings: dict[int, _Node] = {}
        self._namings: list[_Naming] = []
        self._done = 0

    def carry_out(self, operation: Operation) -> None:
        """One more operation; those of a program come in their order."""
        number = self._done
        self._done += 1
        path = operation.path
        match operation.kind:
            case Kind.OPEN:
                node = self._find(path)
                if node is None:
                    node = _File()
                    self._name(number, (path, node))
                self._openings[operation.opened] = node
            case Kind.WRITE | Kind.RESIZE | Kind.RESERVE:
                self._change(number, operation)
            case Kind.SYNC:
                self._sync(self._openings[operation.opened], operation.began)
            case Kind.MAKE_FOLDER:
                self._name(number, (path, _Folder()))
            case Kind.SYMLINK:
                self._name(number, (path, _File(link=operation.target)))
            case Kind.LINK:
                self._name(number, (operation.target, self._found(path)))
            case Kind.RENAME:
                node = self._found(path)
                if node is not self._find(operation.target):
                    self._name(number, (operation.target, node), (path, None))
            case Kind.REMOVE:
                self._name(number, (path, None))
            case Kind.SET_TIME:
                pass

    def put_back(self, loss: Loss, random: Random) -> None:
        """Make the folder what is found in it when the power is back."""
        # Folders are the same object in all of it: their synced names are what is looked at.
        wanted = self._kept_names(loss, random)
        _empty(self._root)
        written: dict[int, Path] = {}
        self._write(self._top, self._root, wanted, written, loss, random)

    def _kept_names(self, loss: Loss, random: Random) -> dict[int, dict[str, _Node]]:
        """The names in each folder, by the folder's id."""
        kept: dict[int, dict[str, _Node]] = {}
        namings: Sequence[_Naming] = self._namings
        if loss is Loss.ALL:
            namings = ()
        elif loss is Loss.LATEST:
            namings = namings[: random.randint(0, len(namings))]
        elif loss is Loss.ANY:
            namings = [naming for naming in namings if random.random() < 0.5]
        for naming in namings:
            for folder, name, node in naming.sets:
                names = kept.setdefault(id(folder), dict(folder.synced))
                _set(names, name, node)
        return kept

    def _write(
        self,
        folder: _Folder,
        path: Path,
        kept: dict[int, dict[str, _Node]],
        written: dict[int, Path],
        loss: Loss,
        random: Random,
    ) -> None:
        for name, node in kept.get(id(folder), folder.synced).items():
            place = path / name
            if isinstance(node, _Folder):
                place.mkdir()
                self._write(node, place, kept, written, loss, random)
            elif node.link is not None:
                place.symlink_to(node.link)
            elif id(node) in written:
                os.link(written[id(node)], place)
            else:
                place.write_bytes(node.after(loss, random))
                place.chmod(node.mode)
                if node.modified_ns is not None:
                    os.utime(place, ns=(node.modified_ns, node.modified_ns))
                written[id(node)] = place

    def _change(self, number: int, operation: Operation) -> None:
        file = self._openings.get(operation.opened) or self._found(operation.path)
        assert isinstance(file, _File)
        offset, data = operation.offset, operation.data
        if operation.kind is Kind.RESERVE and offset <= len(file.content):
            return
        if offset < 0:
            offset = len(file.content)
        is_write = operation.kind is Kind.WRITE
        file.change(_Change(number, offset, data if is_write else None, operation.is_synced))

    def _name(self, number: int, *names: tuple[str, _Node | None]) -> None:
        sets = []
        for path, node in names:
            folder = self._found(os.path.dirname(path))  # noqa: PTH120 - a path of another machine
            assert isinstance(folder, _Folder)
            name = os.path.basename(path)  # noqa: PTH119
            _set(folder.names, name, node)
            sets.append((folder, name, node))
        self._namings.append(_Naming(number, sets))

    def _sync(self, node: _Node, before: int) -> None:
        if isinstance(node, _File):
            node.sync(before)
            return
        settled: dict[tuple[int, str], int] = {}
        waiting = []
        for naming in self._namings:
            is_of_it = any(folder is node for folder, _, _ in naming.sets)
            if is_of_it and naming.number < before:
                for folder, name, named in naming.sets:
                    _set(folder.synced, name, named)
                    settled[id(folder), name] = naming.number
            else:
                waiting.append(naming)
        for naming in waiting:
            # What a name was before that is of no account any more, in the other folder either.
            naming.sets = [
                one for one in naming.sets if settled.get((id(one[0]), one[1]), -1) < naming.number
            ]
        self._namings = waiting

    def _find(self, path: str) -> _Node | None:
        node: _Node | None = self._top
        for name in Path(path).relative_to(self._root).parts:
            node = node.names.get(name) if isinstance(node, _Folder) else None
        return node

    def _found(self, path: str) -> _Node:
        node = self._find(path)
        if node is None:
            raise ValueError(f"{path} is not there")
        return node


def moments(operations: Sequence[Operation]) -> list[int]:
    """How many operations were done, at each moment at which the power may go."""
    changes = [number for number, one in enumerate(operations, 1) if one.kind in _CHANGES]
    return [0, *changes]


def _apply(content: bytearray, change: _Change) -> None:
    if change.data is None:
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
        return
    end = change.offset + len(change.data)
    content.extend(bytes(max(0, end - len(content))))
    content[change.offset : end] = change.data


def _parts(change: _Change) -> Iterator[_Change]:
    """By the sector: of each, the disk writes all or nothing."""
    if change.data is None:
        yield change
        return
    start = 0
    while start < len(change.data):
        at = change.offset + start
        end = start + _SECTOR - at % _SECTOR
        yield _Change(change.number, at, change.data[start:end], change.is_synced)
        start = end


def _set(names: dict[str, _Node], name: str, node: _Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _read_folder(path: Path) -> _Folder:
    folder = _Folder()
    for entry in sorted(path.iterdir()):
        node: _Node
        if entry.is_symlink():
            node = _File(link=os.readlink(entry))  # noqa: PTH115 - as it is written
        elif entry.is_dir():
            node = _read_folder(entry)
        else:
            found, content = entry.stat(), entry.read_bytes()
            node = _File(found.st_mode & 0o7777, found.st_mtime_ns)
            node.content, node.synced = bytearray(content), bytearray(content)
        folder.names[entry.name] = folder.synced[entry.name] = node
    return folder


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
