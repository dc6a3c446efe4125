"""The pass on a Ray cluster of several nodes: what the local engine makes, whatever dies."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer import cluster_engine, cluster_tasks
from indexer.cluster_engine import ClusterRemote
from indexer.cluster_tasks import ModelChoice
from indexer.embedders.registry import load_embedder
from indexer.run_report import IndexProgress
from storage.cluster import Cluster
from storage.errors import ModelError, SourceNotFound, SourceUnavailable, UsageError
from storage.folder import FolderSource
from storage.open_source import SourceOptions
from tests.cluster import Nodes
from tests.indexer import cluster_stages, decoders
from tests.indexer.passes import (
    Listener,
    add_pictures,
    append,
    assert_same_but_for_rounding,
    entries,
    fingerprint,
    reasons,
    run_pass,
)

MODEL = ModelChoice("efficientnet_lite0", None, "torch-cpu-f32", "cpu")


@pytest.fixture
def cluster(nodes: Nodes) -> Iterator[Cluster]:
    with Cluster(nodes.address) as joined:
        yield joined


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, NDArray[np.uint8]]) -> Path:
    """Eighty pictures, twenty copies of them byte by byte, and three that are none."""
    folder = tmp_path / "pictures"
    paths = add_pictures(folder, photos, 80)
    for path in paths[:20]:
        shutil.copyfile(path, path.with_name(f"copy-{path.name}"))
    (folder / "empty.jpg").touch()
    (folder / "words.jpg").write_text("no picture")
    (folder / "half.jpg").write_bytes(paths[3].read_bytes()[:500])
    return folder


def _remote(
    cluster: Cluster, folder: Path, models: Sequence[ModelChoice] = (), location: Path | None = None
) -> ClusterRemote:
    """As the command line makes it; with a `location`, that is what the nodes open."""
    where = str(folder if location is None else location)
    return ClusterRemote(cluster, [(FolderSource(folder), where, SourceOptions())], models)


def _local(folder: Path, index: Path) -> str:
    run_pass(folder, index)
    return fingerprint(index)


def test_the_catalog_is_that_of_the_local_engine(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    remote = _remote(cluster, folder, [MODEL])
    report = run_pass(folder, tmp_path / "there", remote=remote)
    assert (report.new_images, report.aliased, report.unreadable) == (80, 20, 3)
    assert report.contents_read == 102
    assert report.read_requests == 102
    assert report.bytes_read == sum(path.stat().st_size for path in folder.iterdir())
    embedder = load_embedder(MODEL.name, runtime=MODEL.runtime, device=MODEL.device)
    run_pass(folder, tmp_path / "here", [embedder])
    assert_same_but_for_rounding(tmp_path / "here", tmp_path / "there")
    again = run_pass(folder, tmp_path / "there", remote=remote)
    assert (again.unchanged, again.contents_read, again.bytes_read) == (103, 0, 0)


def test_a_killed_node_loses_and_doubles_nothing(
    cluster: Cluster, nodes: Nodes, folder: Path, tmp_path: Path
) -> None:
    third = nodes.add()
    killed_at: list[int] = []

    class Killer(Listener):
        def on_progress(self, progress: IndexProgress) -> None:
            super().on_progress(progress)
            done = progress.counts.done
            if done >= 30 and not killed_at:
                killed_at.append(done)
                nodes.kill(third)

    report = run_pass(
        folder,
        tmp_path / "there",
        listener=Killer(),
        remote=_remote(cluster, folder),
        # So slow that a report comes half-way on a machine that is busy with other things too.
        extract=partial(decoders.slow, 0.25),
    )
    assert killed_at
    assert killed_at[0] < 90
    assert (report.new_images, report.aliased, report.unreadable) == (80, 20, 3)
    assert fingerprint(tmp_path / "there") == _local(folder, tmp_path / "here")


@pytest.mark.parametrize("stage", [cluster_stages.dying_once, cluster_stages.forgetting_once])
def test_what_a_process_takes_with_it_is_done_again(
    stage: Callable[..., Any],
    cluster: Cluster,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_tasks, "describe", partial_named(stage, tmp_path / "marker"))
    report = run_pass(folder, tmp_path / "there", remote=_remote(cluster, folder))
    assert (tmp_path / "marker").exists()
    assert (report.new_images, report.aliased, report.unreadable) == (80, 20, 3)
    assert fingerprint(tmp_path / "there") == _local(folder, tmp_path / "here")


def test_a_content_that_kills_every_process_costs_that_content_only(
    cluster: Cluster, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly = folder / "005.jpg"
    digest = hashlib.sha256(deadly.read_bytes()).digest()
    monkeypatch.setattr(cluster_tasks, "describe", partial_named(cluster_stages.dying_of, digest))
    monkeypatch.setattr(cluster_engine, "_RETRIES", 0)
    report = run_pass(folder, tmp_path / "there", remote=_remote(cluster, folder))
    # It and its copy; the next run tries them again.
    assert (report.new_images, report.unreadable) == (79, 5)
    for name in ("005.jpg", "copy-005.jpg"):
        assert reasons(tmp_path / "there")[name].startswith("unavailable: the cluster lost")
    monkeypatch.undo()
    again = run_pass(folder, tmp_path / "there", remote=_remote(cluster, folder))
    assert (again.new_images, again.aliased, again.unreadable) == (1, 1, 0)
    assert fingerprint(tmp_path / "there") == _local(folder, tmp_path / "here")


def test_a_folder_that_a_node_does_not_have_ends_the_run(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    remote = _remote(cluster, folder, location=tmp_path / "elsewhere")
    with pytest.raises(SourceNotFound, match="elsewhere"):
        run_pass(folder, tmp_path / "there", remote=remote)


def test_a_node_that_sees_an_empty_folder_does_not_empty_the_catalog(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    index = tmp_path / "there"
    run_pass(folder, index, remote=_remote(cluster, folder))
    before = len(entries(index))
    append(folder / "007.jpg", b"changed")
    # What is read is found by its path, which a node without the share does not have.
    remote = _remote(cluster, folder, location=folder)
    hidden = tmp_path / "hidden"
    source = _Moved(folder, hidden)
    with pytest.raises(SourceUnavailable, match=r"007\.jpg.*is there"):
        run_pass(source, index, remote=remote)
    assert len(entries(index)) == before


def test_nodes_with_another_version_are_refused(
    cluster: Cluster, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_engine, "package_version", lambda: "0.0.1")
    with pytest.raises(UsageError, match=r"not 0\.0\.1"):
        run_pass(folder, tmp_path / "there", remote=_remote(cluster, folder))


def test_a_model_that_the_nodes_cannot_load_is_named(cluster: Cluster, folder: Path) -> None:
    weights = folder / "words.jpg"
    with pytest.raises(ModelError, match="words"):
        _remote(cluster, folder, [ModelChoice("efficientnet_lite0", weights, "auto", "cpu")])


def test_models_share_the_gpus_of_the_nodes(
    cluster: Cluster, nodes: Nodes, folder: Path, tmp_path: Path
) -> None:
    """There is no GPU here: Ray hands out one that is none, and the model falls back to the CPU."""
    node = nodes.add(num_gpus=1)
    try:
        deadline = time.monotonic() + 30
        while not cluster.gpus and time.monotonic() < deadline:
            time.sleep(0.5)
        remote = _remote(cluster, folder, [ModelChoice(MODEL.name, None, MODEL.runtime, "auto")])
        assert len(remote.actors) == 2
        report = run_pass(folder, tmp_path / "there", remote=remote)
        assert report.new_images == 80
        embedder = load_embedder(MODEL.name, runtime=MODEL.runtime, device="cpu")
        run_pass(folder, tmp_path / "here", [embedder])
        assert_same_but_for_rounding(tmp_path / "here", tmp_path / "there")
    finally:
        nodes.kill(node)


class _Moved(FolderSource):
    """A folder that lists and finds what is hidden from every other process."""

    def __init__(self, root: Path, hidden: Path) -> None:
        super().__init__(root)
        self._root_path, self._hidden = root, hidden
        self._listed = list(super().list())
        root.rename(hidden)
        root.mkdir()

    def list(self):  # type: ignore[no-untyped-def]
        return iter(self._listed)

    def pages(self, marker: str = ""):  # type: ignore[no-untyped-def]
        from storage.source import BlobPage

        yield BlobPage(self._listed, "", True)

    def stat(self, uri: str):  # type: ignore[no-untyped-def]
        return next((blob for blob in self._listed if blob.uri == uri), None)


def partial_named(stage: Callable[..., Any], *bound: Any) -> Callable[..., Any]:
    """What `ray.remote` takes: a function, not a partial."""

    def bound_stage(*arguments: Any, **named: Any) -> Any:
        return stage(*bound, *arguments, **named)

    return bound_stage
