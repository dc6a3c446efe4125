"""One review: groups in an order, and what a person decides about them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from resolve.decisions import Decisions
from resolve.page.cards import CardJson, Row, card
from resolve.page.groups_file import GroupsFile, Order
from resolve.page.images import Images
from resolve.review.decisions_file import Apart, Decision, DecisionsFile, Kept
from storage.errors import UsageError
from verify.verdict import Relation

MOST_CARDS = 50
_COPIES_SHOWN = 100
_VIEWS_KEPT = 8


@dataclass(frozen=True, slots=True)
class View:
    """Which groups, and in which order.

    Attributes:
        relation: only groups with a copy of this kind; None for all.
        folder: only groups with a file in a folder whose name has this in it; "" for all.
        is_undecided: only groups that nobody has decided anything about.
    """

    order: Order = Order.UNCERTAIN
    relation: Relation | None = None
    folder: str = ""
    is_undecided: bool = False


class PageJson(TypedDict):
    """Some cards. `first` is the place of the first of them, of `total` in the view."""

    first: int
    total: int
    groups: int
    decided: int
    can_undo: bool
    is_stale: bool
    cards: list[dict[str, Any]]


class ReviewSession:
    """Answers the page. Safe in several threads.

    Args:
        groups: opened with `Decided.saw` as its `on_row`.
        decided: filled by that.
        decisions_in_lists: how many decisions the lists were made with; None when not known.
    """

    def __init__(
        self,
        groups: GroupsFile,
        images: Images,
        decisions: DecisionsFile,
        decided: Decided,
        decisions_in_lists: int | None,
    ) -> None:
        self._groups = groups
        self._images = images
        self._decisions = decisions
        self._is_decided = np.array(decided.flags, np.bool_)
        self._place = {group: place for place, group in enumerate(groups.ids)}
        self._views: OrderedDict[View, NDArray[np.int64]] = OrderedDict()
        self._guard = threading.Lock()
        self._as_of_lists = decisions_in_lists

    def page(self, view: View, first: int, count: int, group: str = "") -> PageJson:
        """The cards from place `first` of the view on, or from where `group` is in it."""
        with self._guard:
            places = self._in_view(view)
        if group:
            found = np.flatnonzero(places == self._place.get(group, -1))
            first = int(found[0]) if len(found) else first
        first = max(0, min(first, len(places) - 1))
        chosen = places[first : first + max(1, min(count, MOST_CARDS))].tolist()
        return {
            "first": first,
            "total": len(places),
            "groups": len(self._groups),
            "decided": int(self._is_decided.sum()),
            "can_undo": self._decisions.can_undo,
            "is_stale": len(self._decisions.known) != self._as_of_lists,
            "cards": [self._card(place) for place in chosen],
        }

    def preview(self, digest: str) -> bytes | None:
        """The JPEG of an image of the index."""
        return self._images.preview(bytes.fromhex(digest))

    def decide(self, group: str, action: str, digest: str = "") -> dict[str, Any]:
        """Save a decision at once; the card as it is after it.

        Args:
            action: `keep` this image, whatever the others are; it is `not_same` as the keeper;
                `keep_all` images of the group.
            digest: of the image; not for `keep_all`.

        Raises:
            UsageError: there is no such group, image or action.
            IndexStorageError: it could not be saved.
        """
        place = self._place.get(group)
        if place is None:
            raise UsageError("There is no such group.", "Load the page again.")
        row = self._groups.row(place)
        with self._guard:
            saved = self._decisions.add(_decisions(row, action, digest), group)
            self._update(place, row)
        return {"card": self._card(place), "saved": saved}

    def undo(self) -> str | None:
        """Take back what was decided last; the group it was about, None for nothing."""
        with self._guard:
            group = self._decisions.undo()
            place = self._place.get(group or "")
            if place is not None:
                self._update(place, self._groups.row(place))
            return group

    def _update(self, place: int, row: Row) -> None:
        self._is_decided[place] = is_decided(row, self._decisions.known)
        for view in [view for view in self._views if view.is_undecided]:
            del self._views[view]

    def _in_view(self, view: View) -> NDArray[np.int64]:
        if view in self._views:
            self._views.move_to_end(view)
            return self._views[view]
        places = self._groups.ordered(view.order)
        wanted = np.ones(len(places), np.bool_)
        if view.relation is not None:
            wanted &= self._groups.with_relation(view.relation)
        if view.folder:
            wanted &= self._groups.in_folders(view.folder)
        if view.is_undecided:
            wanted &= ~self._is_decided
        found = self._views[view] = places[wanted[places]]
        while len(self._views) > _VIEWS_KEPT:
            self._views.popitem(last=False)
        return found

    def _card(self, place: int) -> dict[str, Any]:
        row = self._groups.row(place)
        made: CardJson = card(row, self._images, _preview_url, _COPIES_SHOWN)
        known = self._decisions.known
        keeper = made["keeper"]["digest"]
        kept = {
            image["digest"]
            for image in (made["keeper"], *made["copies"])
            if bytes.fromhex(image["digest"]) in known.keep
        }
        apart = {
            copy["digest"]
            for copy in made["copies"]
            if _pair(keeper, copy["digest"]) in known.not_same
        }
        return {**made, "kept": sorted(kept), "apart": sorted(apart)}


class Decided:
    """Notes which groups something was decided about, while their file is read."""

    def __init__(self, known: Decisions) -> None:
        self._known = known
        self.flags: list[bool] = []

    def saw(self, place: int, row: Row) -> None:
        """A line of the file, in order."""
        self.flags.append(is_decided(row, self._known))


def is_decided(row: Row, known: Decisions) -> bool:
    """Whether somebody decided something about the images of a group."""
    if not known:
        return False
    keeper = str(row["keeper"]["digest"])
    others = [str(member["digest"]) for member in row["members"]]
    return any(bytes.fromhex(digest) in known.keep for digest in (keeper, *others)) or any(
        _pair(keeper, other) in known.not_same for other in others
    )


def _pair(a: str, b: str) -> tuple[bytes, bytes]:
    low, high = sorted((bytes.fromhex(a), bytes.fromhex(b)))
    return low, high


def _decisions(row: Row, action: str, digest: str) -> list[Decision]:
    keeper = str(row["keeper"]["digest"])
    members = dict.fromkeys(str(member["digest"]) for member in row["members"])
    if action == "keep_all":
        return [Kept(each) for each in dict.fromkeys((keeper, *members))]
    if digest != keeper and digest not in members:
        raise UsageError("There is no such image in this group.", "Load the page again.")
    if action == "keep":
        return [Kept(digest)]
    if action == "not_same":
        if digest == keeper:
            raise UsageError("The same bytes are the same picture.", "Choose another copy.")
        return [Apart(keeper, digest)]
    raise UsageError(f"There is no decision {action!r}.", "Load the page again.")


def _preview_url(digest: str) -> str:
    return f"preview/{digest}"
