"""The made-up collection is what it says it is, and search and resolving find what is planted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from benchmarks.scale.filling import fill
from benchmarks.scale.measure import Outcome, measure
from benchmarks.scale.report import as_text, growth
from benchmarks.scale.sizing import as_table, sizing
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


def test_a_sizing_goes_on_as_two_measured_sizes_began() -> None:
    def outcome(images: int, seconds: float, memory: int) -> dict[str, Any]:
        stage = {"cpu_seconds": seconds, "own_bytes": memory}
        sizes = {"catalog_bytes": 3400.0, "index_bytes": 60.0}
        return {"images": images, "stages": {"join": stage}, **sizes}

    found = sizing(1_000_000, outcome(10_000, 10.0, 10**8), outcome(100_000, 200.0, 19 * 10**7))
    # The slope is log10(20).
    assert found.stage_hours["join"] == pytest.approx(4000 / 3600)
    assert found.memory_gb == pytest.approx(1.09)
    assert found.disk_gb == pytest.approx(3.46)
    assert "| 1,000,000 |" in as_table([found])
