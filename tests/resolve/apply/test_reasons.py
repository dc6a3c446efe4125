"""Reasons are counted, so they hold no names."""

from __future__ import annotations

import pytest

from resolve.apply.act import OTHER_REASONS, ApplyReport
from resolve.apply.reasons import reason_of
from storage.errors import ActRefused, BlobChanged, BlobConflict

URI, KEEP = "/photos/a.jpg", "/photos/a.jpg.png"
TARGET = "/quarantine/run/photos/a.jpg"


CHANGED = "has changed since it was indexed"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BlobChanged(f"{URI} {CHANGED}."), f"it {CHANGED}"),
        (BlobChanged(f"{KEEP} {CHANGED}."), f"its keeper {CHANGED}"),
        (BlobConflict(f"{TARGET} exists already."), "its place in the quarantine exists already"),
        (ActRefused(f"{URI} is no link to {KEEP} (no)."), "it is no link to its keeper (no)"),
    ],
)
def test_an_error_says_the_same_of_every_blob(error, reason):
    assert reason_of(error, URI, KEEP, TARGET) == reason


def test_without_a_keeper_or_a_place_nothing_else_is_replaced():
    assert reason_of(ActRefused("a b."), URI) == "a b"


def test_reasons_that_never_repeat_do_not_fill_memory():
    report = ApplyReport()
    for number in range(5000):
        report.skip(f"/photos/{number}.jpg", f"request {number} was refused")
        report.skip(f"/photos/{number}.png", "it is gone")
    assert report.skipped.total() == 10_000
    assert report.skipped["it is gone"] == 5000
    assert report.skipped[OTHER_REASONS] == 5000 - (len(report.skipped) - 2)
    assert len(report.skipped) <= 201
    assert len([example for example in report.examples if example.reason == "it is gone"]) == 3
    assert len(report.examples) < 700
