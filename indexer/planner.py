"""What is to be done with a listed blob, decided from the listing and the catalog alone."""

from __future__ import annotations

from enum import Enum, auto

from storage.blob import Blob
from storage.records import BlobEntry, BlobStatus


class Plan(Enum):
    """What to do with a blob."""

    KEEP = auto()
    """Known, unchanged: nothing to do."""
    REFRESH = auto()
    """Known and unchanged in content; the catalog notes its new name for the same object."""
    READ = auto()
    REFUSE = auto()
    """The source will not read it: unreadable, with the source's reason."""


def plan(blob: Blob, entry: BlobEntry | None) -> Plan:
    """Decides on one blob.

    Args:
        blob: as listed now.
        entry: as the catalog knows it; None when it does not. One without an ETag was never read.
    """
    if blob.refusal:
        is_known = entry is not None and entry.reason == blob.refusal and not entry.etag
        return Plan.KEEP if is_known else Plan.REFUSE
    if entry is None or entry.etag != blob.etag or entry.size != blob.size:
        return Plan.READ
    if entry.status is BlobStatus.INDEXED and entry.object_id != blob.object_id:
        return Plan.REFRESH
    return Plan.KEEP
