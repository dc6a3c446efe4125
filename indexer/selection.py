"""Which of the listed blobs a run looks at: by name and by age.

What a run leaves out is listed all the same. So it is never taken for gone, and what is gone is
noticed whatever a run looks at.

Patterns are matched against the name below the source, letters as they are:

    *        any characters but /
    ?        one character but /
    [a-z]    one of these; [!a-z] one of the others
    **       any characters, also none; `a/**/b` matches `a/b` too

A pattern without / is matched against the last part of the name, wherever it lies; `a/` is all that
lies in the folder `a`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from storage.blob import Blob
from storage.errors import UsageError

_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


class Choice(Enum):
    """What a run does with a blob."""

    LOOK = auto()
    EXCLUDED = auto()
    """Its name does not pass the patterns."""
    OLDER = auto()
    """It was not modified since the date."""


@dataclass(frozen=True)
class Selection:
    """What a run looks at; by default everything.

    Attributes:
        include: only blobs that match one of these; all when there is none.
        exclude: none of those that match one of these.
        since: only what was modified at this time or later, seconds since the epoch.

    Raises:
        UsageError: a pattern that can match nothing.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: float | None = None

    def __post_init__(self) -> None:
        for pattern in self.include + self.exclude:
            compile_pattern(pattern)

    @property
    def scope(self) -> str:
        """The same for runs that look at the same blobs."""
        return json.dumps([self.include, self.exclude, self.since])

    def choose(self, blob: Blob, root: str) -> Choice:
        """Whether the run looks at this blob of the source `root`."""
        if self.include or self.exclude:
            name = blob.uri[len(root.rstrip("/")) + 1 :]
            if not self._passes(name):
                return Choice.EXCLUDED
        if self.since is not None and blob.last_modified < self.since:
            return Choice.OLDER
        return Choice.LOOK

    def _passes(self, name: str) -> bool:
        included, excluded = self._patterns
        if included and not any(pattern.fullmatch(name) for pattern in included):
            return False
        return not any(pattern.fullmatch(name) for pattern in excluded)

    @cached_property
    def _patterns(self) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
        return (
            [compile_pattern(pattern) for pattern in self.include],
            [compile_pattern(pattern) for pattern in self.exclude],
        )


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """An expression that fully matches the names a pattern means.

    Raises:
        UsageError: a pattern that can match nothing.
    """
    inner = pattern.removeprefix("/")
    if not inner or "//" in inner:
        raise UsageError(
            f"The pattern {pattern!r} can match no name.",
            "Write it as in *.jpg, thumbs/ or 2024/**/scan-??.tif.",
        )
    if inner.endswith("/"):
        inner += "**"
    begin = "" if "/" in pattern else "(?:.*/)?"
    body = "".join(_expression(token) for token in _TOKENS.findall(inner))
    try:
        return re.compile(begin + body, re.DOTALL)
    except re.error as error:
        raise UsageError(
            f"The pattern {pattern!r} makes no sense ({error}).", "Check its brackets."
        ) from error


def _expression(token: str) -> str:
    if token == "**/":
        return "(?:.*/)?"
    if token == "**":
        return ".*"
    if token == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if len(token) > 1:
        is_negated = token[1] == "!"
        members = token[2 if is_negated else 1 : -1].replace("\\", "\\\\").replace("[", "\\[")
        members = members.replace("^", "\\^").replace("]", "\\]")
        # Python may come to read `--`, `&&`, `~~` and `||` as operations on sets.
        members = re.sub(r"^--", r"\\--", members)
        members = re.sub(r"(?<!\\)--", r"-\\-", members)
        members = re.sub(r"([&~|])", r"\\\1", members)
        return f"(?!/)[{'^' if is_negated else ''}{members}]"
    return re.escape(token)
