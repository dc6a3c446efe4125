"""What `dedup index` says at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.run_report import IndexReport


def print_summary(report: IndexReport, index: Path) -> None:
    """Counts that add up, the time per stage, the peak memory."""
    raise NotImplementedError
