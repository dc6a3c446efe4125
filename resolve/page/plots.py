"""Bars as inline SVG: no script, no style of its own, the numbers beside them as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

_WIDTH = 460
_LABEL = 200
_NUMBER = 80
_LONGEST = 28
_ROW = 24
_BAR = 15


def bars(
    title: str, values: Mapping[str, int], text: Callable[[int], str] = lambda value: f"{value:,}"
) -> str:
    """A figure with a bar for each value; "" when there is none.

    Args:
        values: label to value, from the top down.
        text: how a value is written.
    """
    if not values:
        return ""
    most = max(*values.values(), 1)
    room = _WIDTH - _LABEL - _NUMBER
    height = len(values) * _ROW + 4
    rows = []
    for number, (label, value) in enumerate(values.items()):
        middle = number * _ROW + _ROW // 2 + 2
        # What is there at all is to be seen.
        width = max(1.5, room * value / most) if value else 0.0
        rows.append(
            f'<text x="{_LABEL - 10}" y="{middle}" class="label">{escape(_short(label))}</text>'
            f'<rect x="{_LABEL}" y="{middle - _BAR // 2}" width="{width:.1f}" height="{_BAR}" '
            f'rx="2"/><text x="{_LABEL + width + 8:.1f}" y="{middle}">{escape(text(value))}</text>'
        )
    said = "; ".join(f"{label}: {text(value)}" for label, value in values.items())
    return (
        f'<figure class="plot"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}. '
        f'{escape(said)}">{"".join(rows)}</svg></figure>\n'
    )


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1].rstrip()}…"
