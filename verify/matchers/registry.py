"""The matchers by name."""

from __future__ import annotations

from pathlib import Path

from storage.errors import ModelError
from verify.matchers.base import Matcher

MATCHER_NAMES = ("orb", "sift")


def load_matcher(name: str, *, weights: Path | None = None, device: str = "auto") -> Matcher:
    """The matcher of that name, ready to use."""
    if name == "orb":
        from verify.matchers.orb import OrbMatcher

        return OrbMatcher()
    if name == "sift":
        from verify.matchers.sift import SiftMatcher

        return SiftMatcher()
    raise ModelError(f"There is no matcher {name!r}.", f"Choose one of {', '.join(MATCHER_NAMES)}.")
