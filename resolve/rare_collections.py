"""Looking for cycles of objects less often, while millions are made that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# As of `gc.set_threshold`. Next to none of the objects is part of a cycle: with Python's own
# thresholds looking for those takes 7 % of the time of a resolve, and an eighth of one that finds
# hardly anything new.
_RARELY = 50_000, 20, 50


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collects cycles rarely while the block, or the function it decorates, runs."""
    before = gc.get_threshold()
    gc.set_threshold(*_RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*before)
