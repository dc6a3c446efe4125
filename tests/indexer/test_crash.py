"""Runs that end before their time: killed, interrupted, or by an error of one of their threads."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from indexer import finding
from storage.blob import Blob
from storage.catalog import Catalog
from storage.errors import ExitCode, IndexLocked
from storage.records import F32, U8
from tests.indexer import decoders
from tests.indexer.passes import (
    ColourEmbedder,
    FaultyFolder,
    Listener,
    add_pictures,
    append,
    entries,
    fingerprint,
    image_count,
    run_pass,
)

ROOT = Path(__file__).resolve().parents[2]
IMAGES = 60

Photos = dict[str, NDArray[np.uint8]]
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, photos: Photos) -> Path:
    """A folder of sixty photographs, some of them copies, and a file that is none."""
    folder = tmp_path_factory.mktemp("many")
    paths = add_pictures(folder, photos, IMAGES - 6)
    for number in range(5):
        (folder / f"copy{number}.jpg").write_bytes(paths[number].read_bytes())
    (folder / "text.jpg").write_text("Dear diary")
    return folder


@pytest.fixture(scope="module")
def undisturbed(many: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fingerprint of the index of that folder."""
    index_path = tmp_path_factory.mktemp("undisturbed") / "index"
    run_pass(many, index_path, [ColourEmbedder()])
    return fingerprint(index_path)


@pytest.fixture
def run_alone(index_path: Path) -> Iterator[Run]:
    """Starts a pass in a process of its own, and returns when it has done so many blobs."""
    started: list[subprocess.Popen[str]] = []

    def start(
        folder: Path,
        done: int = 0,
        notes: Path | None = None,
        commit_every: int = 4,
        image_timeout: float = 1.0,
    ) -> subprocess.Popen[str]:
        settings = [str(notes or ""), str(commit_every), str(image_timeout)]
        arguments = [str(folder), str(index_path), *settings]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.indexer.run_alone", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        started.append(process)
        assert process.stdout is not None
        while int(process.stdout.readline()) < done:
            pass
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def are_gone(processes: list[psutil.Process], seconds: float = 8.0) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not alive


def test_a_run_killed_at_three_moments_ends_in_the_same_catalog(
    many: Path, index_path: Path, undisturbed: str, run_alone: Run
):
    moments = random.Random(2)
    counts = []
    for attempt in range(3):
        # Two batches and the unreadable file: by then the first batch is committed.
        process = run_alone(many, done=1 if attempt else 9)
        time.sleep(moments.uniform(0.0, 0.4))
        children = psutil.Process(process.pid).children(recursive=True)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert are_gone(children)
        counts.append(image_count(index_path))
    assert counts == sorted(counts)
    assert 0 < counts[-1] < IMAGES - 6
    report = run_pass(many, index_path, [ColourEmbedder()])
    assert report.new_images == IMAGES - 6 - counts[-1]
    assert fingerprint(index_path) == undisturbed


def test_an_interrupted_run_keeps_what_it_had_described(
    many: Path, index_path: Path, undisturbed: str, run_alone: Run
):
    process = run_alone(many, done=12, commit_every=10_000)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in errors
    assert are_gone(children)
    assert 12 <= sum(1 for _ in entries(index_path)) < IMAGES
    run_pass(many, index_path, [ColourEmbedder()])
    assert fingerprint(index_path) == undisturbed


@pytest.mark.parametrize("done", [0, 1])
def test_ctrl_c_reaches_the_decoders_too_and_they_say_nothing(
    many: Path, run_alone: Run, done: int
):
    # With none done, it reaches them while they start.
    process = run_alone(many, done=done)
    group = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    # As a terminal does: to each process of the group.
    for member in group:
        member.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert errors == ""


def test_a_decoder_that_hangs_does_not_outlive_a_killed_run(
    gallery: Path, tmp_path: Path, run_alone: Run
):
    for path in gallery.iterdir():
        append(path, decoders.HANG)
    process = run_alone(gallery, notes=tmp_path)
    deadline = time.monotonic() + 20
    while not (tmp_path / "hanging").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.kill()
    process.wait()
    assert are_gone(children)


def test_ctrl_c_does_not_wait_for_a_decoder_that_hangs(
    gallery: Path, index_path: Path, tmp_path: Path, run_alone: Run
):
    append(gallery / "003.jpg", decoders.HANG)
    process = run_alone(gallery, done=0, notes=tmp_path, image_timeout=45)
    deadline = time.monotonic() + 20
    while not (tmp_path / "hanging").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert errors == ""
    assert are_gone(children)


