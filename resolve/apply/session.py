"""Everything that acting on a list needs, opened: index, reference index, decisions, journal."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from resolve.apply.facts import IndexFacts
from resolve.apply.journal import Header, Journal, run_name
from resolve.apply.rows import DeleteList
from resolve.decisions import read_decisions
from resolve.lists import SUMMARY
from resolve.summary import LISTS_VERSION
from storage.actions import Action
from storage.azure_address import SCHEME
from storage.catalog import Catalog
from storage.errors import IndexStorageError, NotAnIndex, UsageError
from storage.index_directory import IndexDirectory
from storage.paths import home_expanded

DECISIONS = "decisions.jsonl"


@dataclass(frozen=True, slots=True)
class ListOrigin:
    """What the summary beside a list says of how it was made.

    Attributes:
        verifier: the version of what gave the verdicts; "" when there is no summary.
        against: the reference index; "" for none.
    """

    verifier: str = ""
    against: str = ""


def read_origin(list_path: Path) -> ListOrigin:
    """What summary.json beside the list says.

    Raises:
        UsageError: it is of a newer version, or no summary.
        IndexStorageError: it cannot be read.
    """
    path = list_path.with_name(SUMMARY)
    try:
        values = json.loads(path.read_bytes())
        version = values["lists_version"]
        origin = ListOrigin(
            str(values["versions"]["verifier"]), str(values["options"].get("against") or "")
        )
    except FileNotFoundError:
        return ListOrigin()
    except OSError as error:
        raise IndexStorageError(
            f"{path} cannot be read ({error.strerror or error}).", "Make it readable."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is no summary of `dedup resolve`.", "Resolve again, or move it away."
        ) from error
    if version != LISTS_VERSION:
        raise UsageError(
            f"The lists beside {path} have version {version}, this dedup knows {LISTS_VERSION}.",
            "Resolve again with this version.",
        )
    return origin


@contextmanager
def open_facts(
    index: Path, against: Path | None, list_path: Path, *, is_dry: bool
) -> Iterator[IndexFacts]:
    """The index, to look rows up in, and nobody else changing it or acting on it meanwhile.

    Args:
        against: the reference index; None for the one that the lists were made with, if any.
        is_dry: nothing will be done, so that others may write meanwhile.

    Raises:
        NotAnIndex, IndexMismatch, IndexStorageError
        IndexLocked: another process is writing to one of them, or acting on this one.
        UsageError: decisions or summary are none.
    """
    origin = read_origin(list_path)
    directory = IndexDirectory.open(index)
    decisions = read_decisions(directory.path / DECISIONS, list_path.with_name(DECISIONS))
    reference_path = against or (Path(origin.against) if origin.against else None)
    with ExitStack() as stack:
        if not is_dry:
            _lock(directory, stack)
        catalog = stack.enter_context(Catalog.open_reader(directory.catalog_path))
        reference = None
        if reference_path is not None:
            other = _open_reference(reference_path)
            if not is_dry:
                stack.enter_context(other.read_lock())
            reference = stack.enter_context(Catalog.open_reader(other.catalog_path))
        yield IndexFacts(catalog, reference, origin.verifier, decisions)


def _open_reference(path: Path) -> IndexDirectory:
    try:
        return IndexDirectory.open(path)
    except NotAnIndex as error:
        raise NotAnIndex(
            f"The reference index of these lists is not there: {error.message}",
            "Say with --against INDEX where it is now.",
        ) from error


def open_journal(
    rows: DeleteList,
    action: Action,
    quarantine: str,
    path: Path | None,
    clock: Callable[[], float] = time.time,
) -> Journal:
    """The journal of acting so on this list: a new one, or that of an earlier try.

    Args:
        path: None for the first `default_journal` that was not undone.

    Raises:
        UsageError, IndexLocked, IndexStorageError: see `Journal.create_or_open`.
    """
    now = clock()
    header = Header(
        run=run_name(now),
        action=action.value,
        list_sha256=rows.sha256,
        list_path=str(rows.path.resolve()),
        quarantine=quarantine,
        started_at=round(now, 3),
    )
    return Journal.create_or_open(path or _first_not_undone(rows, action), header)


def default_journal(rows: DeleteList, action: Action, number: int = 1) -> Path:
    """Beside the list; the same for the same list and action, so that a second try finds it.

    Args:
        number: one more for each time that all of it was undone.
    """
    again = f"-{number}" if number > 1 else ""
    return rows.path.with_name(f"apply-{action.value}-{rows.sha256[:12]}{again}.jsonl")


def _first_not_undone(rows: DeleteList, action: Action) -> Path:
    for number in count(1):
        path = default_journal(rows, action, number)
        if not path.exists() or path.stat().st_size == 0:
            return path
        with Journal.open(path) as journal:
            if not journal.is_undone:
                return path
    raise AssertionError("count does not end")


def canonical_place(place: str) -> str:
    """A quarantine as URIs are written: an absolute path, or az://ACCOUNT/CONTAINER[/FOLDER].

    Raises:
        UsageError: it is neither.
    """
    if not place:
        return ""
    if "://" not in place:
        return os.path.realpath(home_expanded(place))
    account, _, rest = place.removeprefix(SCHEME).partition("/")
    if not place.startswith(SCHEME) or not account or not rest.strip("/"):
        raise UsageError(
            f"{place} is no place for a quarantine.",
            "Write a folder, or az://ACCOUNT/CONTAINER in the account of the blobs.",
        )
    return place.rstrip("/")


def _lock(directory: IndexDirectory, stack: ExitStack) -> None:
    try:
        stack.enter_context(directory.write_lock())
    except IndexStorageError:
        # An index on a read-only disk: nobody can write to it anyway.
        stack.enter_context(directory.read_lock())


def parse_action(name: str) -> Action:
    """The action of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return Action(name)
    except ValueError as error:
        raise UsageError(
            f"There is no action {name!r}.", f"--action takes {', '.join(Action)}."
        ) from error
