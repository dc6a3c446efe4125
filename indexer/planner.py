"""What is to be done with a listed blob, decided from the listing and the catalog alone."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

from storage.blob import Blob
from storage.records import BlobEntry, BlobStatus, LimitKind

Limits = Mapping[LimitKind, float]
NO_LIMITS: Limits = MappingProxyType({})


class Plan(Enum):
    """What to do with a blob."""

    KEEP = auto()
    """Known, unchanged: nothing to do."""
    REFRESH = auto()
    """Known and unchanged in content; the catalog notes its new name for the same object."""
    READ = auto()
    REFUSE = auto()
    """The source will not read it: unreadable, with the source's reason."""


def plan(blob: Blob, entry: BlobEntry | None, limits: Limits = NO_LIMITS) -> Plan:
    """Decides on one blob.

    Args:
        blob: as listed now.
        entry: as the catalog knows it; None when it does not. One without an ETag was never read.
        limits: of this run. What was over a lower one before is read again.
    """
    if blob.refusal:
        is_known = entry is not None and entry.reason == blob.refusal and not entry.etag
        return Plan.KEEP if is_known else Plan.REFUSE
    if entry is None or entry.etag != blob.etag or entry.size != blob.size:
        return Plan.READ
    if entry.limit is not None and limits.get(entry.limit.kind, 0.0) > entry.limit.value:
        return Plan.READ
    if entry.status is BlobStatus.INDEXED and entry.object_id != blob.object_id:
        return Plan.REFRESH
    return Plan.KEEP
