"""What answers keeps within `--memory` from before the index is opened to the end."""

from __future__ import annotations

from contextlib import suppress

import pytest

from search.index_set import IndexSet
from storage import resident
from storage.errors import ExitCode
from tests.cli.helpers import Dedup, IndexedGallery


class Opened(Exception):
    """Ends a command once it has opened the index."""


@pytest.mark.parametrize("command", [("query", "coffee.png"), ("serve",)], ids=" ".join)
@pytest.mark.parametrize("mebibytes", [None, 2048])
def test_the_index_is_opened_within_the_bound(
    dedup: Dedup,
    indexed: IndexedGallery,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    mebibytes: int | None,
) -> None:
    bounds: list[int | None] = []

    def opened(*_: object, **__: object) -> IndexSet:
        bounds.append(resident._Bound.most)
        raise Opened

    monkeypatch.setattr(IndexSet, "open", opened)
    name, *images = command
    given = [] if mebibytes is None else ["--memory", str(mebibytes)]
    with suppress(Opened):
        dedup(name, *(indexed.folder / image for image in images), "--index", indexed.index, *given)
    assert bounds == [(mebibytes or 4096) * 2**20]
    assert resident._Bound.most is None


@pytest.mark.parametrize("command", [("query", "x.jpg"), ("serve",)], ids=" ".join)
def test_too_little_memory_is_refused(
    dedup: Dedup, indexed: IndexedGallery, command: tuple[str, ...]
) -> None:
    dedup(*command, "--index", indexed.index, "--memory", "5").must_fail(
        ExitCode.USAGE, "memory", "1024"
    )
