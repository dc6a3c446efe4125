"""The few calls that a notebook needs; `docs/python.md` shows them.

Settings are those of the command line under the same names (`top=5`, `strictness="balanced"`), and
come from the environment and `dedup.toml` too where they are not given.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answering import Match, QueryAnswer
from cli.config import load_settings
from cli.index import prepared
from cli.resolve import resolved
from indexer.run_report import IndexReport
from resolve.lists import GROUPS
from resolve.summary import Summary
from storage.errors import DedupError, ModelError, UsageError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "DedupError",
    "IndexReport",
    "Match",
    "QueryAnswer",
    "Summary",
    "groups",
    "index",
    "iterate_groups",
    "query",
    "resolve",
]

_COLUMNS = (
    "group", "path", "is_keeper", "relation", "score", "width", "height", "bytes", "format",
    "digest", "reason",
)  # fmt: skip


def index(*sources: str | Path, into: str | Path, **settings: Any) -> IndexReport:
    """One pass over every new or changed image of the sources.

    Args:
        sources: folders and Azure addresses.
        into: the index directory, made when absent.
        settings: as of `dedup index`; `quiet=True` shows no progress.

    Raises:
        DedupError: what `dedup index` would say, with the remedy.
    """
    wanted = load_settings({**settings, "index": Path(into)}, os.environ, Path.cwd())
    if wanted.watch:
        raise UsageError("A watch has no end.", "Call index() again, or use dedup index --watch.")
    with ExitStack() as stack:
        return prepared([str(source) for source in sources], wanted, stack)()


def query(image: str | Path, index: str | Path, **settings: Any) -> QueryAnswer:
    """The images of an index most like this one, verified copies first.

    Args:
        image: a file, or the address of a blob.
        settings: as of `dedup query`: `top`, `verify`, `strictness` …

    Raises:
        DedupError
    """
    from cli.query_image import STANDARD_INPUT, QueryEngine

    if str(image) == STANDARD_INPUT:
        raise UsageError("A notebook has no standard input.", "Name a file.")
    with QueryEngine(
        load_settings({**settings, "index": Path(index)}, os.environ, Path.cwd())
    ) as engine:
        return engine.answer(str(image))


def resolve(index: str | Path, out: str | Path, **settings: Any) -> Summary:
    """Find the copies, choose keepers, write the lists and the report. Deletes nothing.

    Args:
        out: the folder for the lists.
        settings: as of `dedup resolve`: `strictness`, `prefer`, `protect`, `against` …

    Raises:
        DedupError
    """
    given = {**settings, "index": Path(index), "out": Path(out)}
    return resolved(load_settings(given, os.environ, Path.cwd())).summary


def iterate_groups(lists: str | Path) -> Iterator[dict[str, Any]]:
    """The groups one after the other, each as its line of groups.jsonl says it (docs/formats.md).

    Raises:
        UsageError: there are no lists.
    """
    path = Path(lists) / GROUPS
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"There is no {GROUPS} in {lists} ({error.strerror}).", "Call resolve() first."
        ) from error
    with file:
        for line in file:
            yield json.loads(line)


def groups(lists: str | Path) -> DataFrame:
    """The groups as a table: a row for each file that is a keeper or may go.

    Columns: group, path, is_keeper, relation and score (to the keeper; of a keeper none), width,
    height, bytes, format, digest, reason.

    Raises:
        UsageError: there are no lists.
        ModelError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ModelError(
            "A table needs pandas, which is not installed.", "pip install 'dedup[notebook]'"
        ) from error
    rows = []
    for group in iterate_groups(lists):
        keeper = group["keeper"]
        rows.append(
            {
                **keeper,
                "group": group["id"],
                "is_keeper": True,
                "reason": "; ".join(keeper["reasons"]),
            }
        )
        rows += [
            {**member, "group": group["id"], "is_keeper": False} for member in group["members"]
        ]
    return pandas.DataFrame(rows, columns=list(_COLUMNS))
