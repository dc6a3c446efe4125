"""Why a blob holds no picture that can be indexed."""

from __future__ import annotations


class UndecodableImage(Exception):
    """The content is no image, or none that may or can be decoded.

    Data rather than a failure: the pass stores the reason beside the blob as `unreadable` and goes
    on. Picklable, since decoding runs in other processes.

    Args:
        reason: one short sentence for the owner of the picture.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
