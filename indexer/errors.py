"""Why a blob holds no picture that can be indexed."""

from __future__ import annotations

from storage.records import Limit


class UndecodableImage(Exception):
    """The content is no image, or none that may or can be decoded.

    Data rather than a failure: the pass stores the reason beside the blob as `unreadable` and goes
    on. Picklable, since decoding runs in other processes.

    Args:
        reason: one short sentence for the owner of the picture.
        limit: the limit that it is over, when it would perhaps be readable under a higher one.
    """

    def __init__(self, reason: str, limit: Limit | None = None) -> None:
        super().__init__(reason, limit)
        self.reason = reason
        self.limit = limit

    def __str__(self) -> str:
        return self.reason
