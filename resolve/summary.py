"""Counts of a resolution that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from resolve.effort import Effort, VerificationCost
from resolve.outcomes import Deleted, Kept, Outcome, ReferenceKeeper
from resolve.resolution import Resolution
from storage.catalog_view import CatalogView

LISTS_VERSION = 1


class OptionsUsed(TypedDict):
    """What lists were made with.

    Attributes:
        prefer: the rules of --prefer. protect: the prefixes of --protect.
        against: the reference index, or "".
        raw_pairs: keep, jpeg or raw, as of --raw-pairs.
        decisions: how many people's decisions were obeyed.
    """

    prefer: list[str]
    protect: list[str]
    against: str
    raw_pairs: str
    decisions: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What summary.json holds. blobs = keep + delete + unreadable; keep is the sum of `kept`.

    Attributes:
        lists_version: of the layout of the lists.
        blobs: in the index. keep, delete, unreadable: of these; rows of the lists.
        images: different contents. groups: lines of groups.jsonl.
        reference_keepers: of those groups, the ones whose keeper only the reference index has.
        bytes: of all blobs. bytes_to_free: of those to be deleted.
        kept: why blobs stay, to how many. deleted: relation to how many blobs.
        pairs: candidates verified, by earlier resolves too. pairs_passed_over: decided by somebody
            earlier.
        images_resolved_before: of the images, those that an earlier resolve had searched for.
        pairs_by_relation: of those verified.
        raw: `pairs_passed_over` for one of them is a RAW file; `shots` of which there are a RAW
            file and a JPEG, and `halved`, those of which one goes.
        seconds: stage to wall time.
        verification: what the verdicts worked out in this run have cost.
        options: what the lists were made with.
        versions: of dedup, and of what gave the verdicts.
    """

    lists_version: int
    blobs: int
    keep: int
    delete: int
    unreadable: int
    images: int
    groups: int
    reference_keepers: int
    bytes: int
    bytes_to_free: int
    kept: Mapping[str, int]
    deleted: Mapping[str, int]
    pairs: int
    pairs_passed_over: int
    images_resolved_before: int
    pairs_by_relation: Mapping[str, int]
    raw: Mapping[str, int]
    seconds: Mapping[str, float]
    verification: VerificationCost
    options: OptionsUsed
    versions: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """What JSON has."""
        return asdict(self)


@dataclass(slots=True)
class SummaryCounts:
    """Filled blob by blob."""

    blobs: int = 0
    unreadable: int = 0
    groups: int = 0
    reference_keepers: int = 0
    bytes: int = 0
    bytes_to_free: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome | ReferenceKeeper) -> None:
        """Count one blob."""
        if isinstance(outcome, ReferenceKeeper):
            self.reference_keepers += 1
            return
        if isinstance(outcome, Kept):
            self.add_kept(outcome.because, outcome.entry.size)
        elif isinstance(outcome, Deleted):
            self.add_deleted(outcome.relation.value, outcome.entry.size)
        else:
            self.blobs += 1
            self.bytes += outcome.entry.size
            self.unreadable += 1

    def add_kept(self, because: str, size: int) -> None:
        """Count a blob that stays, of so many bytes."""
        self.blobs += 1
        self.bytes += size
        self.kept[because] += 1

    def add_all_kept(self, because: str, sizes: NDArray[np.int64]) -> None:
        """Count blobs that stay for one reason, of so many bytes each; int64 (n,)."""
        if len(sizes):
            self.blobs += len(sizes)
            self.bytes += int(sizes.sum())
            self.kept[because] += len(sizes)

    def add_deleted(self, relation: str, size: int) -> None:
        """Count a blob to be deleted."""
        self.blobs += 1
        self.bytes += size
        self.bytes_to_free += size
        self.deleted[relation] += 1

    def summary(
        self,
        resolution: Resolution,
        catalog: CatalogView,
        seconds_writing: float,
        effort: Effort | None = None,
    ) -> Summary:
        """The counts with what is known of the run.

        Raises:
            RuntimeError: they do not add up, which is a bug.
        """
        keep, delete = self.kept.total(), self.deleted.total()
        if keep + delete + self.unreadable != self.blobs:
            raise RuntimeError("the lists do not account for every blob")
        options = resolution.options
        return Summary(
            lists_version=LISTS_VERSION,
            blobs=self.blobs,
            keep=keep,
            delete=delete,
            unreadable=self.unreadable,
            images=catalog.image_count,
            groups=self.groups,
            reference_keepers=self.reference_keepers,
            bytes=self.bytes,
            bytes_to_free=self.bytes_to_free,
            kept=dict(sorted(self.kept.items())),
            deleted=dict(sorted(self.deleted.items())),
            pairs=resolution.pairs,
            pairs_passed_over=resolution.pairs_passed_over,
            images_resolved_before=resolution.resolved_before,
            pairs_by_relation=dict(resolution.relations),
            raw={
                "pairs_passed_over": resolution.raw_pairs_passed_over,
                "shots": resolution.shots,
                "halved": resolution.shots_halved,
            },
            seconds={
                stage: round(spent, 3)
                for stage, spent in (*resolution.seconds.items(), ("write", seconds_writing))
            },
            verification=(effort or Effort()).as_json(),
            options={
                "prefer": list(options.prefer),
                "protect": list(options.protect),
                "against": options.against,
                "raw_pairs": options.raw_pairs.value,
                "decisions": len(options.decisions),
            },
            versions={"dedup": _own_version(), "verifier": options.verifier},
        )


def _own_version() -> str:
    try:
        return version("dedup")
    except PackageNotFoundError:
        return "unknown"
