"""Why a blob was left alone, in words that are the same for every blob it happens to."""

from __future__ import annotations

from storage.errors import DedupError


def reason_of(error: DedupError, uri: str, keep: str = "", target: str = "") -> str:
    """What an error says, without the names in it, so that it can be counted.

    Args:
        uri: of the blob. keep: of its keeper. target: where it was to go.
    """
    names = {uri: "it", keep: "its keeper", target: "its place in the quarantine"}
    reason = error.message
    # The longest first: the name in the quarantine ends with the name itself.
    for name in sorted(filter(None, names), key=len, reverse=True):
        reason = reason.replace(name, names[name])
    return reason.removesuffix(".")
