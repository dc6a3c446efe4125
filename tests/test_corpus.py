"""Every input of the fuzzing corpus, among them all that ever made a target fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz.seeds import write_seeds
from benchmarks.fuzz.supervise import CORPUS
from benchmarks.fuzz.targets import TARGETS

INPUTS = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_an_input_of_the_corpus_raises_nothing_but_what_its_target_says(path: Path):
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus_and_its_seeds_can_be_made_again(tmp_path: Path):
    assert {path.parent.name for path in INPUTS} == set(TARGETS)
    assert write_seeds(tmp_path) <= len(INPUTS)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert made <= {path.relative_to(CORPUS) for path in INPUTS}
