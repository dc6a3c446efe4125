"""The name of a relation and the words for it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evaluation_set.edits import CHAINS, EDITS, OVERLAYS
from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import indexed
from verify.cascade import Verifier
from verify.evidence import VerifyImage
from verify.verdict import Relation, Verdict

ALL_EDITS = {**EDITS, **OVERLAYS, **CHAINS}
NAME = "astronaut.png"


def verdict(verifier: Verifier, originals: dict[str, VerifyImage], edit: str) -> Verdict:
    copy = ALL_EDITS[edit](photograph(NAME), np.random.default_rng(0))
    return verifier.verify(originals[NAME], indexed(copy, quality=92))


@pytest.mark.parametrize(
    ("edit", "relation", "words"),
    [
        ("jpeg 60", Relation.REENCODED, "saved again"),
        ("resize 0.5", Relation.RESIZED, "480×480 and 240×240"),
        ("crop 0.5", Relation.CROPPED, "one shows 50 % of the other's frame"),
        ("mirror", Relation.FLIPPED, "mirrored"),
        ("turn 90", Relation.ROTATED, "turned by 90°"),
        ("turn 180", Relation.ROTATED, "turned by 180°"),
        ("gamma 0.6", Relation.ADJUSTED, "brightness or colour"),
        ("grey", Relation.ADJUSTED, "brightness or colour"),
        ("blur 2", Relation.ADJUSTED, "sharpness"),
        ("text", Relation.OVERLAID, "text or a mark"),
        ("border", Relation.OVERLAID, "a border"),
        ("letterbox", Relation.OVERLAID, "a border"),
        ("crop, mirror, jpeg", Relation.EDITED, "mirrored, one shows 60 % of the other's frame"),
        ("resize, gamma, jpeg", Relation.ADJUSTED, "brightness or colour"),
    ],
)
def test_the_relation_is_named_and_put_in_words(
    verifier: Verifier,
    originals: dict[str, VerifyImage],
    edit: str,
    relation: Relation,
    words: str,
) -> None:
    told = verdict(verifier, originals, edit)
    assert told.relation is relation
    assert words in told.reason


@pytest.mark.parametrize(
    ("edit", "quarter_turns", "is_mirrored", "rotation"),
    [
        ("jpeg 60", 0, 0, 0),
        ("turn 90", 1, 0, 90),
        ("turn 180", 2, 0, 180),
        ("mirror", 0, 1, 0),
        ("rotate 5", 0, 0, 5),
        ("rotate 15", 0, 0, -15),
    ],
)
def test_the_turn_is_measured_counter_clockwise(
    verifier: Verifier,
    originals: dict[str, VerifyImage],
    edit: str,
    quarter_turns: int,
    is_mirrored: int,
    rotation: float,
) -> None:
    measured = verdict(verifier, originals, edit).measurements
    assert measured["quarter_turns"] == quarter_turns
    assert measured["is_mirrored"] == is_mirrored
    off = (measured["rotation"] - rotation + 180) % 360 - 180
    assert abs(off) < 0.5


def test_what_was_cropped_is_said_so_that_it_holds_from_either_side(verifier: Verifier) -> None:
    full = indexed(photograph(NAME), quality=92)
    part = indexed(EDITS["crop 0.5"](photograph(NAME), np.random.default_rng(0)), quality=92)
    assert verifier.verify(full, part).reason == "one shows 50 % of the other's frame"
    assert verifier.verify(part, full).reason == "one shows 50 % of the other's frame"


def test_a_grey_picture_saved_again_is_not_called_adjusted(verifier: Verifier) -> None:
    grey = EDITS["grey"](photograph(NAME), np.random.default_rng(0))
    told = verifier.verify(indexed(grey), indexed(grey, quality=85))
    assert told.relation is Relation.REENCODED


@pytest.mark.parametrize(
    ("said", "reversed_"),
    [
        ({"scale": 0.5}, {"scale": 2.0}),
        ({"rotation": 90.0, "quarter_turns": 1.0}, {"rotation": -90.0, "quarter_turns": 3.0}),
        ({"rotation": 180.0, "quarter_turns": 2.0}, {"rotation": 180.0, "quarter_turns": 2.0}),
        (
            {"rotation": 90.0, "quarter_turns": 1.0, "is_mirrored": 1.0},
            {"rotation": 90.0, "quarter_turns": 1.0, "is_mirrored": 1.0},
        ),
        ({"overlay_on_a": 0.2}, {"overlay_on_b": 0.2}),
    ],
)
def test_the_reversed_verdict_measures_from_the_other_side(
    said: dict[str, float], reversed_: dict[str, float]
) -> None:
    verdict = Verdict(Relation.EDITED, 0.9, True, False, None, said)
    assert verdict.reversed().measurements == reversed_
    assert verdict.reversed().reversed().measurements == said
