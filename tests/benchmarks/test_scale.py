"""The made-up collection is what it says it is, and search and resolving find what is planted."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.scale.filling import fill
from benchmarks.scale.measure import Outcome, measure, measure_added
from benchmarks.scale.report import as_text, growth
from benchmarks.scale.sizing import Assumptions, as_table, sizing
from benchmarks.scale.world import Kind, World
from search.options import SearchOptions
from search.orientations import oriented_hashes

SIZE, DIMENSION = 2200, 1280


@pytest.fixture(scope="module")
def world() -> World:
    return World.planned(SIZE, DIMENSION)


def test_copies_lie_where_they_were_planted(world: World) -> None:
    vectors = np.concatenate([block for _, block in world.vectors()]).astype(np.float32)
    small = np.concatenate([hashes for _, hashes, _ in world.hashes()])
    originals = world.originals()
    copies = np.flatnonzero(originals >= 0)
    assert len(copies) > 0.1 * SIZE
    cosine = (vectors[copies] * vectors[originals[copies]]).sum(axis=1)
    np.testing.assert_allclose(cosine, world.cosine[copies], atol=2e-3)
    distance = np.min(
        [
            np.bitwise_count(turned ^ small[originals[copies]]).sum(axis=1)
            for turned in oriented_hashes(small[copies], 8)
        ],
        axis=0,
    )
    assert (distance <= world.flips[copies]).all()
    is_edited = world.kind[copies] == Kind.EDITED
    assert (distance == world.flips[copies])[is_edited].mean() > 0.99


def test_a_collection_is_the_same_however_often_it_is_drawn(world: World) -> None:
    again = World.planned(SIZE, DIMENSION)
    for (_, first), (_, second) in zip(world.vectors(), again.vectors(), strict=True):
        assert np.array_equal(first, second)


@pytest.fixture(scope="module")
def outcomes(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Of the same collection, searched exactly and by IVF-PQ."""
    folder = tmp_path_factory.mktemp("scale")
    fill(world, folder / "index")
    return {
        name: measure(world, folder / "index", folder / name, SearchOptions(exact_below=below))
        for name, below in (("exact", 50_000), ("ivfpq", 0))
    }


