"""Verdicts survive storage, and a verdict turned round twice is the same."""

from __future__ import annotations

from dataclasses import replace

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from verify.codec import decode_verdict, encode_verdict
from verify.verdict import Relation, Verdict

numbers = st.floats(allow_nan=False, width=64)
names = st.sampled_from(
    ["overlay_on_a", "overlay_on_b", "frame_share_a", "frame_share_b", "noise", "inliers"]
)
verdicts = st.builds(
    Verdict,
    relation=st.sampled_from(Relation),
    score=st.floats(0, 1),
    a_covers_b=st.booleans(),
    b_covers_a=st.booleans(),
    transform=st.none() | arrays(np.float64, (3, 3), elements=numbers),
    measurements=st.dictionaries(names | st.text(), numbers),
    reason=st.text(),
)


def assert_same(one: Verdict, other: Verdict) -> None:
    assert replace(one, transform=None) == replace(other, transform=None)
    if one.transform is None or other.transform is None:
        assert one.transform is other.transform
    else:
        assert other.transform.dtype == np.float64
        assert np.array_equal(one.transform, other.transform)


@given(verdicts)
def test_a_stored_verdict_is_read_back_the_same(verdict: Verdict) -> None:
    assert_same(verdict, decode_verdict(encode_verdict(verdict)))


@given(verdicts.filter(lambda verdict: verdict.transform is None))
def test_a_verdict_turned_round_twice_is_the_same(verdict: Verdict) -> None:
    assert_same(verdict, verdict.reversed().reversed())


def test_a_verdict_turned_round_changes_sides() -> None:
    transform = np.array([[2.0, 0, 5], [0, 2, 7], [0, 0, 1]])
    measurements = {"overlay_on_a": 0.2, "overlay_on_b": 0.0, "noise": 1.5}
    verdict = Verdict(Relation.CROPPED, 0.9, True, False, transform, measurements, "why")
    turned = verdict.reversed()
    assert (turned.a_covers_b, turned.b_covers_a) == (False, True)
    assert turned.measurements == {"overlay_on_b": 0.2, "overlay_on_a": 0.0, "noise": 1.5}
    assert turned.transform is not None
    assert np.allclose(turned.transform @ transform, np.eye(3))
    assert (turned.relation, turned.score, turned.reason) == (Relation.CROPPED, 0.9, "why")


def test_only_different_is_no_copy() -> None:
    no_copies = [r for r in Relation if not Verdict(r, 0.5, False, False).is_copy]
    assert no_copies == [Relation.DIFFERENT]


def test_a_read_transform_may_be_written_to() -> None:
    stored = encode_verdict(Verdict(Relation.EXACT, 1.0, True, True, np.eye(3)))
    transform = decode_verdict(stored).transform
    assert transform is not None
    transform[0, 0] = 2.0


@given(st.binary(max_size=64))
def test_bytes_that_are_no_verdict_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        decode_verdict(content)


@pytest.mark.parametrize(
    "row",
    [
        [2, "exact", 1.0, True, True, None, {}, ""],
        [1, "twins", 1.0, True, True, None, {}, ""],
        [1, "exact", 1.0, True, True, b"short", {}, ""],
        [1, "exact", 1.0, True, True, None, [], ""],
        [1, "exact", None, True, True, None, {}, ""],
        [1, "exact", 1.0],
    ],
    ids=["newer layout", "unknown relation", "transform", "measurements", "score", "too short"],
)
def test_a_row_of_another_layout_is_refused(row: list[object]) -> None:
    with pytest.raises(ValueError):
        decode_verdict(msgpack.packb(row))


@given(verdicts, st.data())
def test_a_verdict_cut_short_is_refused(verdict: Verdict, data: st.DataObject) -> None:
    content = encode_verdict(verdict)
    with pytest.raises(ValueError):
        decode_verdict(content[: data.draw(st.integers(0, len(content) - 1))])
