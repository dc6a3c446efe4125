"""The CPU time of a command is that of all its processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.accuracy.child import CommandFailed, run_measured

# Two workers of a fork server burn half a second each; the fork server is nobody's to wait for.
BURNING = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor

def burn(_):
    start = time.process_time()
    while time.process_time() - start < 0.5:
        pass

if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(burn, range(2)))
    print("burnt")
"""


def test_workers_of_a_fork_server_are_counted(tmp_path: Path) -> None:
    script = tmp_path / "burning.py"
    script.write_text(BURNING)
    usage = run_measured([sys.executable, str(script)], tmp_path / "log")
    assert 1.0 <= usage.cpu_seconds < 4.0
    assert usage.peak_bytes > 5_000_000
    assert (tmp_path / "log").read_text() == "burnt\n"


def test_a_command_that_fails_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    failing = "import sys; print('before'); sys.exit('the disk is full')"
    with pytest.raises(CommandFailed, match=r"ended with 1:\s+before\s+the disk is full"):
        run_measured([sys.executable, "-u", "-c", failing], tmp_path / "log")


def test_a_command_that_is_killed_is_an_error(tmp_path: Path) -> None:
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(CommandFailed, match="ended with 137"):
        run_measured([sys.executable, "-c", killed], tmp_path / "log")
