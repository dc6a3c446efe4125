"""What the index knows of the blobs of a row, and of the evidence between them."""

from __future__ import annotations

from dataclasses import dataclass

from resolve.decisions import Decisions
from storage.catalog import Catalog
from storage.records import BlobEntry
from verify.codec import decode_verdict
from verify.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Known:
    """A blob of an index.

    Attributes:
        digest: SHA-256 of its content; b"" when it is unreadable.
    """

    entry: BlobEntry
    digest: bytes


@dataclass(frozen=True, slots=True)
class RowFacts:
    """All that is known of one row.

    Attributes:
        copy, keeper: as the index, or for the keeper the reference index, knows them; None when
            neither does.
        is_in_reference: the copy is also a file of the reference index.
        verdict: the stored one, the keeper being a; None when there is none.
        is_apart: somebody decided that the two are not the same.
        is_wanted: somebody decided that the copy stays.
    """

    copy: Known | None
    keeper: Known | None
    is_in_reference: bool = False
    verdict: Verdict | None = None
    is_apart: bool = False
    is_wanted: bool = False


class IndexFacts:
    """Looks rows up.

    Args:
        index: the one that was resolved.
        reference: the one it was resolved against; None for none.
        verifier: the version of what gave the verdicts, as summary.json names it.
        decisions: of people, as they are now.
    """

    def __init__(
        self, index: Catalog, reference: Catalog | None, verifier: str, decisions: Decisions
    ) -> None:
        self._index = index
        self._reference = reference
        self._verifier = verifier
        self._decisions = decisions

    def of(self, copy_uri: str, keeper_uri: str) -> RowFacts:
        """What is known of this pair now."""
        copy = _known(self._index, copy_uri)
        keeper = _known(self._index, keeper_uri)
        if keeper is None and self._reference is not None:
            keeper = _known(self._reference, keeper_uri)
        if copy is None or keeper is None:
            return RowFacts(copy, keeper)
        pair = (min(copy.digest, keeper.digest), max(copy.digest, keeper.digest))
        return RowFacts(
            copy,
            keeper,
            is_in_reference=(
                self._reference is not None and self._reference.blob(copy_uri) is not None
            ),
            verdict=self._verdict(keeper.digest, copy.digest),
            is_apart=pair in self._decisions.not_same,
            is_wanted=copy.digest in self._decisions.keep and copy.digest != keeper.digest,
        )

    def _verdict(self, keeper: bytes, copy: bytes) -> Verdict | None:
        if not keeper or not copy or keeper == copy:
            return None
        low, high = min(keeper, copy), max(keeper, copy)
        stored = self._index.verdict(low, high, self._verifier)
        if stored is None:
            return None
        verdict = decode_verdict(stored)
        return verdict if low == keeper else verdict.reversed()


def _known(catalog: Catalog, uri: str) -> Known | None:
    entry = catalog.blob(uri)
    if entry is None:
        return None
    return Known(entry, catalog.record(entry.image_id).digest if entry.image_id else b"")
