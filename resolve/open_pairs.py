"""Hands the pairs that the cheap stages left open to a second look, many at a time.

The workers verify pair by pair, each with a core. A GPU wants many pairs at once, and there is one
of it: so open pairs are gathered here, in the process that has the device.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from resolve.needed_pairs import Ahead
from resolve.verdicts import CachedVerdicts
from search.candidates import CandidatePair
from verify.codec import encode_verdict
from verify.second_look import SecondLook, is_open

# Pairs whose verdicts are waited for before those left open are looked at.
_TOGETHER = 512
# Previews in memory at once: 640×480 RGB is 0.9 MB.
_OPEN_TOGETHER = 64
# Cosine similarity of the embeddings below which hardly any pair is a copy.
_WORTH_IT = 0.70


class OpenPairs:
    """Between the workers and the resolution.

    Args:
        verdicts: knows the verdicts, and takes the new ones.
        second_look: what looks again.

    Attributes:
        looked_at, found: pairs that were looked at again, and those of them that are copies.
    """

    def __init__(self, verdicts: CachedVerdicts, second_look: SecondLook) -> None:
        self._verdicts = verdicts
        self._second_look = second_look
        self.looked_at = 0
        self.found = 0

    def after(self, ahead: Ahead) -> Ahead:
        """The same pairs in the same order, each with its final verdict known."""

        def closed(pairs: Iterable[CandidatePair]) -> Iterator[CandidatePair]:
            stream = ahead(pairs)
            while part := list(islice(stream, _TOGETHER)):
                self._close([pair for pair in part if self._is_worth_it(pair)])
                yield from part

        return closed

    def _is_worth_it(self, pair: CandidatePair) -> bool:
        if max(pair.similarity.values(), default=1.0) < _WORTH_IT:
            return False
        return is_open(self._verdicts.verdict(pair.low_id, pair.high_id))

    def _close(self, pairs: list[CandidatePair]) -> None:
        for start in range(0, len(pairs), _OPEN_TOGETHER):
            ordered = [
                self._verdicts.order(pair.low_id, pair.high_id)
                for pair in pairs[start : start + _OPEN_TOGETHER]
            ]
            images = [(self._verdicts.image(a), self._verdicts.image(b)) for a, b in ordered]
            answers = self._second_look.verdicts(images)
            for (a, b), verdict in zip(ordered, answers, strict=True):
                self._verdicts.replace(a, b, encode_verdict(verdict))
                self.looked_at += 1
                self.found += verdict.is_copy