def test_exact_search_finds_every_planted_copy_within_reach(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["exact"]
    assert outcome.planted > 200
    assert outcome.recall == 1.0


def test_approximate_search_finds_nearly_all_of_them(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["ivfpq"].recall >= 0.98


@pytest.mark.parametrize("name", ["exact", "ivfpq"])
def test_only_what_was_planted_is_deleted(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    assert outcome.wrongly_deleted == 0
    assert 0.9 * outcome.deletable <= outcome.deleted <= outcome.deletable


def test_a_run_with_images_added_costs_less_and_tells_what(world: World, tmp_path: Path) -> None:
    before, options = SIZE - 100, SearchOptions()
    fill(world, tmp_path / "index", stop=before)
    first = measure(world, tmp_path / "index", tmp_path / "lists", options)
    fill(world, tmp_path / "index", start=before)
    added = measure_added(world, tmp_path / "index", tmp_path / "lists", options, first)
    assert first.images == before
    assert added.images == 100
    assert added.pairs < first.pairs / 4
    assert added.planted > 5
    assert added.recall == 1.0
    assert added.deleted > first.deleted
    text = as_text([asdict(replace(first, added=added)) | {"bytes_beyond_vectors": 0.0}])
    assert "and 100 images more" in text


def test_the_report_tells_every_stage_and_how_it_grows(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["exact"]
    text = as_text([asdict(outcome) | {"bytes_beyond_vectors": outcome.bytes_beyond_vectors}])
    assert all(stage in text for stage in ("fill", "join", "group", "lists"))
    assert list(outcome.stages) == ["fill", "join", "group", "lists"]
    assert all(stage.own_bytes > 0 for stage in outcome.stages.values())


def test_growth_is_the_slope_of_the_logarithms() -> None:
    smaller = {"images": 1000, "stages": {"join": {"cpu_seconds": 2.0}}}
    larger = {"images": 10_000, "stages": {"join": {"cpu_seconds": 40.0}}}
    assert growth(smaller, larger)["join"] == pytest.approx(1.301, abs=1e-3)


def outcome(images: int, seconds: float, memory: int) -> dict[str, Any]:
    """Of `benchmarks.scale`, as JSON has it."""
    stages = {
        name: {"cpu_seconds": seconds, "own_bytes": memory}
        for name in ("fill", "join", "group", "lists")
    }
    sizes = {"catalog_bytes": 3100.0, "index_bytes": 60.0, "vector_bytes": 2560}
    return {"images": images, "pairs": 3 * images, "stages": stages, **sizes}


SMALLER, LARGER = outcome(10_000, 10.0, 10**8), outcome(100_000, 100.0, 19 * 10**7)


def test_a_sizing_goes_on_as_two_measured_sizes_began() -> None:
    found = sizing(1_000_000, outcome(10_000, 10.0, 10**8), outcome(100_000, 200.0, 19 * 10**7))
    # The slope is log10(20).
    assert found.stage_hours["join"] == pytest.approx(4000 / 3600)
    assert found.memory_gb == pytest.approx(1.09)
    assert found.disk_gb == pytest.approx(3.16)
    assert "| 1,000,000 |" in as_table([found])


def test_no_stage_is_expected_to_grow_more_slowly_than_the_collection() -> None:
    found = sizing(1_000_000, outcome(10_000, 90.0, 10**8), outcome(100_000, 100.0, 10**8))
    assert found.stage_hours["join"] == pytest.approx(1000 / 3600)


def test_machines_are_as_many_as_the_wanted_hours_take() -> None:
    assumed = Assumptions(hours=10.0, image_ms=36.0, pair_ms=12.0, cores=4)
    found = sizing(10_000_000, SMALLER, LARGER, assumed)
    assert found.stage_hours["pass"] == pytest.approx(100)
    assert found.stage_hours["verify"] == pytest.approx(100)
    # 100 + 100 + 2.8 shared core hours, after 8.3 hours that one process needs.
    assert found.serial_hours == pytest.approx(3 * 10_000 / 3600)
    assert found.machines == math.ceil((200 + 10_000 / 3600) / (10 - 30_000 / 3600) / 4)
    assert found.bottleneck in ("CPU of the pass", "CPU of the verify")


def test_money_is_for_machines_disk_and_reads() -> None:
    free = Assumptions(core_hour=0.0, gb_month=0.0, per_million_reads=0.0)
    million = partial(sizing, 1_000_000, SMALLER, LARGER)
    assert million(free).money == 0
    assert million(replace(free, per_million_reads=0.5)).money == pytest.approx(0.5)
    assert million(replace(free, gb_month=0.1)).money == pytest.approx(0.316)
    hours = sum(million(free).stage_hours.values())
    assert million(replace(free, core_hour=2.0)).money == pytest.approx(2 * hours)


@pytest.mark.parametrize(
    ("images", "changes", "bottleneck"),
    [
        (10_000_000, {}, "CPU of the pass"),
        (10_000_000, {"requests": 100.0}, "requests a second of the store: 28 hours"),
        (10_000_000, {"hours": 4.0}, "in one process: 8.3 hours"),
        (100_000_000, {"hours": 200.0}, "memory of the join: machines of 328 GB, or parts"),
        (10_000_000_000, {}, "memory of the join: machines of 33 TB, or parts"),
    ],
)
def test_the_table_names_what_is_in_the_way(
    images: int, changes: dict[str, float], bottleneck: str
) -> None:
    found = sizing(images, SMALLER, LARGER, Assumptions(**changes))
    assert bottleneck in found.bottleneck
    assert (found.machines > 0) == found.bottleneck.startswith(("CPU", "memory"))
