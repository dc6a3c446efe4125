"""Verifiers that worker processes can make: what they say is known, what they cost is counted."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from tests.resolve.invented import UNRELATED, copy
from verify.costs import StageCosts
from verify.verdict import Verdict

if TYPE_CHECKING:
    from verify.evidence import VerifyImage


class StagedVerifier:
    """Two stages. Images of the same width are copies, decided in the second."""

    version = "staged/1"

    def __init__(self) -> None:
        self.costs = StageCosts()

    def verify(self, a: VerifyImage, b: VerifyImage) -> Verdict:
        with self.costs.pair() as pair:
            pair.enter("records")
            _spend(0.002)
            if a.record.width != b.record.width:
                return UNRELATED
            pair.enter("pixels")
            _spend(0.004)
            return copy(score=0.5 + a.record.width / 10_000)


class PlainVerifier:
    """The same verdicts; counts nothing."""

    version = "plain/1"

    def verify(self, a: VerifyImage, b: VerifyImage) -> Verdict:
        return StagedVerifier().verify(a, b)


class DeadlyVerifier(PlainVerifier):
    """Ends its process on two images 666 wide, as a bug in a native library would."""

    version = "deadly/1"

    def verify(self, a: VerifyImage, b: VerifyImage) -> Verdict:
        if a.record.width == b.record.width == 666:
            os._exit(11)
        return super().verify(a, b)


def _spend(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
