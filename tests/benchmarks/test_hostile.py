"""A few kills and full disks, and what the benchmark says of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pytest

from benchmarks.hostile import disturbed
from benchmarks.hostile.mutations import MUTATIONS


def may_mount(folder: Path) -> bool:
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


def test_killed_stages_end_with_the_same_result(tmp_path: Path) -> None:
    outcome = disturbed.kill(
        4, tmp_path, seed=2, photographs=8, shares={"index": 0.75, "resolve": 0.25}
    )
    assert outcome.faults_found() == []
    assert outcome.stages["index"].disturbed >= 3


def test_stages_that_a_full_disk_ended_say_so_and_end_with_the_same_result(tmp_path: Path) -> None:
    if not may_mount(tmp_path / "may"):
        pytest.skip("this user may not mount a file system")
    outcome = disturbed.fill_disks(
        3, tmp_path, seed=2, photographs=8, shares={"index": 0.67, "resolve": 0.33}
    )
    assert [fault for fault in outcome.faults_found() if "nothing" not in fault] == []
    assert sum(stage.disturbed for stage in outcome.stages.values()) > 0


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_changes_the_file_and_is_the_same_for_the_same_seed(name: str) -> None:
    content, other = bytes(range(256)) * 8, b"other" * 100
    made = [MUTATIONS[name](content, other, Random(5)) for _ in range(2)]
    assert made[0] == made[1] != content
