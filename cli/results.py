"""What commands print with --json and no other part of dedup knows. docs/json.md has all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.run_report import IndexReport
from resolve.apply.plan import Skip
from search.index_set import IndexDescription
from storage.actions import Action
from storage.check import CheckReport
from storage.parameters import IndexParameters
from storage.repair import RepairReport
from storage.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLook(IndexReport):
    """One look of `dedup index --watch`.

    Attributes:
        at: when it ended, local time.
        reason: what it was for.
    """

    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A query whose image could not be used.

    Attributes:
        query: as it was given.
        error: the line that was printed.
        matches: always empty.
    """

    query: str
    error: str
    matches: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReviewAddress:
    """Where a review is to be opened.

    Attributes:
        url: a key: whoever has it can decide.
        groups: how many there are.
        decisions: the file that decisions are saved to.
    """

    url: str
    groups: int
    decisions: Path


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where the service listens.

    Attributes:
        url: of its root.
        key: that was made up; null when a file of keys was named.
    """

    url: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done, or would be. rows = acted + acted_before + the sum of `skipped` + failed.

    Attributes:
        action: what was asked for.
        dry_run: true when nothing was done.
        rows: of the list.
        acted: files acted on, or that would be. acted_before: by an earlier try of the same.
        bytes: of both.
        cost_per_month: of these bytes; null where no price is known.
        price_per_gb: that it was worked out with; null likewise.
        skipped: why, to how many.
        failed: not done for a fault that may pass.
        examples: some of those skipped. failures: some of those failed.
        journal: what `dedup undo` takes; null in a dry run.
    """

    action: Action
    dry_run: bool
    rows: int
    acted: int
    acted_before: int
    bytes: int
    cost_per_month: float | None
    price_per_gb: float | None
    skipped: Mapping[str, int]
    failed: int
    examples: Sequence[Skip]
    failures: Sequence[Skip]
    journal: Path | None


@dataclass(frozen=True, slots=True)
class Undone:
    """What was brought back.

    Attributes:
        action: what was undone.
        undone: files that are as they were. undone_before: by an earlier try.
        bytes: of those brought back.
        failed: not brought back. examples: some of those, each with why.
    """

    action: Action
    undone: int
    undone_before: int
    bytes: int
    failed: int
    examples: Sequence[Skip]


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """What a check of an index has found.

    Attributes:
        catalog: of the catalog.
        search: model to what is wrong with its search index.
    """

    catalog: CheckReport
    search: Mapping[str, str]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return self.catalog.is_sound and not self.search


@dataclass(frozen=True, slots=True)
class Information:
    """What an index holds.

    Attributes:
        index: the directory.
        blobs: all of them. indexed, unreadable: of these.
        images: different contents. removed_images: contents that were there once.
        sources: URI to blobs.
        parameters: what the index was made with; null while nothing has been indexed.
        search: the search indexes.
        preview_bytes: of the previews of all images. catalog_bytes, search_bytes: on disk.
        last_run: the newest `dedup index`; null when there was none.
        check: what --check found; null without it.
    """

    index: Path
    blobs: int
    indexed: int
    unreadable: int
    images: int
    removed_images: int
    sources: Mapping[str, int]
    parameters: IndexParameters | None
    search: Sequence[IndexDescription]
    preview_bytes: int
    catalog_bytes: int
    search_bytes: int
    last_run: Run | None
    check: IndexCheck | None = None


@dataclass(frozen=True, slots=True)
class Damaged:
    """All that is said of a damaged index; the exit code is 6.

    Attributes:
        check: what was found.
    """

    check: IndexCheck


@dataclass(frozen=True, slots=True)
class Repair:
    """What was repaired.

    Attributes:
        catalog: what was carried over into a new catalog; null when the catalog was sound.
        search: models whose search index was damaged; it is built anew when it is needed.
    """

    catalog: RepairReport | None
    search: Sequence[str]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where the weights of a model are.

    Attributes:
        name: of the model or matcher.
        files: of its weights; none where it needs none.
    """

    name: str
    files: Sequence[Path]
