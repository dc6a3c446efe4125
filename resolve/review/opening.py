"""Everything that a review needs, opened: lists, index, reference index, decisions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from resolve.apply.session import DECISIONS, read_origin
from resolve.lists import DELETE, SUMMARY
from resolve.page.groups_file import open_groups
from resolve.page.images import IndexedImages
from resolve.review.decisions_file import DecisionsFile
from resolve.review.session import Decided, ReviewSession
from storage.catalog import Catalog
from storage.errors import NotAnIndex
from storage.index_directory import IndexDirectory


@dataclass(frozen=True, slots=True)
class OpenReview:
    """A review that can begin.

    Attributes:
        groups: how many there are.
        saved_to: where decisions go.
    """

    session: ReviewSession
    groups: int
    saved_to: Path


@contextmanager
def open_review(lists: Path, index: Path, against: Path | None = None) -> Iterator[OpenReview]:
    """The review of the lists in a folder, until the end of the block.

    Decisions go to the index, where every later resolve of it finds them; beside the lists when
    nothing can be written to the index.

    Args:
        against: the reference index; None for the one that the lists were made with, if any.

    Raises:
        UsageError: there are no lists, or a line of the decisions is none.
        NotAnIndex, IndexMismatch, IndexStorageError
        IndexLocked: another review is open.
    """
    directory = IndexDirectory.open(index)
    origin = read_origin(lists / DELETE)
    reference = against or (Path(origin.against) if origin.against else None)
    with ExitStack() as stack:
        catalogs = [stack.enter_context(Catalog.open_reader(directory.catalog_path))]
        if reference is not None:
            catalogs.append(stack.enter_context(_reference(reference)))
        paths = [directory.path / DECISIONS, lists / DECISIONS]
        if not os.access(directory.path, os.W_OK):
            paths.reverse()
        decisions = stack.enter_context(DecisionsFile.open(paths[0], paths[1:]))
        decided = Decided(decisions.known)
        groups = stack.enter_context(open_groups(lists, decided.saw))
        session = ReviewSession(
            groups, IndexedImages(*catalogs), decisions, decided, _decisions_in(lists)
        )
        yield OpenReview(session, len(groups), decisions.path)


def _reference(path: Path) -> Catalog:
    try:
        return Catalog.open_reader(IndexDirectory.open(path).catalog_path)
    except NotAnIndex as error:
        raise NotAnIndex(
            f"The reference index of these lists is not there: {error.message}",
            "Say with --against INDEX where it is now.",
        ) from error


def _decisions_in(lists: Path) -> int | None:
    """How many decisions the lists were made with; `read_origin` has checked the summary."""
    try:
        options = json.loads((lists / SUMMARY).read_bytes())["options"]
    except FileNotFoundError:
        return None
    found = options.get("decisions")
    return found if isinstance(found, int) else None
