"""Costs are told apart from start-up, pictures differ as files only, and shortfalls are said."""

from __future__ import annotations

import io
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.evaluation_set.photographs import bundled
from benchmarks.throughput.commands import measure
from benchmarks.throughput.memory import faults
from benchmarks.throughput.memory import measure as measure_memory
from benchmarks.throughput.parts import Parts, measure_parts
from benchmarks.throughput.pictures import LARGE, SMALL, Size, make_pictures, with_comment
from benchmarks.throughput.report import SizeResult, as_markdown
from benchmarks.throughput.slope import Cost, Run, cost_of
from benchmarks.tree_memory import TreeMemory
from storage.errors import UsageError

# Burns a second, and a tenth of one for each picture.
BURNING = """
import os, sys, time
seconds = 1.0 + 0.1 * len(os.listdir(sys.argv[1]))
while time.process_time() < seconds:
    pass
"""


@pytest.fixture
def photographs() -> list[Path]:
    return [bundled("chelsea.png"), bundled("coffee.png")]


def test_pictures_are_of_one_size_and_each_is_another_file(
    photographs: list[Path], tmp_path: Path
) -> None:
    make_pictures(photographs, tmp_path / "made", SMALL, 5)
    contents = [path.read_bytes() for path in sorted((tmp_path / "made").iterdir())]
    pictures = [np.asarray(Image.open(io.BytesIO(content))) for content in contents]
    assert {picture.shape for picture in pictures} == {(375, 500, 3)}
    assert len({sha256(content).digest() for content in contents}) == 5
    assert np.array_equal(pictures[0], pictures[2])
    assert not np.array_equal(pictures[0], pictures[1])


def test_detail_makes_an_enlarged_picture_as_large_a_file_as_a_camera_does(
    photographs: list[Path], tmp_path: Path
) -> None:
    for name, detail in (("plain", 0.0), ("grained", LARGE.detail)):
        make_pictures(photographs, tmp_path / name, Size(name, 1500, 1000, 90, detail), 1)
    plain, grained = (
        (tmp_path / name / "000000.jpg").stat().st_size for name in ("plain", "grained")
    )
    assert grained > 1.3 * plain


def test_only_a_jpeg_takes_a_comment() -> None:
    with pytest.raises(ValueError):
        with_comment(b"\x89PNG\r\n\x1a\n", "a picture")


def test_what_the_start_takes_is_no_part_of_an_image() -> None:
    cost = cost_of(Run(100, 12.0, 8.0), Run(1100, 27.0, 18.0))
    assert cost == Cost(pytest.approx(15.0), pytest.approx(10.5), pytest.approx(100.0), 1100)
    assert cost.images_per_cpu_second == pytest.approx(1000 / 15)


def test_runs_that_do_not_differ_tell_nothing() -> None:
    with pytest.raises(UsageError, match="no more CPU time"):
        cost_of(Run(1, 12.0, 8.0), Run(2, 11.9, 8.0))


def test_a_command_is_measured_over_two_folders(photographs: list[Path], tmp_path: Path) -> None:
    script = tmp_path / "burning.py"
    script.write_text(BURNING)
    folders = []
    for count in (1, 6):
        make_pictures(photographs, tmp_path / str(count), SMALL, count)
        folders.append((tmp_path / str(count), count))
    cost = measure(
        lambda pictures, _: [sys.executable, str(script), str(pictures)], folders, tmp_path / "work"
    )
    assert cost.cpu_ms == pytest.approx(100.0, rel=0.5)
    assert 0.5 < cost.start_cpu_seconds < 2.0


def test_the_parts_are_measured_alone(photographs: list[Path], tmp_path: Path) -> None:
    make_pictures(photographs, tmp_path / "made", SMALL, 4)
    parts = measure_parts(tmp_path / "made", 4)
    assert min(parts.decode, parts.describe, parts.network, parts.digest) > 0
    assert parts.total > parts.network + parts.decode


def test_the_memory_of_a_pass_is_that_of_all_its_processes(
    photographs: list[Path], tmp_path: Path
) -> None:
    memory = measure_memory(photographs, 6, tmp_path)
    # The run itself and the fork server with its tracker: decoders of six pictures may have come
    # and gone between two looks.
    assert memory.processes >= 3
    assert 100e6 < memory.own < memory.resident


def result(cpu_ms: float, images_per_second: float, fastdup_ms: float = 20.0) -> SizeResult:
    cost = Cost(cpu_ms, 8.0, images_per_second, 1000)
    others = {"fastdup": Cost(fastdup_ms, 1.0, 50.0, 1000)}
    return SizeResult(SMALL.name, cost, Parts(2.0, 4.0, 3.9, 0.1), others)


def test_a_slow_machine_is_excused_by_the_parts_and_nothing_else() -> None:
    assert result(13.0, 130.0).shortfalls() == []
    assert result(12.0, 60.0).shortfalls() == []
    (wrong,) = result(13.0, 60.0).shortfalls()
    assert "60 images/s" in wrong and "1.30 ×" in wrong


def test_another_tool_that_is_nearly_as_quick_is_a_shortfall() -> None:
    (wrong,) = result(12.0, 130.0, fastdup_ms=15.0).shortfalls()
    assert "1.25 × the images of fastdup" in wrong
    assert "| fastdup | 15.0 |" in as_markdown([result(12.0, 130.0, fastdup_ms=15.0)])


def test_memory_that_grows_or_is_much_is_a_fault() -> None:
    small = TreeMemory(500_000_000, 900_000_000, 4)
    assert faults(small, TreeMemory(540_000_000, 990_000_000, 4)) == []
    assert faults(small, TreeMemory(560_000_000, 990_000_000, 4)) == ["memory has grown 1.12 times"]
    assert faults(small, TreeMemory(500_000_000, 1_600_000_000, 4)) == ["1.60 GB are more than 1.5"]
