"""What is like paper: prints and screens are, a sky is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.evaluation_set.lookalikes import pages_with_one_changed_line
from benchmarks.evaluation_set.photographs import photograph
from verify.calibration import THRESHOLDS, Strictness
from verify.photometry import F32, luminance, paper_likeness

LIMIT = THRESHOLDS[Strictness.SAFE].max_paper


def likeness(grey: F32) -> float:
    return paper_likeness(grey, np.ones(grey.shape, dtype=bool))


def sky(share: float) -> F32:
    """A ground of so much of the frame that gets a little lighter downwards, with grain."""
    grey = luminance(photograph("coffee.png"))
    rows = round(share * len(grey))
    shade = np.linspace(118.0, 134.0, rows)[:, None]
    grain = np.random.default_rng(0).normal(0.0, 1.5, (rows, grey.shape[1]))
    grey[:rows] = shade + grain
    return np.rint(grey).astype(np.float32)


def test_a_page_is_paper() -> None:
    page = pages_with_one_changed_line(np.random.default_rng(0), 1, [])[0]
    assert likeness(luminance(page)) > LIMIT


def test_a_page_with_the_grain_of_a_scanner_is_paper() -> None:
    page = luminance(pages_with_one_changed_line(np.random.default_rng(0), 1, [])[0])
    grain = np.random.default_rng(1).normal(0.0, 2.5, page.shape)
    assert likeness(np.clip(page - 8 + grain, 0, 255).astype(np.float32)) > LIMIT


def test_a_sky_over_two_thirds_of_a_photograph_is_no_paper() -> None:
    assert likeness(sky(0.62)) < LIMIT


@pytest.mark.parametrize("share", [0.8, 0.95])
def test_a_photograph_of_hardly_anything_but_one_ground_may_be_paper(share: float) -> None:
    assert likeness(sky(share)) > LIMIT


def test_an_even_wall_may_be_paper() -> None:
    grey = luminance(photograph("coffee.png"))
    grey[: round(0.65 * len(grey))] = 180.0
    soft = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), dtype=np.float32)
    assert likeness(soft) > LIMIT
