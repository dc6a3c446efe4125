"""ORB, the matcher that is asked first."""

from __future__ import annotations

import numpy as np

from benchmarks.evaluation_set.photographs import photograph
from verify.matchers.orb import OrbMatcher


def test_orb_describes_a_mirrored_picture_as_if_it_had_looked_at_it() -> None:
    orb = OrbMatcher()
    picture = photograph("china.jpg")
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    upright, described = orb.detect_with_mirrored(picture)
    assert np.array_equal(upright.descriptors, orb.detect(picture).descriptors)
    matches = orb.match(orb.detect(mirrored), described)
    apart = np.linalg.norm(matches.points_a - matches.points_b, axis=1)
    assert len(matches) > 500
    assert float(np.median(apart)) < 0.5
    assert float((apart < 2.0).mean()) > 0.95
