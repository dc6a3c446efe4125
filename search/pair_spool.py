"""Proposals of the self-join, from both sides of a pair, until all are known; then each pair once.

In memory while they are few, then in temporary files, one for each stretch of ids: memory is
bounded by `spill_after` and the largest stretch, and the pairs come in the order of their ids, so
that what verification reads of the catalog lies together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from search.candidates import CandidateColumns
from search.evidence import HASH_SOURCE
from search.hash_index import NOT_PROPOSED
from search.hits import I64
from storage.faults import storage_faults
from storage.records import F32

PROPOSAL = np.dtype([("low", "<i8"), ("high", "<i8"), ("source", "u1"), ("value", "<f4")])
_STRETCHES = 64

# Of `PROPOSAL`: a pair of ids, the source of the evidence on it (`search.evidence`), its value.
Proposals = NDArray[np.void]


def proposals_of(ids: I64, others: I64, sources: NDArray[np.uint8], values: F32) -> Proposals:
    """Proposals of the pairs (ids[i], others[i]) with one piece of evidence each."""
    proposals = np.empty(len(ids), PROPOSAL)
    proposals["low"] = np.minimum(ids, others)
    proposals["high"] = np.maximum(ids, others)
    proposals["source"] = sources
    proposals["value"] = values
    return proposals


class PairSpool:
    """Takes proposals in any order, gives pairs in the order of their ids. A context manager."""

    def __init__(self, image_ids: I64, spill_after: int, directory: Path | None) -> None:
        """
        Args:
            image_ids: int64, ascending: those that pairs are made of.
            spill_after: proposals held in memory.
            directory: where temporary files go; None is the system's place for them.
        """
        cuts = np.linspace(0, len(image_ids), _STRETCHES + 1).astype(np.int64)[1:-1]
        self._borders = image_ids[np.unique(cuts[cuts < len(image_ids)])]
        self._spill_after = spill_after
        self._parent = directory
        self._held: list[Proposals] = []
        self._held_count = 0
        self._files: list[BinaryIO] = []
        self._stack = ExitStack()

    def __enter__(self) -> PairSpool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def is_spilled(self) -> bool:
        """True when memory did not suffice."""
        return bool(self._files)

    def add(self, proposals: Proposals) -> None:
        """Take proposals.

        Raises:
            IndexStorageError: the disk with the temporary files is full.
        """
        self._held.append(proposals)
        self._held_count += len(proposals)
        if self._held_count > self._spill_after:
            self._spill()

    def pairs(self, models: int) -> Iterator[CandidateColumns]:
        """Every pair once, with the best of each kind of evidence, low id first, then high id.

        Args:
            models: how many there are, the sources of evidence after the first.
        """
        if not self._files:
            held, self._held = self._held, []
            yield _merged(held, models)
            return
        self._spill()
        for file in self._files:
            with storage_faults(self._where):
                file.seek(0)
                stretch = np.frombuffer(file.read(), PROPOSAL)
            yield _merged([stretch], models)

    @property
    def _where(self) -> Path:
        return self._parent or Path(tempfile.gettempdir())

    def _spill(self) -> None:
        with storage_faults(self._where):
            if not self._files:
                stretches = range(len(self._borders) + 1)
                self._files = [self._temporary_file() for _ in stretches]
            held = np.concatenate([np.empty(0, PROPOSAL), *self._held])
            stretch = np.searchsorted(self._borders, held["low"], side="right")
            order = np.argsort(stretch, kind="stable")
            ends = np.searchsorted(stretch[order], np.arange(len(self._files)), side="right")
            start = 0
            for file, end in zip(self._files, ends.tolist(), strict=True):
                file.write(held[order[start:end]].tobytes())
                start = end
        self._held, self._held_count = [], 0

    def _temporary_file(self) -> BinaryIO:
        file = tempfile.TemporaryFile(dir=self._parent)  # noqa: SIM115  closed with the spool
        return self._stack.enter_context(file)


def _merged(parts: Sequence[Proposals], models: int) -> CandidateColumns:
    rows = np.concatenate([np.empty(0, PROPOSAL), *parts])
    badness = np.where(rows["source"] == HASH_SOURCE, rows["value"], -rows["value"])
    rows = rows[np.lexsort((badness, rows["source"], rows["high"], rows["low"]))]
    low, high, source = rows["low"], rows["high"], rows["source"]
    is_pair = np.ones(len(rows), bool)
    is_pair[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    is_best = is_pair.copy()
    is_best[1:] |= source[1:] != source[:-1]
    pair = np.cumsum(is_pair) - 1
    count = int(is_pair.sum())
    by_hash = is_best & (source == HASH_SOURCE)
    hamming = np.full(count, NOT_PROPOSED, np.int64)
    hamming[pair[by_hash]] = rows["value"][by_hash]
    similarity = np.full((models, count), np.nan, np.float32)
    by_model = is_best & (source != HASH_SOURCE)
    similarity[source[by_model] - 1, pair[by_model]] = rows["value"][by_model]
    return CandidateColumns(low[is_pair], high[is_pair], hamming, similarity)
