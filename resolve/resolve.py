"""From candidate pairs to a resolution: which images stay, which go, and on what evidence."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resolve.blobs import BlobCensus
from resolve.changes import Changes
from resolve.decisions import Decisions
from resolve.earlier import Earlier
from resolve.groups import (
    Constraints,
    Group,
    VerdictSource,
    foreseen_pairs,
    group_pool,
    likely_keeper,
)
from resolve.keeper import KeeperRules
from resolve.keeper_candidates import CatalogCandidates
from resolve.links import Links, covering_of, pools
from resolve.needed_pairs import Ahead, Verified, needed_pairs
from resolve.outlines import Outlines
from resolve.preferences import Prefixes
from resolve.rare_collections import rare_collections
from resolve.raw_pairs import RawPairs, Shots
from resolve.resolution import Resolution, ResolveOptions
from search.candidates import CandidatePair
from search.self_join import CandidateStatistics
from storage.catalog_view import CatalogView
from storage.errors import UsageError

_PAIRS_PER_REPORT = 16
# Pools whose missing verdicts are computed together: some hundred pairs, for all workers at once.
_POOLS_TOGETHER = 128


@dataclass(frozen=True, slots=True)
class ResolveProgress:
    """How far a resolve is.

    Attributes:
        stage: "verifying" pairs, or "grouping" what was linked.
        done: pairs verified, or links of pools grouped.
        total: of the stage; None when it is not known.
        relations: relation to the number of pairs, those that are `different` included.
        groups: found so far.
    """

    stage: str
    done: int
    total: int | None
    relations: Mapping[str, int]
    groups: int = 0


class ResolveListener(Protocol):
    """Wants to know how far a resolve is."""

    def on_progress(self, progress: ResolveProgress) -> None:
        """Called every few pairs."""


class _NoListener:
    def on_progress(self, progress: ResolveProgress) -> None:
        """Nobody wants to know."""


@rare_collections()
def resolve(
    catalog: CatalogView,
    candidates: Iterable[CandidatePair],
    verdicts: VerdictSource,
    options: ResolveOptions,
    listener: ResolveListener | None = None,
    searched: CandidateStatistics | None = None,
    ahead: Ahead = iter,
    earlier: Earlier | None = None,
) -> Resolution:
    """Verifies the candidates, groups what are copies and chooses who stays. Deletes nothing.

    Args:
        catalog: of the index, or a `JointCatalog` of it and a reference index, from which nothing
            is deleted and whose images are the preferred keepers.
        candidates: pairs of its image ids.
        searched: filled by those who search for the candidates while they are asked for, so that
            the time for it is not taken for verification.
        ahead: gives pairs back, their verdicts known to `verdicts` by then; many side by side.
        earlier: what an earlier resolve has left, made with the same options; the candidates are
            then those that it has not seen.

    Raises:
        UsageError: nothing in the index lies under a protected prefix.
        IndexStorageError: the catalog cannot be read.
    """
    listener = listener or _NoListener()
    started = time.monotonic()
    last_id = catalog.last_image_id
    census = BlobCensus(catalog.blob_columns(), last_id, Prefixes(options.protect))
    _require_matches(options.protect, census)
    constraints = _constraints(catalog, census, options.decisions)
    decided = options.decisions.kept_ids(catalog)
    images = CatalogCandidates(catalog, census, options.preferences, decided)
    judge = KeeperRules(images, options.preferences)

    outlines = Outlines(catalog.outline, last_id)

    def stays_of(pool: Links) -> int | None:
        ids, part = _ordered(pool, outlines, judge)
        return likely_keeper(ids, part, verdicts, judge, constraints)

    linked = _Linking(constraints, outlines, listener, earlier)
    needed = needed_pairs(linked.undecided(candidates), ahead, verdicts, outlines, stays_of)
    new_links = linked.links(needed)
    verified = time.monotonic()
    changes = Changes.since(earlier, new_links, census, constraints)
    links = changes.links
    groups: list[Group] = [*changes.groups]
    was_linked = np.zeros(last_id + 1, np.bool_)
    was_linked[links.low] = True
    was_linked[links.high] = True
    done = 0
    parts = pools(changes.open_links, last_id)
    while together := [_ordered(part, outlines, judge) for part in islice(parts, _POOLS_TOGETHER)]:
        for _ in ahead(
            CandidatePair(min(pair), max(pair), 64, {})
            for ids, part in together
            for pair in foreseen_pairs(ids, part, verdicts, judge, constraints)
        ):
            pass
        for ids, part in together:
            groups += group_pool(ids, part, verdicts, judge, constraints)
            done += len(part)
            listener.on_progress(
                ResolveProgress(
                    "grouping", done, len(changes.open_links), linked.relations, len(groups)
                )
            )
    keeper_of, group_of = _outcome(groups, last_id)
    grouped = tuple(groups)
    shots = Shots(catalog, tuple(census.named_raw), outlines)
    halved = 0
    if options.raw_pairs is not RawPairs.KEEP:
        halved = shots.groups(
            options.raw_pairs, groups, keeper_of, group_of, verdicts, constraints, ahead
        )
    groups += _exact_groups(catalog, census, keeper_of, group_of, len(groups))
    return Resolution(
        groups=tuple(groups),
        grouped=grouped,
        keeper_of=keeper_of,
        group_of=group_of,
        links=links,
        was_linked=was_linked,
        constraints=constraints,
        census=census,
        options=options,
        pairs=linked.pairs,
        pairs_passed_over=linked.passed_over,
        raw_pairs_passed_over=linked.raw_passed_over,
        shots=len(shots.found),
        shots_halved=halved,
        relations=dict(sorted(linked.relations.items())),
        seconds=_seconds(searched, verified - started, time.monotonic() - verified),
        resolved_before=changes.images_before,
        as_before=changes.as_before,
        lists_before={} if earlier is None else earlier.lists,
    )


def _ordered(part: Links, outlines: Outlines, judge: KeeperRules) -> tuple[list[int], Links]:
    """The images of a pool, the likely keepers first where there are many, and its links."""
    # The order must not depend on ids: they differ when the same pictures are indexed anew.
    ids = sorted({*part.low.tolist(), *part.high.tolist()}, key=outlines.tie_break)
    return judge.best_first(ids), part


def _seconds(
    searched: CandidateStatistics | None, verifying: float, grouping: float
) -> dict[str, float]:
    if searched is None:
        return {"verify": verifying, "group": grouping}
    # The search runs when the first candidate is asked for.
    search = min(searched.seconds, verifying)
    return {"search": search, "verify": verifying - search, "group": grouping}


class _Linking:
    """Verifies candidates and notes which are copies: 17 bytes a link."""

    def __init__(
        self,
        constraints: Constraints,
        outlines: Outlines,
        listener: ResolveListener,
        earlier: Earlier | None,
    ) -> None:
        self._constraints = constraints
        self._is_raw = outlines.is_raw
        self._listener = listener
        self.relations: Counter[str] = Counter(earlier.relations if earlier else {})
        self.pairs = earlier.pairs if earlier else 0
        self.passed_over = earlier.passed_over if earlier else 0
        self.raw_passed_over = earlier.raw_passed_over if earlier else 0

    def undecided(self, candidates: Iterable[CandidatePair]) -> Iterator[CandidatePair]:
        """Those that nobody said are not the same, and that are no RAW files."""
        for pair in candidates:
            if self._is_raw(pair.low_id) or self._is_raw(pair.high_id):
                self.raw_passed_over += 1
            elif self._constraints.are_apart(pair.low_id, pair.high_id):
                self.passed_over += 1
            else:
                yield pair

    def links(self, pairs: Iterable[Verified]) -> Links:
        """The links of these pairs."""
        low, high, covering = array("q"), array("q"), array("B")
        for pair, verdict in pairs:
            self.relations[verdict.relation.value] += 1
            self.pairs += 1
            if verdict.is_copy:
                low.append(pair.low_id)
                high.append(pair.high_id)
                covering.append(covering_of(verdict))
            if self.pairs % _PAIRS_PER_REPORT == 0:
                self._listener.on_progress(
                    ResolveProgress("verifying", self.pairs, None, self.relations)
                )
        links = Links(
            np.array(low, np.int64), np.array(high, np.int64), np.array(covering, np.uint8)
        )
        # Heads that met in one block of candidates may be candidates in another.
        return links.once()


def _require_matches(protect: tuple[str, ...], census: BlobCensus) -> None:
    for prefix in protect:
        if prefix not in census.protected_prefixes:
            # A misspelt folder must not be left unprotected without a word.
            raise UsageError(
                f"Nothing in the index lies under {prefix}, which is to be protected.",
                "Name a folder or an az:// prefix as it stands in the lists, or leave it out.",
            )


def _constraints(catalog: CatalogView, census: BlobCensus, decisions: Decisions) -> Constraints:
    favoured = census.protected_images.with_ids(decisions.kept_ids(catalog))
    return Constraints(
        undeletable=favoured | census.linked_images,
        favoured=favoured,
        apart=decisions.apart(catalog),
    )


def _outcome(groups: Sequence[Group], last_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    keeper_of = np.zeros(last_id + 1, np.int64)
    group_of = np.zeros(last_id + 1, np.int64)
    for place, group in enumerate(groups, start=1):
        group_of[group.keeper] = place
        for member in group.members:
            keeper_of[member.image_id] = group.keeper
            group_of[member.image_id] = place
    return keeper_of, group_of


def _exact_groups(
    catalog: CatalogView,
    census: BlobCensus,
    keeper_of: NDArray[np.int64],
    group_of: NDArray[np.int64],
    before: int,
) -> list[Group]:
    """Groups of images without other copies whose bytes several blobs hold."""
    groups: list[Group] = []
    for image_id in np.flatnonzero((census.blobs_of_image > 1) & (group_of == 0)).tolist():
        stays = [census.stays(entry) for entry in catalog.blobs_of(image_id)]
        # Two names of one object are no duplicates.
        if len(stays) > 1 and not all(stays):
            groups.append(Group(image_id, (), ("the same bytes under several names",)))
            group_of[image_id] = before + len(groups)
    return groups
