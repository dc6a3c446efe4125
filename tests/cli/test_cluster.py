"""`--engine ray`, as a user calls it: on this machine, and on a cluster at an address."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage.cluster import Cluster
from tests.cli.helpers import Dedup, IndexedGallery, dedup_process
from tests.cluster import Nodes

LISTS = ("keep.csv", "delete.csv", "unreadable.csv")


def test_a_cluster_gives_the_lists_that_this_machine_gives(
    indexed: IndexedGallery, nodes: Nodes, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    index = tmp_path / "index"
    shutil.copytree(indexed.index, index)
    dedup_process(["resolve", "--index", index, "--out", here], cwd=tmp_path).must_succeed()
    on_cluster = ["--engine", "ray", "--address", nodes.address, "--index", tmp_path / "another"]
    dedup_process(["index", indexed.folder, *on_cluster], cwd=tmp_path).must_succeed()
    dedup_process(["resolve", "--out", there, *on_cluster], cwd=tmp_path).must_succeed()
    for name in LISTS:
        assert (there / name).read_text() == (here / name).read_text()
    assert len((there / "delete.csv").read_text().splitlines()) > 4


def test_without_an_address_ray_is_started_here(indexed: IndexedGallery, tmp_path: Path) -> None:
    arguments = ["--engine", "ray", "--workers", "1", "--index", tmp_path / "index"]
    outcome = dedup_process(["index", indexed.folder, *arguments], cwd=tmp_path).must_succeed()
    assert "different images in the index" in outcome.err + outcome.out


def test_an_address_without_the_engine_is_refused(dedup: Dedup, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    dedup("index", tmp_path, "--address", "head:6379").must_fail(2, "head:6379", "--engine ray")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379", "nowhere"])
def test_an_address_where_nothing_answers_is_named(tmp_path: Path, address: str) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    arguments = ["index", tmp_path, "--engine", "ray", "--address", address]
    dedup_process(arguments, cwd=tmp_path).must_fail(2, address, "ray start --head")


def test_a_cluster_that_is_joined_already_is_not_ended(nodes: Nodes) -> None:
    with Cluster(nodes.address):
        pass
    with Cluster(nodes.address) as joined:
        assert joined.cores == 2


@pytest.mark.parametrize("engine", ["spark", "RAY"])
def test_another_engine_is_refused(dedup: Dedup, tmp_path: Path, engine: str) -> None:
    dedup("index", tmp_path, "--engine", engine).must_fail(2, engine, "local, ray")