def test_a_run_that_fails_does_not_wait_for_a_read_that_stalls(gallery: Path, index_path: Path):
    is_over = threading.Event()

    def stall_or_fail(blob: Blob) -> None:
        if blob.uri.endswith("/003.jpg"):
            is_over.wait(60)
        if blob.uri.endswith("/008.jpg"):
            time.sleep(0.5)
            raise RuntimeError("a bug in reading")

    started = time.monotonic()
    try:
        with pytest.raises(RuntimeError, match="a bug in reading"):
            run_pass(FaultyFolder(gallery, before_read=stall_or_fail), index_path)
        assert time.monotonic() - started < 30
    finally:
        # The read comes back when the catalog is closed, and touches it no more.
        is_over.set()
    left = [t for t in threading.enumerate() if t.name.startswith("reader")]
    for thread in left:
        thread.join(10)
    assert not any(thread.is_alive() for thread in left)
    assert run_pass(gallery, index_path).images == 12


def test_a_run_without_any_standard_stream_does_its_work(
    many: Path, index_path: Path, undisturbed: str
):
    arguments = [str(many), str(index_path), "", "9", "60"]
    command = [sys.executable, "-m", "tests.indexer.run_alone", *arguments]
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    subprocess.run(shell, cwd=ROOT, timeout=60, check=True)
    assert fingerprint(index_path) == undisturbed


def test_two_runs_at_once_are_refused_by_name(many: Path, index_path: Path, run_alone: Run):
    process = run_alone(many)
    with pytest.raises(IndexLocked, match=f"pid {process.pid}"):
        run_pass(many, index_path, [ColourEmbedder()])


def test_a_bug_in_a_reader_ends_the_run_and_keeps_what_was_committed(
    gallery: Path, index_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(finding, "_SHUFFLE_WINDOW", 1)
    run_pass(gallery, index_path)  # The fork server and the tracker of resources stay.
    before = len(psutil.Process().children(recursive=True))

    def fail_late(blob: Blob) -> None:
        if blob.uri.endswith("/008.jpg"):
            time.sleep(1.0)
            raise RuntimeError("a bug in reading")

    other = index_path.with_name("other")
    with pytest.raises(RuntimeError, match="a bug in reading"):
        run_pass(FaultyFolder(gallery, before_read=fail_late), other, commit_every=1, readers=1)
    assert not [t for t in threading.enumerate() if t.name.startswith(("reader", "decoder"))]
    deadline = time.monotonic() + 5
    while len(psutil.Process().children(recursive=True)) > before:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    kept = image_count(other)
    assert 0 < kept < 12
    assert run_pass(gallery, other).read_requests == 12 - kept
    assert fingerprint(other) == fingerprint(index_path)


def test_an_error_where_it_is_shown_or_embedded_ends_the_run_and_the_next_carries_on(
    many: Path, index_path: Path, undisturbed: str
):
    class Broken(Listener):
        def on_progress(self, progress: object) -> None:
            raise BrokenPipeError("the terminal is gone")

    class Failing(ColourEmbedder):
        def embed(self, images: U8) -> F32:
            if len(images) < 4:
                raise RuntimeError("a bug in embedding")
            return super().embed(images)

    with pytest.raises(BrokenPipeError):
        run_pass(many, index_path, [ColourEmbedder()], listener=Broken())
    with pytest.raises(RuntimeError, match="a bug in embedding"):
        # 54 images: the last batch is not full.
        run_pass(many, index_path, [Failing()], batch_size=4, commit_every=1)
    assert image_count(index_path) >= 4
    run_pass(many, index_path, [ColourEmbedder()])
    assert fingerprint(index_path) == undisturbed


def test_the_journal_tells_which_runs_were_not_finished(gallery: Path, index_path: Path):
    def fail(blob: Blob) -> None:
        raise RuntimeError("a bug in reading")

    with pytest.raises(RuntimeError):
        run_pass(FaultyFolder(gallery, before_read=fail), index_path)
    run_pass(gallery, index_path)
    with Catalog.open_reader(index_path / "catalog.lmdb") as catalog:
        assert [run.finished_at is not None for run in catalog.runs()] == [False, True]
