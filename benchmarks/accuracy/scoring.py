"""From scored pairs and lists to figures: what was found, what was missed, what was wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.pairs import ScoredPairs
from benchmarks.accuracy.sets import TruthSet
from benchmarks.evaluation_set.saving import LOSSLESS
from benchmarks.evaluation_set.truth import Role

F64 = NDArray[np.float64]

# What two pictures of a false pair are, where they are not look-alikes of one family.
TWO_PHOTOGRAPHS = "two photographs, or copies of them"
TWO_FAMILIES = "look-alikes of two families"
PHOTOGRAPH_AND_LOOKALIKE = "a photograph and a look-alike"
OUTSIDE = "outside the set"


@dataclass(slots=True)
class Share:
    """So many of so many."""

    count: int = 0
    of: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.count + other.count, self.of + other.of)

    @property
    def value(self) -> float:
        """0..1; 1 where there was nothing to find."""
        return self.count / self.of if self.of else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class PairFigures:
    """How well pairs of originals and copies are told from all other pairs.

    Two copies of one original count neither as found nor as false, except in `all_found`.

    Attributes:
        found: pairs of an original and its copy that are matches at the tool's own threshold.
        all_found: the same for all pairs of one group, two copies of one original included.
        false_pairs: matches between pictures of two groups.
        before_first_false: original-copy pairs with a higher score than every false pair.
        per_edit: as `found`, by edit.
        false_per_family: false matches by what the two are; see `_kind`.
        true_scores, false_scores: scores of the listed pairs, for the precision-recall curve.
    """

    found: Share
    all_found: Share
    false_pairs: int
    before_first_false: Share
    per_edit: dict[str, Share]
    false_per_family: Counter[str]
    true_scores: F64
    false_scores: F64


def score_pairs(truth: TruthSet, pairs: ScoredPairs) -> PairFigures:
    """The figures of one tool on one set."""
    same_group = truth.groups[pairs.first] == truth.groups[pairs.second]
    original_of = truth.copies
    per_edit = {edit: Share(0, of) for edit, of in _copies_per_edit(truth).items()}
    is_true = np.zeros(len(pairs.first), bool)
    for row in np.flatnonzero(same_group).tolist():
        first, second = int(pairs.first[row]), int(pairs.second[row])
        copy = second if original_of.get(second) == first else first
        if original_of.get(copy) not in (first, second):
            continue
        is_true[row] = True
        per_edit[truth.pictures[copy].edit].count += bool(pairs.is_match[row])
    false_scores = pairs.score[~same_group].astype(np.float64)
    true_scores = pairs.score[is_true].astype(np.float64)
    highest_false = float(false_scores.max(initial=0.0))
    total = len(original_of)
    false_rows = np.flatnonzero(~same_group & pairs.is_match)
    return PairFigures(
        found=Share(int((is_true & pairs.is_match).sum()), total),
        all_found=Share(int((same_group & pairs.is_match).sum()), truth.pairs_of_one_group),
        false_pairs=len(false_rows),
        before_first_false=Share(int((true_scores > highest_false).sum()), total),
        per_edit=per_edit,
        false_per_family=Counter(
            _kind(truth, int(pairs.first[row]), int(pairs.second[row])) for row in false_rows
        ),
        true_scores=true_scores,
        false_scores=false_scores,
    )


def pooled(figures: list[PairFigures]) -> PairFigures:
    """The figures of one tool over several sets."""
    per_edit: dict[str, Share] = {}
    for one in figures:
        for edit, share in one.per_edit.items():
            per_edit[edit] = per_edit.get(edit, Share()) + share
    false_scores = np.concatenate([one.false_scores for one in figures])
    true_scores = np.concatenate([one.true_scores for one in figures])
    found = sum((one.found for one in figures), Share())
    # One threshold for all sets: the first false pair of any of them ends the count.
    before = int((true_scores > false_scores.max(initial=0.0)).sum())
    return PairFigures(
        found=found,
        all_found=sum((one.all_found for one in figures), Share()),
        false_pairs=sum(one.false_pairs for one in figures),
        before_first_false=Share(before, found.of),
        per_edit=per_edit,
        false_per_family=sum((one.false_per_family for one in figures), Counter()),
        true_scores=true_scores,
        false_scores=false_scores,
    )


def precision_recall(figures: PairFigures) -> tuple[F64, F64]:
    """Recall and precision at each score that occurs, from the highest down.

    Pairs with one score are taken together: no threshold can part them.
    """
    scores = np.concatenate([figures.true_scores, figures.false_scores])
    is_true = np.arange(len(scores)) < len(figures.true_scores)
    order = np.argsort(-scores, kind="stable")
    scores, is_true = scores[order], is_true[order]
    is_last = np.ones(len(scores), bool)
    is_last[:-1] = scores[1:] != scores[:-1]
    last_of_score = np.flatnonzero(is_last)
    found = np.cumsum(is_true)[last_of_score]
    recall = found / max(1, figures.found.of)
    precision = found / (last_of_score + 1)
    return np.asarray(recall, np.float64), np.asarray(precision, np.float64)


@dataclass(slots=True)
class ListFigures:
    """What a keep list and a delete list do to a set.

    Attributes:
        pictures: in the set.
        kept, deleted: pictures of the set on each list.
        unaccounted: pictures on neither list. on_both: on both.
        false_deletes: deleted in favour of a picture of another group.
        lost: groups of which nothing is kept.
        removed: deletable pictures (all but one of each group) that are deleted.
        original_kept: of the groups from which something is deleted, those that keep the original
            or a copy without loss.
        per_edit: deleted copies, by edit.
        per_family: pictures deleted of all pictures, by family of look-alikes.
        false_kinds: false deletes by what the two pictures are.
    """

    pictures: int = 0
    kept: int = 0
    deleted: int = 0
    unaccounted: int = 0
    on_both: int = 0
    false_deletes: int = 0
    lost: int = 0
    removed: Share = field(default_factory=Share)
    original_kept: Share = field(default_factory=Share)
    per_edit: dict[str, Share] = field(default_factory=dict)
    per_family: dict[str, Share] = field(default_factory=dict)
    false_kinds: Counter[str] = field(default_factory=Counter)

    def add(self, other: ListFigures) -> None:
        """Takes in the figures of another set."""
        for name in (
            "pictures",
            "kept",
            "deleted",
            "unaccounted",
            "on_both",
            "false_deletes",
            "lost",
            "removed",
            "original_kept",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in (
            (self.per_edit, other.per_edit),
            (self.per_family, other.per_family),
        ):
            for key, share in theirs.items():
                mine[key] = mine.get(key, Share()) + share
        self.false_kinds += other.false_kinds


def score_lists(truth: TruthSet, keep: set[int], delete: Mapping[int, int]) -> ListFigures:
    """The figures of one pair of lists.

    Args:
        keep: pictures that stay.
        delete: each deleted picture and the one kept in its place; -1 for one outside the set.
    """
    figures = ListFigures(
        pictures=len(truth.pictures),
        kept=len(keep),
        deleted=len(delete),
        unaccounted=len(truth.pictures) - len(keep | delete.keys()),
        on_both=len(keep & delete.keys()),
    )
    for picture, kept in delete.items():
        if kept < 0 or truth.groups[picture] != truth.groups[kept]:
            figures.false_deletes += 1
            kind = OUTSIDE if kept < 0 else _kind(truth, picture, kept)
            figures.false_kinds[kind] += 1
    for places in truth.members.values():
        gone = [place for place in places if place in delete]
        staying = [place for place in places if place in keep]
        figures.lost += not staying
        figures.removed += Share(min(len(places) - 1, len(gone)), len(places) - 1)
        if gone and len(places) > 1:
            is_best = any(truth.pictures[place].edit in LOSSLESS for place in staying)
            figures.original_kept += Share(int(is_best), 1)
    for place, shown in enumerate(truth.pictures):
        one = Share(int(place in delete), 1)
        if shown.role is Role.COPY:
            figures.per_edit[shown.edit] = figures.per_edit.get(shown.edit, Share()) + one
        elif shown.role is Role.LOOKALIKE:
            family = shown.family
            figures.per_family[family] = figures.per_family.get(family, Share()) + one
    return figures


@dataclass(slots=True)
class CandidateFigures:
    """How many true pairs the candidate stage proposes, and at what price.

    Attributes:
        found: original-copy pairs that are candidates.
        pictures: in the sets.
        candidates: pairs proposed.
        per_edit: as `found`, by edit.
    """

    found: Share = field(default_factory=Share)
    pictures: int = 0
    candidates: int = 0
    per_edit: dict[str, Share] = field(default_factory=dict)

    @property
    def per_image(self) -> float:
        """Candidate pairs for each picture."""
        return self.candidates / max(1, self.pictures)

    def add(self, other: CandidateFigures) -> None:
        """Takes in the figures of another set."""
        self.found += other.found
        self.pictures += other.pictures
        self.candidates += other.candidates
        for edit, share in other.per_edit.items():
            self.per_edit[edit] = self.per_edit.get(edit, Share()) + share


def score_candidates(truth: TruthSet, candidates: set[tuple[int, int]]) -> CandidateFigures:
    """The figures of one self-join.

    Args:
        candidates: pairs of pictures, the lower place first; pictures of the same bytes count as
            candidates of each other.
    """
    figures = CandidateFigures(pictures=len(truth.pictures), candidates=len(candidates))
    for copy, original in truth.copies.items():
        pair = (min(copy, original), max(copy, original))
        one = Share(int(pair in candidates), 1)
        edit = truth.pictures[copy].edit
        figures.found += one
        figures.per_edit[edit] = figures.per_edit.get(edit, Share()) + one
    return figures


def _copies_per_edit(truth: TruthSet) -> Counter[str]:
    return Counter(truth.pictures[copy].edit for copy in truth.copies)


def _kind(truth: TruthSet, first: int, second: int) -> str:
    """The family of two look-alikes of one family, or what else the two are."""
    families = sorted({truth.pictures[first].family, truth.pictures[second].family})
    if len(families) == 1:
        return families[0] or TWO_PHOTOGRAPHS
    return TWO_FAMILIES if families[0] else PHOTOGRAPH_AND_LOOKALIKE
