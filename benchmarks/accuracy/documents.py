"""Puts the tables of a run between the markers of docs/accuracy.md, and its plot beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

from storage.errors import UsageError

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def write_documents(docs: Path, tables: str, plot: Path) -> None:
    """Replaces the figures in docs/accuracy.md and docs/images/.

    Raises:
        UsageError: docs/accuracy.md is missing or has no place for them.
    """
    page = docs / "accuracy.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(
            f"{page} has no place for figures.", f"Put the lines {BEGIN} and {END} into it."
        )
    (docs / "images").mkdir(exist_ok=True)
    shutil.copyfile(plot, docs / "images" / plot.name)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", encoding="utf-8")
