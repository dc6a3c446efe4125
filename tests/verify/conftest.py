"""The verifier with its default matchers, and the photographs as it sees them."""

from __future__ import annotations

import pytest

from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import PHOTOGRAPHS, indexed
from verify.cascade import Verifier
from verify.evidence import VerifyImage
from verify.matchers.registry import load_matcher


@pytest.fixture(scope="session")
def verifier() -> Verifier:
    """As `dedup resolve` uses it."""
    return Verifier((load_matcher("orb"), load_matcher("sift")))


@pytest.fixture(scope="session")
def originals() -> dict[str, VerifyImage]:
    """Photographs by name, saved without loss and indexed."""
    return {name: indexed(photograph(name)) for name in PHOTOGRAPHS}
