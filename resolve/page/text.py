"""Names and numbers as a page can show them."""

from __future__ import annotations


def shown_path(text: str) -> str:
    """A name as a page can show it: what is not UTF-8, and control characters, are escaped."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def bytes_text(count: float) -> str:
    """A number of bytes with a fitting unit: 1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
