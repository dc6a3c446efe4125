"""Ctrl-C in each command: one line that says how to go on, exit code 130, no process left."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from resolve.earlier import NAME
from storage.errors import ExitCode
from tests.cli.helpers import (
    ROOT,
    IndexedGallery,
    Outcome,
    clean_environment,
    dedup_process,
    read_csv,
)
from tests.cli.test_json import must_fit
from tests.cli.test_repair import lose_a_preview

_SECONDS = 120


def interrupted(function: str, arguments: Sequence[str | Path], cwd: Path) -> Outcome:
    """`dedup ARGUMENTS`, with Ctrl-C when it enters the function of that qualified name."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.interrupted", function, *map(str, arguments)],
        cwd=cwd,
        env=clean_environment(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    out, err = process.communicate(timeout=_SECONDS)
    assert _end(process.pid)
    return Outcome(process.returncode, out, err)


def _end(group: int) -> bool:
    """Whether all processes of a group end: what watches over others does so after them."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if not any(_group(each) == group for each in psutil.process_iter()):
            return True
        time.sleep(0.05)
    return False


def _group(process: psutil.Process) -> int:
    import os

    try:
        return os.getpgid(process.pid) if process.status() != psutil.STATUS_ZOMBIE else 0
    except (ProcessLookupError, psutil.NoSuchProcess):
        return 0


READING = [
    ("Answering.answer", ["query", "image"]),
    ("check_catalog", ["info", "--check"]),
    ("describe_collection", ["stats"]),
    ("_models", ["doctor"]),
    ("list_models", ["models"]),
    ("open_groups", ["review"]),
    ("Service.__init__", ["serve"]),
]


@pytest.mark.parametrize(("function", "arguments"), READING, ids=lambda value: str(value[0]))
def test_what_only_reads_says_that_nothing_was_changed(
    function: str, arguments: list[str], indexed: IndexedGallery, tmp_path: Path
) -> None:
    (tmp_path / "dedup-index").symlink_to(indexed.index)
    if "review" in arguments:
        dedup_process(["resolve", "-q"], cwd=tmp_path).must_succeed()
    arguments = [arg if arg != "image" else str(indexed.folder / "rocket.jpg") for arg in arguments]
    outcome = interrupted(function, arguments, tmp_path)
    outcome.must_fail(ExitCode.INTERRUPTED, "stopped. Nothing was changed.")


@pytest.mark.parametrize("function", ["Catalog.commit", "load_embedder"])
def test_an_index_run_carries_on(function: str, indexed: IndexedGallery, tmp_path: Path) -> None:
    command = ["index", indexed.folder]
    interrupted(function, command, tmp_path).must_fail(ExitCode.INTERRUPTED, "carries on")
    dedup_process(command, cwd=tmp_path).must_succeed()
    assert "8 different" in dedup_process(["info"], cwd=tmp_path).out


@pytest.mark.parametrize("function", ["VerdictWorkers.ahead", "write_lists"])
def test_a_resolve_leaves_the_lists_as_they_were(
    function: str, own_index: IndexedGallery, tmp_path: Path
) -> None:
    # Of an earlier resolve there would be nothing left to verify.
    (own_index.index / NAME).unlink(missing_ok=True)
    command = ["resolve", "--index", own_index.index, "--workers", "1"]
    interrupted(function, command, tmp_path).must_fail(ExitCode.INTERRUPTED, "as they were")
    assert not list((tmp_path / "dedup-lists").glob("*"))
    dedup_process(command, cwd=tmp_path).must_succeed()
    assert len(read_csv(tmp_path / "dedup-lists" / "delete.csv")) == 5


def test_apply_and_undo_carry_on(indexed: IndexedGallery, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    shutil.copytree(indexed.folder, gallery)
    before = {path.name for path in gallery.iterdir()}
    for command in (["index", gallery, "-q"], ["resolve", "-q"]):
        dedup_process(command, cwd=tmp_path).must_succeed()
    act = ["apply", "dedup-lists/delete.csv", "--action", "quarantine", "--yes"]
    act += ["--quarantine", str(tmp_path / "quarantine")]
    stopped = interrupted("Journal.note", act, tmp_path)
    stopped.must_fail(ExitCode.INTERRUPTED, "`dedup undo` takes it back")
    dedup_process(act, cwd=tmp_path).must_succeed()
    assert len({path.name for path in gallery.iterdir()}) == len(before) - 5
    (journal,) = (tmp_path / "dedup-lists").glob("apply-*.jsonl")
    stopped = interrupted("Journal.note", ["undo", journal], tmp_path)
    stopped.must_fail(ExitCode.INTERRUPTED, "brings back the rest")
    dedup_process(["undo", journal], cwd=tmp_path).must_succeed()
    assert {path.name for path in gallery.iterdir()} == before


def test_a_repair_begins_anew(own_index: IndexedGallery, tmp_path: Path) -> None:
    lose_a_preview(own_index.index)
    command = ["repair", "--index", own_index.index]
    interrupted("_carry_rest", command, tmp_path).must_fail(ExitCode.INTERRUPTED, "No picture")
    assert "7 images" in dedup_process(command, cwd=tmp_path).must_succeed().out
    assert (
        "what was written"
        in dedup_process(["info", "--check", "--index", own_index.index], cwd=tmp_path)
        .must_succeed()
        .out
    )


def test_sigterm_does_the_same(indexed: IndexedGallery, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "index", str(indexed.folder), "--watch", "--json"],
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert must_fit("watch", process.stdout.readline())["new_images"] == 8
    process.terminate()
    _, err = process.communicate(timeout=_SECONDS)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "the same command carries on" in err


@pytest.mark.parametrize("command", ["review", "serve"])
def test_a_server_ends_well_by_ctrl_c(
    command: str, indexed: IndexedGallery, tmp_path: Path
) -> None:
    (tmp_path / "dedup-index").symlink_to(indexed.index)
    if command == "review":
        dedup_process(["resolve", "-q"], cwd=tmp_path).must_succeed()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", command, "--json"],
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = "".join(iter(process.stdout.readline, "}\n"))
    assert must_fit(command, printed + "}")["url"].startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=_SECONDS)
    said = [line for line in err.splitlines() if not line.startswith(f"{command}: ")]
    assert (process.returncode, said) == (ExitCode.OK, [])
