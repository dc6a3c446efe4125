"""One thing changed by hand in a picture makes another picture: both stay."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import PHOTOGRAPHS, indexed
from tests.verify.retouched import RETOUCHES
from verify.cascade import Verifier


@pytest.mark.parametrize("qualities", [(95, 95), (92, 75)])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("retouch", RETOUCHES)
def test_a_retouched_picture_is_another(
    verifier: Verifier, retouch: str, name: str, qualities: tuple[int, int]
) -> None:
    random = np.random.default_rng(PHOTOGRAPHS.index(name))
    before, after = RETOUCHES[retouch](photograph(name), random)
    a, b = (
        indexed(rgb, quality=quality)
        for rgb, quality in zip((before, after), qualities, strict=True)
    )
    for one, other in ((a, b), (b, a)):
        verdict = verifier.verify(one, other)
        assert not verdict.is_copy, (verdict.reason, verdict.measurements)
