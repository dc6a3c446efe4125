"""What is to be done with a listed blob, decided from the listing and the catalog alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from enum import Enum, auto
from types import MappingProxyType

from storage.blob import Blob
from storage.catalog import Catalog
from storage.records import BlobEntry, BlobStatus, LimitKind

Limits = Mapping[LimitKind, float]
NO_LIMITS: Limits = MappingProxyType({})

_VOUCHED_IN_MEMORY = 100_000


class Plan(Enum):
    """What to do with a blob."""

    KEEP = auto()
    """Known, unchanged: nothing to do."""
    REFRESH = auto()
    """Known and unchanged in content; the catalog notes its new name for the same object."""
    READ = auto()
    CONFIRM = auto()
    """Known by its size and MD5 only, which do not suffice: it is to be read."""
    REFUSE = auto()
    """The source will not read it: unreadable, with the source's reason."""


def plan(
    blob: Blob,
    entry: BlobEntry | None,
    limits: Limits = NO_LIMITS,
    *,
    mended: Collection[str] = (),
    is_vouched_for: bool = True,
) -> Plan:
    """Decides on one blob.

    Args:
        blob: as listed now.
        entry: as the catalog knows it; None when it does not. One without an ETag was never read.
        limits: of this run. What was over a lower one before is read again.
        mended: reasons for being unreadable that do not hold any more.
        is_vouched_for: of an entry that is known by its size and MD5 only, whether that suffices.
    """
    if blob.refusal:
        is_known = entry is not None and entry.reason == blob.refusal and not entry.etag
        return Plan.KEEP if is_known else Plan.REFUSE
    if entry is None or entry.etag != blob.etag or entry.size != blob.size:
        return Plan.READ
    if entry.limit is not None and limits.get(entry.limit.kind, 0.0) > entry.limit.value:
        return Plan.READ
    if entry.reason in mended:
        return Plan.READ
    if entry.is_unread and not is_vouched_for:
        return Plan.CONFIRM
    if entry.status is BlobStatus.INDEXED and entry.object_id != blob.object_id:
        return Plan.REFRESH
    return Plan.KEEP


class Planner:
    """Decides with the catalog at hand. Belongs to one thread.

    Args:
        limits: of this run.
        mended: reasons for being unreadable that do not hold any more.
        trusts_md5: whether size and MD5 may stand for a content that was read from another blob.
    """

    def __init__(
        self,
        catalog: Catalog,
        limits: Limits,
        *,
        mended: Collection[str] = (),
        trusts_md5: bool,
    ) -> None:
        self.trusts_md5 = trusts_md5
        self._catalog = catalog
        self._limits = limits
        self._mended = mended
        self._vouched: OrderedDict[int, bool] = OrderedDict()

    def plan(self, blob: Blob) -> tuple[Plan, BlobEntry | None]:
        """What to do with a blob, and what the catalog knows of it."""
        entry = self._catalog.blob(blob.uri)
        is_vouched_for = entry is None or self._is_vouched_for(entry)
        return plan(
            blob, entry, self._limits, mended=self._mended, is_vouched_for=is_vouched_for
        ), entry

    def _is_vouched_for(self, entry: BlobEntry) -> bool:
        """Whether somebody has read its content, from this blob or from another one."""
        if not entry.is_unread:
            return True
        if not self.trusts_md5:
            return False
        known = self._vouched.get(entry.image_id)
        if known is None:
            # An image may have very many blobs: they are looked through once.
            holders = self._catalog.blobs_of(entry.image_id)
            known = self._vouched[entry.image_id] = any(not one.is_unread for one in holders)
            while len(self._vouched) > _VOUCHED_IN_MEMORY:
                self._vouched.popitem(last=False)
        return known
