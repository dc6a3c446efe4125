"""Stages that are killed or run out of disk, and whether their result is as if nothing had been."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.hostile import stages
from storage.errors import ExitCode

# Of all disturbances: most to what runs longest and writes most.
SHARES: Mapping[str, float] = {"index": 0.4, "resolve": 0.4, "rebuild": 0.1, "repair": 0.1}
_PHOTOGRAPHS = 24
# After so many a stage is let come to its end, and its result looked at.
_KILLS_A_RUN = 5
_TMPFS_MB = 64


@dataclass(slots=True)
class StageOutcome:
    """What became of one stage.

    Attributes:
        disturbed: runs of it that were killed, or that the full disk ended.
        untouched: runs that ended before they could be, or found place enough.
        finished: runs afterwards that were let come to their end.
        different: of these, how many have another result than a run that nothing disturbed.
        said_otherwise: runs that a full disk ended with something else than one line and the exit
            code that stands for it.
    """

    disturbed: int = 0
    untouched: int = 0
    finished: int = 0
    different: int = 0
    said_otherwise: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What was found, by stage."""

    stages: dict[str, StageOutcome] = field(default_factory=dict)
    seconds: float = 0.0

    def faults_found(self) -> list[str]:
        """What is not as it must be."""
        found = []
        for name, outcome in self.stages.items():
            if outcome.different:
                found.append(f"{name}: {outcome.different} results differ")
            if not outcome.disturbed or not outcome.finished:
                found.append(f"{name}: nothing was disturbed")
            found += [f"{name}: {said}" for said in outcome.said_otherwise]
        return found


def kill(
    kills: int,
    folder: Path,
    *,
    seed: int,
    photographs: int = _PHOTOGRAPHS,
    shares: Mapping[str, float] = SHARES,
) -> Outcome:
    """SIGKILL at random moments of each stage, again and again, then a run to the end."""
    random = Random(seed)
    outcome, started = Outcome(), time.monotonic()
    for stage, share in shares.items():
        before = _prepared(stage, folder, photographs)
        result, seconds, _ = _undisturbed(stage, before, folder / "calm")
        found = outcome.stages[stage] = StageOutcome()
        while found.disturbed < max(1, round(kills * share)):
            with _copy(before, folder / "disturbed") as work:
                for _ in range(_KILLS_A_RUN):
                    process = stages.start(stage, work)
                    time.sleep(random.uniform(0, seconds))
                    has_ended = process.poll() is not None
                    process.kill()
                    process.communicate()
                    found.untouched += has_ended
                    found.disturbed += not has_ended
                    if has_ended:
                        break
                _finish(stage, work, result, found)
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome


def fill_disks(
    injections: int,
    folder: Path,
    *,
    seed: int,
    photographs: int = _PHOTOGRAPHS,
    shares: Mapping[str, float] = SHARES,
) -> Outcome:
    """A disk that is full at a random moment of each stage, then a run with place enough.

    Needs the right to mount a file system in memory.
    """
    random = Random(seed)
    outcome, started = Outcome(), time.monotonic()
    for stage, share in shares.items():
        before = _prepared(stage, folder, photographs)
        result, _, needed = _undisturbed(stage, before, folder / "calm")
        found = outcome.stages[stage] = StageOutcome()
        for _ in range(max(1, round(injections * share))):
            with _small_disk(folder / "disk") as disk, _copy(before, disk / "work") as work:
                ballast = disk / "ballast"
                left = int(random.uniform(0, max(needed, 1 << 16)))
                _fill(ballast, shutil.disk_usage(disk).free - left)
                process = stages.start(stage, work)
                _, said = process.communicate()
                if process.returncode == 0 and stages.result_of(stage, work) == result:
                    found.untouched += 1
                elif process.returncode == 0:
                    # A search index that cannot be written is as good in memory: no error.
                    found.disturbed += 1
                    if stage != "rebuild":
                        found.said_otherwise.append("ended well, with another result")
                else:
                    found.disturbed += 1
                    if process.returncode != ExitCode.STORAGE or "Traceback" in said:
                        found.said_otherwise.append(f"{process.returncode}: {said[-500:]}")
                ballast.unlink()
                _finish(stage, work, result, found)
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome


def _prepared(stage: str, folder: Path, photographs: int) -> Path:
    """A folder as the stage finds it."""
    before = folder / f"before-{stage}"
    if stage == "rebuild":
        stages.fill_with_colours(before / "pictures", stages.IMAGES_TO_REBUILD)
    else:
        stages.fill_with_photographs(before / "pictures", photographs)
    if stage != "index":
        stages.do_index(before)
    return before


def _undisturbed(stage: str, before: Path, calm: Path) -> tuple[str, float, int]:
    """Its result, the seconds it takes, and the bytes that it writes."""
    with _copy(before, calm):
        size = _size(calm)
        process = stages.start(stage, calm)
        started = time.monotonic()
        _, said = process.communicate()
        seconds = time.monotonic() - started
        if process.returncode:
            raise RuntimeError(f"{stage} fails undisturbed: {said}")
        return stages.result_of(stage, calm), seconds, _size(calm) - size


def _finish(stage: str, work: Path, result: str, found: StageOutcome) -> None:
    process = stages.start(stage, work)
    _, said = process.communicate()
    found.finished += 1
    if process.returncode:
        found.different += 1
        found.said_otherwise.append(f"to the end: {process.returncode}: {said[-500:]}")
    elif stages.result_of(stage, work) != result:
        found.different += 1


@contextmanager
def _copy(before: Path, work: Path) -> Iterator[Path]:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    # The pictures stay where they are: what is written is index and lists.
    (work / "pictures").symlink_to(before / "pictures")
    if (before / "index").exists():
        shutil.copytree(before / "index", work / "index")
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _small_disk(at: Path) -> Iterator[Path]:
    at.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={_TMPFS_MB}m", "none", str(at)]
    subprocess.run(["mount", *options], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


def _fill(ballast: Path, size: int) -> None:
    with ballast.open("wb") as file:
        while size > 0:
            size -= file.write(bytes(min(size, 1 << 20)))


def _size(folder: Path) -> int:
    # The folder of the pictures is a link, which is not followed.
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
