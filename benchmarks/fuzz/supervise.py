"""Runs the targets one after the other, goes on after a failure, and counts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
CORPUS = _ROOT / "tests" / "corpus"
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
# Of a run that failed before it could print its statistics.
_PROGRESS = re.compile(r"^#(\d+)", re.MULTILINE)
# libFuzzer's own limits, far above what the limits of the program let an input take.
_INPUT_SECONDS = 30
_INPUT_MEMORY_MB = 3000
_LONGEST_INPUT = 64 * 1024
# A run that ends sooner, time after time, is broken: nothing would be fuzzed.
_LEAST_SECONDS = 1.0
_MOST_FAILURES = 200


@dataclass(slots=True)
class TargetOutcome:
    """What became of one target.

    Attributes:
        executions: inputs tried.
        seconds: it took.
        failures: inputs that made it fail, as files; by the last line that it said.
    """

    executions: int = 0
    seconds: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)


def fuzz(targets: Sequence[str], seconds: float, found: Path) -> dict[str, TargetOutcome]:
    """Fuzz each target for its share of the time.

    Args:
        seconds: for all of them together.
        found: where inputs that make a target fail are kept.
    """
    outcomes = {}
    # In memory where that is a folder: most targets write their input to a file first.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dedup-fuzz-", dir=memory) as scratch:
        for target in targets:
            work = Path(scratch) / target
            work.mkdir()
            outcomes[target] = _fuzz_one(target, seconds / len(targets), work, found)
    return outcomes


def _fuzz_one(target: str, seconds: float, work: Path, found: Path) -> TargetOutcome:
    outcome = TargetOutcome()
    started = time.monotonic()
    while (left := seconds - (time.monotonic() - started)) >= _LEAST_SECONDS:
        failed = work / "failed"
        failed.mkdir(exist_ok=True)
        queue = work / "queue"
        queue.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.fuzz.child", target]
        command += [f"-max_total_time={max(1, round(left))}", f"-artifact_prefix={failed}/"]
        command += [f"-timeout={_INPUT_SECONDS}", f"-rss_limit_mb={_INPUT_MEMORY_MB}"]
        command += [f"-max_len={_LONGEST_INPUT}", "-print_final_stats=1"]
        command += [str(queue), str(CORPUS / target)]
        run = subprocess.run(
            command,
            cwd=_ROOT,
            env={**os.environ, "TMPDIR": str(work)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        counts = _EXECUTED.findall(run.stdout) or _PROGRESS.findall(run.stdout)
        outcome.executions += int(counts[-1]) if counts else 0
        new = [path for path in failed.iterdir() if path.is_file()]
        if run.returncode == 0:
            break
        if not new:
            raise RuntimeError(f"the target {target} cannot be fuzzed:\n{run.stdout[-4000:]}")
        for path in new:
            _keep(path, found / target, _said(run.stdout), outcome)
        if len(outcome.failures) >= _MOST_FAILURES:
            break
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome


def _keep(path: Path, folder: Path, said: str, outcome: TargetOutcome) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / sha256(path.read_bytes()).hexdigest()[:16]
    shutil.move(path, kept)
    outcome.failures[str(kept)] = said


def _said(output: str) -> str:
    """What the failure was: the exception, or what libFuzzer calls it."""
    for line in output.splitlines():
        if "Uncaught Python exception" in line:
            after = output.split(line, 1)[1].strip().splitlines()
            return after[0] if after else line
    errors = [line for line in output.splitlines() if "ERROR: libFuzzer" in line]
    return errors[-1] if errors else output.strip().splitlines()[-1][:300]
