"""What is to be done with a listed blob, decided from the listing and the catalog alone."""

from __future__ import annotations

from enum import Enum, auto

from storage.blob import Blob
from storage.records import BlobEntry, BlobStatus

# The reason of a blob that could not be had this time and is asked for again in the next run.
UNAVAILABLE = "unavailable: "


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
        entry: as the catalog knows it; None when it does not.
    """
    if blob.refusal:
        is_known = (
            entry is not None
            and entry.status is BlobStatus.UNREADABLE
            and entry.reason == blob.refusal
            and entry.etag == blob.etag
        )
        return Plan.KEEP if is_known else Plan.REFUSE
    if entry is None or entry.etag != blob.etag or entry.size != blob.size:
        return Plan.READ
    if entry.status is BlobStatus.UNREADABLE:
        return Plan.READ if entry.reason.startswith(UNAVAILABLE) else Plan.KEEP
    if entry.object_id != blob.object_id:
        return Plan.REFRESH
    return Plan.KEEP
