"""Verdicts as bytes, for the catalog's cache: msgpack, a layout number first."""

from __future__ import annotations

import msgpack
import numpy as np

from verify.verdict import Relation, Verdict

_LAYOUT = 1


def encode_verdict(verdict: Verdict) -> bytes:
    """The bytes of a verdict."""
    transform = None
    if verdict.transform is not None:
        transform = np.asarray(verdict.transform, dtype="<f8").tobytes()
    row = [
        _LAYOUT,
        verdict.relation.value,
        verdict.score,
        verdict.a_covers_b,
        verdict.b_covers_a,
        transform,
        verdict.measurements,
        verdict.reason,
    ]
    return bytes(msgpack.packb(row, use_bin_type=True))


def decode_verdict(value: bytes) -> Verdict:
    """The verdict that `encode_verdict` wrote.

    Raises:
        ValueError: the bytes are no verdict of this layout.
    """
    try:
        layout, relation, score, a_covers_b, b_covers_a, transform, measurements, reason = (
            msgpack.unpackb(value, raw=False)
        )
        if layout != _LAYOUT:
            raise ValueError(f"verdict layout {layout}, expected {_LAYOUT}")
        matrix = None
        if transform is not None:
            matrix = np.frombuffer(transform, dtype="<f8").reshape(3, 3).copy()
        return Verdict(
            relation=Relation(relation),
            score=float(score),
            a_covers_b=bool(a_covers_b),
            b_covers_a=bool(b_covers_a),
            transform=matrix,
            measurements={str(name): float(number) for name, number in measurements.items()},
            reason=str(reason),
        )
    except (TypeError, AttributeError, KeyError, msgpack.exceptions.UnpackException) as error:
        raise ValueError(f"not a stored verdict: {error}") from error
