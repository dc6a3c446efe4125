"""What the user asked for: which copies to prefer, which folders never to touch.

folder:PREFIX   what lies under this folder or this az:// prefix
format:NAME     JPEG, PNG, WEBP, TIFF, HEIF, AVIF, GIF, BMP
largest         the most pixels
smallest        the fewest bytes
oldest, newest  by the date of the blob; a day is no difference
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from storage.errors import UsageError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "GIF", "BMP")
_ALIASES = {"JPG": "JPEG", "TIF": "TIFF", "HEIC": "HEIF", "MPO": "JPEG"}
_REMEDY = (
    "The rules are folder:PREFIX, format:NAME, largest, smallest, oldest and newest; repeat "
    "--prefer, the most important first."
)


class PreferenceKind(StrEnum):
    """What a rule looks at."""

    FOLDER = "folder"
    FORMAT = "format"
    LARGEST = "largest"
    SMALLEST = "smallest"
    OLDEST = "oldest"
    NEWEST = "newest"


_WITH_VALUE = (PreferenceKind.FOLDER, PreferenceKind.FORMAT)


@dataclass(frozen=True, slots=True)
class Preference:
    """One rule of `--prefer`.

    Attributes:
        kind: what it looks at.
        value: the format in capitals, or the folder as it was given; "" for the others.
    """

    kind: PreferenceKind
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind.value


def parse_preferences(rules: Sequence[str]) -> tuple[Preference, ...]:
    """The rules in their order.

    Raises:
        UsageError: a rule that does not exist, naming those that do.
    """
    return tuple(_parse(rule) for rule in rules)


def _parse(rule: str) -> Preference:
    name, _, value = rule.strip().partition(":")
    try:
        kind = PreferenceKind(name.strip().lower())
    except ValueError as error:
        raise UsageError(f"There is no rule {rule!r} for --prefer.", _REMEDY) from error
    value = value.strip()
    if (kind in _WITH_VALUE) != bool(value):
        raise UsageError(f"The rule {rule!r} for --prefer is not complete.", _REMEDY)
    if kind is PreferenceKind.FORMAT:
        value = normalised_format(value)
        if value not in FORMATS:
            raise UsageError(
                f"The rule {rule!r} names a format that is not known.",
                f"The formats are {', '.join(FORMATS)}.",
            )
    return Preference(kind, value)


def normalised_format(name: str) -> str:
    """`jpg` and `JPEG` are the same format."""
    upper = name.upper()
    return _ALIASES.get(upper, upper)


class Prefixes:
    """Folders and address prefixes, compared with the URIs of blobs by whole path components.

    A folder is compared both as it was given, made absolute, and with its symbolic links resolved:
    sources give resolved paths.
    """

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._stems: list[tuple[str, str]] = [
            (stem, given) for given in prefixes for stem in _stems(given)
        ]

    def __bool__(self) -> bool:
        return bool(self._stems)

    def match(self, uri: str) -> str | None:
        """The prefix, as it was given, that the URI lies under; None when under none."""
        for stem, given in self._stems:
            if uri == stem or uri.startswith(stem if stem.endswith("/") else stem + "/"):
                return given
        return None


def _stems(prefix: str) -> tuple[str, ...]:
    if "://" in prefix:
        scheme, _, rest = prefix.partition("://")
        return (f"{scheme}://{rest.rstrip('/')}",)
    absolute = os.path.abspath(os.path.expanduser(prefix))  # noqa: PTH100, PTH111
    resolved = os.path.realpath(absolute)
    return tuple(dict.fromkeys((absolute, resolved)))
