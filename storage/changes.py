"""The seam to whatever tells which blobs have changed: an Event Grid queue, a change feed, a test.

What it tells is a hint. The blob is asked for as it is now, and a full listing from time to time
finds what no hint was given of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Changes:
    """A stretch of what has changed.

    Attributes:
        names: URIs of blobs that are new, changed or gone, each once; perhaps of other containers.
        events: how many events these come from.
        not_understood: how many messages are no events of blobs. They are left where they are.
        receipt: what the feed needs to know of them when they are dealt with.
    """

    names: tuple[str, ...] = ()
    events: int = 0
    not_understood: int = 0
    receipt: Any = None


class ChangeSource(Protocol):
    """Tells what has changed since it was last asked."""

    @property
    def what(self) -> str:
        """What it is, for messages; without secrets."""

    def poll(self) -> Changes:
        """The next stretch, in bounded memory; without events when there is nothing for now.

        Raises:
            SourceNotFound, CredentialsError, SourceUnavailable
        """

    def confirm(self, changes: Changes) -> None:
        """These are dealt with. What is not confirmed is told again, perhaps after a restart.

        Raises:
            CredentialsError, SourceUnavailable
        """

    def close(self) -> None:
        """Release connections."""
