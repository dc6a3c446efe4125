"""What a compared tool is, and what it says when it cannot run here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.accuracy.pairs import ScoredPairs
from storage.errors import DedupError


class ToolUnavailable(DedupError):
    """A compared tool or its weights are not installed; the others are measured without it."""


class ComparedTool(Protocol):
    """A way to find duplicates that others publish, with its own default threshold."""

    @property
    def name(self) -> str:
        """As it stands in the tables."""

    @property
    def setting(self) -> str:
        """The default it is run with, in words."""

    def pairs(self, files: Sequence[Path]) -> ScoredPairs:
        """What it says of these pictures.

        A file that the tool cannot read matches nothing.

        Raises:
            ToolUnavailable: it is not installed, or its weights are not here.
        """


def missing(package: str) -> ToolUnavailable:
    """The error for a package that is not installed."""
    return ToolUnavailable(
        f"The package {package} is not installed.", "Install it as docs/accuracy.md says."
    )
