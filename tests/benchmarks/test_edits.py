"""The edits of the evaluation set: each makes another file of what is still the same picture."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from benchmarks.evaluation_set.chains import ALL_EDITS, STEPS, random_chain
from benchmarks.evaluation_set.drawing import U8
from benchmarks.evaluation_set.photographs import photograph


@cache
def picture() -> U8:
    return photograph("coffee.png", 320)


def edited(name: str, seed: int = 0) -> U8:
    return ALL_EDITS[name](picture(), np.random.default_rng(seed))


@pytest.mark.parametrize("name", ALL_EDITS)
def test_an_edit_gives_another_picture_and_leaves_its_input_alone(name: str) -> None:
    before = picture().tobytes()
    result = edited(name)
    assert (result.dtype, result.ndim, result.shape[2]) == (np.uint8, 3, 3)
    assert min(result.shape[:2]) >= 30
    assert result.shape != picture().shape or not np.array_equal(result, picture())
    assert picture().tobytes() == before


@pytest.mark.parametrize("name", ALL_EDITS)
def test_an_edit_depends_on_its_seed_alone(name: str) -> None:
    assert np.array_equal(edited(name, seed=7), edited(name, seed=7))


@pytest.mark.parametrize("shape", [(200, 320), (320, 200)])
@pytest.mark.parametrize("name", ["story", "screenshot of a phone", "on a white square", "square"])
def test_frames_fit_upright_and_lying_pictures(name: str, shape: tuple[int, int]) -> None:
    grey = np.full((*shape, 3), 120, np.uint8)
    edit = ALL_EDITS["crop square" if name == "square" else name]
    result = edit(grey, np.random.default_rng(0))
    # The picture is in there whole, or as its largest square.
    assert (result == 120).all(axis=2).sum() >= min(shape) ** 2 * 0.9


def test_straightening_leaves_no_black_corner() -> None:
    white = np.full((240, 320, 3), 255, np.uint8)
    result = ALL_EDITS["straightened by 10"](white, np.random.default_rng(0))
    assert result.min() > 200


def test_a_random_chain_takes_steps_of_different_kinds() -> None:
    seen: list[str] = []

    def noting(kind: str) -> U8:
        seen.append(kind)
        return picture()

    steps = {kind: (lambda _image, _random, kind=kind: noting(kind),) for kind in STEPS}
    original = dict(STEPS)
    STEPS.update(steps)
    try:
        for seed in range(20):
            seen.clear()
            random_chain(4)(picture(), np.random.default_rng(seed))
            assert len(seen) == 4
            assert len(set(seen)) == 4
    finally:
        STEPS.update(original)
