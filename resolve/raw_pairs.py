"""RAW files: negatives, which no picture made of them stands for, and the pairs a camera writes.

Only the preview in a RAW file is ever compared, and what it is worth is all the rest of it. So it
goes for nothing but another file with the same bytes, and nothing goes for it. Who shoots RAW+JPEG
and wants one of the two asks for it: then the two of a shot, known by folder and name, are compared
like any others, and one goes where both show the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from resolve.groups import Constraints, Group, Member, VerdictSource
from resolve.needed_pairs import Ahead
from resolve.outlines import Outlines
from search.candidates import CandidatePair
from storage.blob import looks_like_raw
from storage.catalog_view import CatalogView
from storage.records import BlobEntry, BlobStatus, Holder

# What cameras write beside a RAW file, in the cases that they and people use.
_DEVELOPED = ("JPG", "jpg", "JPEG", "jpeg", "HIF", "hif", "HEIC", "heic", "HEIF", "heif")


class RawPairs(StrEnum):
    """Which of a RAW file and the picture of the same shot stays."""

    KEEP = "keep"
    """Both."""
    JPEG = "jpeg"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Shot:
    """A RAW image and the image that lies beside it under the same name.

    Attributes:
        raw, developed: their ids.
        all_raws, all_developed: whether each file with the content of that one has the other
            beside it.
    """

    raw: int
    developed: int
    all_raws: bool
    all_developed: bool


class Shots:
    """The pairs that cameras wrote.

    Args:
        named_raw: images with a blob that is named like a RAW file.
        outlines: of all images.
    """

    def __init__(self, catalog: CatalogView, named_raw: Sequence[int], outlines: Outlines) -> None:
        self._catalog = catalog
        self._is_raw = outlines.is_raw
        self.found = tuple(self._shots(named_raw))

    def _shots(self, named_raw: Sequence[int]) -> Iterator[Shot]:
        for raw in named_raw:
            if not self._is_raw(raw):
                continue
            entries = self._catalog.blobs_of(raw)
            beside = [developed_beside(self._catalog, entry) for entry in entries]
            for developed in dict.fromkeys(each.image_id for pair in beside for each in pair):
                if self._is_raw(developed):
                    continue
                uris = {each.uri for pair in beside for each in pair}
                yield Shot(
                    raw,
                    developed,
                    all(any(e.image_id == developed for e in pair) for pair in beside),
                    all(entry.uri in uris for entry in self._catalog.blobs_of(developed)),
                )

    def groups(
        self,
        policy: RawPairs,
        groups: list[Group],
        keeper_of: NDArray[np.int64],
        group_of: NDArray[np.int64],
        verdicts: VerdictSource,
        constraints: Constraints,
        ahead: Ahead,
    ) -> int:
        """Put into groups what may go for the other one of its shot; how many do.

        Args:
            groups, keeper_of, group_of: as of a resolution, of which this is the last step.
            ahead: as for `resolve`.
        """
        open_pairs = [
            (keeper, goes)
            for keeper, goes in self._asked_for(policy)
            if not (keeper_of[keeper] or keeper_of[goes] or group_of[goes])
            and goes not in constraints.undeletable
            and not constraints.are_apart(keeper, goes)
        ]
        for _ in ahead(CandidatePair(min(pair), max(pair), 64, {}) for pair in open_pairs):
            pass
        gone = 0
        for keeper, goes in open_pairs:
            verdict = verdicts.verdict(keeper, goes)
            # With two pictures of one shot, it may have gone for the other one.
            if verdict.is_copy and verdict.a_covers_b and not keeper_of[goes]:
                _add(Member.of(goes, verdict), keeper, policy, groups, group_of)
                keeper_of[goes] = keeper
                gone += 1
        return gone

    def _asked_for(self, policy: RawPairs) -> Iterator[tuple[int, int]]:
        """What stays and what may go, of shots both of which lie wherever the latter does."""
        for shot in self.found:
            if policy is RawPairs.JPEG and shot.all_raws:
                yield shot.developed, shot.raw
            elif policy is RawPairs.RAW and shot.all_developed:
                yield shot.raw, shot.developed


def developed_beside(catalog: CatalogView, entry: BlobEntry) -> list[BlobEntry]:
    """The pictures in the folder of a RAW file that have its name but for the suffix."""
    if entry.holder is Holder.REFERENCE or not looks_like_raw(entry.uri):
        return []
    stem = entry.uri.rpartition(".")[0]
    found = (catalog.blob(f"{stem}.{suffix}") for suffix in _DEVELOPED)
    return [one for one in found if one is not None and one.status is BlobStatus.INDEXED]


def _add(
    member: Member, keeper: int, policy: RawPairs, groups: list[Group], group_of: NDArray[np.int64]
) -> None:
    place = int(group_of[keeper])
    if not place:
        groups.append(Group(keeper, (), (f"of RAW and JPEG, the {policy.name} was asked for",)))
        place = group_of[keeper] = len(groups)
    group = groups[place - 1]
    groups[place - 1] = Group(keeper, (*group.members, member), group.reasons)
    group_of[member.image_id] = place
