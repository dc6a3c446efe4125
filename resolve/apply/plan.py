"""May this row be acted on? Pure: from what is listed, indexed and there now, to a yes or a why.

Whatever is not certain is left alone, and said.
"""

from __future__ import annotations

from dataclasses import dataclass

from resolve.apply.facts import Known, RowFacts
from resolve.apply.rows import Row
from resolve.preferences import Prefixes
from storage.actions import Action, BlobState
from storage.azure_address import SCHEME
from storage.open_actions import store_key
from storage.records import BlobStatus
from verify.verdict import Relation

# delete.csv has four decimals.
_SCORE_ROUNDING = 0.00006
# The container that blobs go to when none is named.
QUARANTINE_CONTAINER = "dedup-quarantine"

NOT_INDEXED = "it is not in the index"
KEEPER_NOT_INDEXED = "its keeper is in neither the index nor the reference index"
UNREADABLE = "the index has it as unreadable"
KEEPER_UNREADABLE = "the index has its keeper as unreadable"
IN_REFERENCE = "the reference index has this file too"
PROTECTED = "it lies under a protected prefix"
DECIDED_KEEP = "somebody decided to keep it"
DECIDED_APART = "somebody decided that it is not the same as its keeper"
OTHER_SIZE = "the index has it with another size than the list"
OTHER_GROUP = "its keeper has other content in the index than when the list was made"
NOT_EXACT = "the list says they are the same bytes; the index says they are not"
NO_VERDICT = "the index has no verdict on it and its keeper"
OTHER_VERDICT = "the index has another verdict on it and its keeper than the list"
LINK_INEXACT = "only the same bytes are linked: a link would give its readers another file"
LINK_STORES = "it and its keeper are not both files"
OTHER_STORE = "the quarantine is in another store than it"
IN_QUARANTINE = "the quarantine lies in the source it was indexed from"

GONE = "it is gone"
CHANGED = "it has changed since it was indexed"
KEEPER_GONE = "its keeper is gone"
KEEPER_CHANGED = "its keeper has changed since it was indexed"
KEEPER_IS_LINK_TO_LISTED = "its keeper is a link to a file that is to be deleted itself"
SAME_OBJECT = "it and its keeper are one file under two names"


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every row.

    Attributes:
        protect: what lies under these is left alone.
        quarantine: the place; "" for a container of that name in the account of each blob.
    """

    action: Action
    protect: Prefixes
    quarantine: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A row that list and index agree on.

    Attributes:
        etag, keep_etag: as indexed.
        digest, keep_digest: SHA-256, hex.
        must_be_read: one of the two is known by its size and MD5 only.
    """

    row: Row
    etag: str
    keep_etag: str
    digest: str
    keep_digest: str
    must_be_read: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """A row that is left alone.

    Attributes:
        uri: of the file.
        reason: why; to be read after "skipped, for ".
    """

    uri: str
    reason: str


def plan_row(row: Row, facts: RowFacts, rules: Rules) -> Task | Skip:
    """Whether the list, the index, the decisions and the rules agree that the row may be acted on.

    The group of a row begins with the digest of its keeper's content; so the index must have the
    keeper with the content it had when the list was made.
    """
    copy, keeper = facts.copy, facts.keeper
    if copy is None:
        return Skip(row.path, NOT_INDEXED)
    if keeper is None:
        return Skip(row.path, KEEPER_NOT_INDEXED)
    reason = _why_not(row, copy, keeper, facts, rules)
    if reason:
        return Skip(row.path, reason)
    return Task(
        row,
        copy.entry.etag,
        keeper.entry.etag,
        copy.digest.hex(),
        keeper.digest.hex(),
        must_be_read=copy.entry.is_unread or keeper.entry.is_unread,
    )


def why_not_now(state: BlobState | None, keeper: BlobState | None, task: Task) -> str:
    """What of the two is not any more as it was indexed; "" for nothing."""
    if state is None:
        return GONE
    if keeper is None:
        return KEEPER_GONE
    if state.etag != task.etag:
        return CHANGED
    if keeper.etag != task.keep_etag:
        return KEEPER_CHANGED
    if state.refusal:
        return f"it is {state.refusal}"
    if not state.is_complete:
        return "it is being copied to"
    if state.object_id and state.object_id == keeper.object_id:
        return SAME_OBJECT
    return ""


def _why_not(row: Row, copy: Known, keeper: Known, facts: RowFacts, rules: Rules) -> str:
    if copy.entry.status is not BlobStatus.INDEXED:
        return UNREADABLE
    if keeper.entry.status is not BlobStatus.INDEXED:
        return KEEPER_UNREADABLE
    if facts.is_in_reference:
        return IN_REFERENCE
    if rules.protect.match(row.path) is not None:
        return PROTECTED
    if facts.is_wanted:
        return DECIDED_KEEP
    if facts.is_apart:
        return DECIDED_APART
    return _why_no_evidence(row, copy, keeper, facts) or _why_not_so(row, copy, rules)


def _why_no_evidence(row: Row, copy: Known, keeper: Known, facts: RowFacts) -> str:
    if copy.entry.size != row.size:
        return OTHER_SIZE
    if not row.group or not keeper.digest.hex().startswith(row.group):
        return OTHER_GROUP
    if row.relation is Relation.EXACT and copy.digest != keeper.digest:
        return NOT_EXACT
    if copy.digest == keeper.digest:
        # The same bytes need no verdict, whatever the list calls them.
        return ""
    verdict = facts.verdict
    if verdict is None:
        return NO_VERDICT
    is_same = verdict.relation is row.relation and abs(verdict.score - row.score) < _SCORE_ROUNDING
    return "" if is_same and verdict.a_covers_b else OTHER_VERDICT


def _why_not_so(row: Row, copy: Known, rules: Rules) -> str:
    if rules.action is Action.LINK:
        if not (row.path.startswith("/") and row.keep.startswith("/")):
            return LINK_STORES
        if row.relation is not Relation.EXACT:
            return LINK_INEXACT
    if rules.action is Action.QUARANTINE:
        place = quarantine_place(rules.quarantine, row.path)
        if not place or store_key(place) != store_key(row.path):
            return OTHER_STORE
        if _is_below(place, copy.entry.source):
            return IN_QUARANTINE
    return ""


def quarantine_place(given: str, uri: str) -> str:
    """The quarantine for this blob: the one given, or its account's; "" for a file without one."""
    account = store_key(uri)
    return given or (f"{SCHEME}{account}/{QUARANTINE_CONTAINER}" if account else "")


def _is_below(place: str, source: str) -> bool:
    return f"{place.rstrip('/')}/".startswith(f"{source.rstrip('/')}/")
