"""What a resolve was asked for, and what came out of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from resolve.blobs import BlobCensus, BlobPlan, plan_blobs
from resolve.decisions import Decisions
from resolve.earlier import Earlier
from resolve.groups import Constraints, Group
from resolve.links import Links
from resolve.preferences import Preference, parse_preferences
from resolve.raw_pairs import RawPairs
from search.self_join import Searched
from storage.catalog_view import CatalogView


@dataclass(frozen=True, slots=True)
class ResolveOptions:
    """What the user wants of a resolution.

    Attributes:
        prefer: rules for the keeper, most important first; see `resolve.preferences`.
        protect: folders or address prefixes whose blobs are never deleted and are preferred.
        decisions: what people decided earlier.
        verifier: name and version of what gives the verdicts, for the summary.
        against: the reference index, for the summary; "" for none.
        raw_pairs: which of a RAW file and its JPEG stays.

    Raises:
        UsageError: a rule that does not exist.
    """

    prefer: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    decisions: Decisions = field(default_factory=Decisions)
    verifier: str = ""
    against: str = ""
    raw_pairs: RawPairs = RawPairs.KEEP

    def __post_init__(self) -> None:
        parse_preferences(self.prefer)

    @property
    def preferences(self) -> tuple[Preference, ...]:
        """The rules of `prefer`, parsed."""
        return parse_preferences(self.prefer)


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """The outcome for every image.

    Attributes:
        groups: those with members, and those of images that several blobs hold.
        grouped: those of copies, before RAW files and byte-identical blobs were looked at.
        keeper_of: int64 (last id + 1,): the keeper of each deleted image; 0 for those that stay.
        group_of: int64 (last id + 1,): place in `groups` plus one; 0 for none.
        links: the verdicts that said "copy".
        was_linked: bool (last id + 1,): one of them is of it.
        constraints: what was settled beforehand.
        census: which blobs are names of one object, or protected.
        options: as they were given.
        pairs: candidates verified. pairs_passed_over: decided by somebody earlier, not verified.
        raw_pairs_passed_over: with a RAW file, not verified.
        shots: a RAW file and its JPEG, how many. shots_halved: of which one goes.
        relations: relation to the number of pairs.
        seconds: stage to wall time.
        resolved_before: images that an earlier resolve had searched for.
        as_before: bool (last id + 1,): images about which nothing has changed since.
        lists_before: what it has written, as of `Earlier`.
    """

    groups: tuple[Group, ...]
    grouped: tuple[Group, ...]
    keeper_of: NDArray[np.int64]
    group_of: NDArray[np.int64]
    links: Links
    was_linked: NDArray[np.bool_]
    constraints: Constraints
    census: BlobCensus
    options: ResolveOptions
    pairs: int
    pairs_passed_over: int
    raw_pairs_passed_over: int
    shots: int
    shots_halved: int
    relations: Mapping[str, int]
    seconds: Mapping[str, float]
    as_before: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    lists_before: Mapping[str, str] = field(default_factory=dict)
    resolved_before: int = 0

    def for_later(self, searched: Searched, lists: Mapping[str, str] | None = None) -> Earlier:
        """What the next resolve of this index needs.

        Args:
            lists: what `write_lists` has written.
        """
        return Earlier(
            searched=searched,
            blobs=self.census.of_image,
            undeletable=flags_of(self.constraints.undeletable, len(self.keeper_of)),
            links=self.links,
            groups=tuple(group for group in self.grouped if group.members),
            relations=self.relations,
            pairs=self.pairs,
            passed_over=self.pairs_passed_over,
            raw_passed_over=self.raw_pairs_passed_over,
            # RAW files and what lies beside them are looked at anew then.
            lists=(lists or {}) if self.options.raw_pairs is RawPairs.KEEP else {},
        )

    def keeper(self, image_id: int) -> int:
        """The image that stays in place of this one; 0 when it stays itself."""
        return int(self.keeper_of[image_id]) if image_id < len(self.keeper_of) else 0

    def group(self, image_id: int) -> Group | None:
        """The group this image is in, as keeper or member."""
        place = int(self.group_of[image_id]) if image_id < len(self.group_of) else 0
        return self.groups[place - 1] if place else None

    def plan(self, catalog: CatalogView, image_id: int) -> BlobPlan | None:
        """What becomes of the blobs of an image that stays; None when it has none any more."""
        entries = catalog.blobs_of(image_id)
        if not entries:
            return None
        return plan_blobs(entries, self.census, self.options.preferences)


def flags_of(ids: Collection[int], size: int) -> NDArray[np.bool_]:
    """True for each of the ids, bool (size,); ids from `size` on are left out."""
    flags = np.zeros(size, np.bool_)
    chosen = np.fromiter(ids, np.int64)
    flags[chosen[chosen < size]] = True
    return flags
