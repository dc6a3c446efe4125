"""The power goes at some moment of a stage: what was not synced is lost, wholly or in part.

Each stage is followed once, undisturbed; then the folder is made again as it could be found after
each of some moments, and the stage is run to its end.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

from benchmarks.hostile import stages
from benchmarks.hostile.lossy_disk import Loss, LossyDisk, moments
from benchmarks.hostile.system_calls import Operation, can_trace, read_operations, traced
from storage.catalog import Catalog
from storage.errors import IndexDirectoryError, NotAnIndex

# Of all moments. Rebuilding writes two files, and needs thousands of pictures to be prepared.
SHARES: Mapping[str, float] = {
    "index": 0.3,
    "resolve": 0.2,
    "rebuild": 0.05,
    "repair": 0.15,
    "quarantine": 0.15,
    "undo": 0.15,
}
_PHOTOGRAPHS = 24
_LOSSES = (Loss.ALL, Loss.LATEST, Loss.ANY)
# What a stage finds.
_BEFORE: Mapping[str, tuple[str, ...]] = {
    "index": (),
    "resolve": ("index",),
    "rebuild": ("index",),
    "repair": ("index",),
    "quarantine": ("index", "resolve"),
    "undo": ("index", "resolve", "quarantine"),
}


@dataclass(slots=True)
class StageOutcome:
    """What became of one stage.

    Attributes:
        operations: of the undisturbed run on files and folders.
        moments: of them at which the power went.
        different: runs afterwards that did not end with the same result.
        forgot: times that something committed or done was not there any more.
        lost: times that the content of a picture was nowhere any more.
        said: what was found, moment by moment.
    """

    operations: int = 0
    moments: int = 0
    different: int = 0
    forgot: int = 0
    lost: int = 0
    said: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What was found, by stage."""

    stages: dict[str, StageOutcome] = field(default_factory=dict)
    seconds: float = 0.0

    def faults_found(self) -> list[str]:
        """What is not as it must be."""
        found = []
        for name, outcome in self.stages.items():
            if not outcome.moments:
                found.append(f"{name}: nothing was disturbed")
            found += [f"{name}: {said}" for said in outcome.said]
        return found


def lose_power(
    times: int,
    folder: Path,
    *,
    seed: int,
    photographs: int = _PHOTOGRAPHS,
    shares: Mapping[str, float] = SHARES,
) -> Outcome:
    """At random moments of each stage.

    Raises:
        RuntimeError: programs cannot be followed here.
    """
    if why := can_trace():
        raise RuntimeError(why)
    random = Random(seed)
    outcome, started = Outcome(), time.monotonic()
    for stage, share in shares.items():
        found = outcome.stages[stage] = StageOutcome()
        count = max(1, round(times * share))
        _disturb(stage, count, (folder / stage).resolve(), photographs, random, found)
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome


def _disturb(
    stage: str, count: int, folder: Path, photographs: int, random: Random, found: StageOutcome
) -> None:
    # All happens in one place, for lists and journals name files by their whole paths.
    work, log = folder / "work", folder / "log"
    _prepare(stage, work, photographs)
    contents = _contents(work)
    disk = LossyDisk(work)
    operations = _followed(stage, work, log)
    result = stages.result_of(stage, work)
    found.operations = len(operations)
    at = moments(operations)
    chosen = sorted(random.sample(at, min(count, len(at))))
    done = 0
    for number, moment in enumerate(chosen):
        for operation in operations[done:moment]:
            disk.carry_out(operation)
        done = moment
        loss = _LOSSES[number % len(_LOSSES)]
        disk.put_back(Loss.NOTHING_IS_LOST, random)
        committed = _committed(work)
        disk.put_back(loss, random)
        found.moments += 1
        where = f"after {moment} of {len(operations)} operations, {loss}"
        if stage in ("quarantine", "undo") and not contents <= _contents(work):
            found.lost += 1
            found.said.append(f"{where}: a picture is nowhere")
        if (there := _committed(work)) < committed:
            found.forgot += 1
            found.said.append(f"{where}: {committed} things were committed, {there} are there")
        said = _run(stage, work)
        if said or stages.result_of(stage, work) != result:
            found.different += 1
            found.said.append(f"{where}: another result {said}")
    shutil.rmtree(folder)


def _prepare(stage: str, work: Path, photographs: int) -> None:
    if stage == "rebuild":
        stages.fill_with_colours(work / "pictures", stages.IMAGES_TO_REBUILD)
    else:
        stages.fill_with_photographs(work / "pictures", photographs)
    for earlier in _BEFORE[stage]:
        if said := _run(earlier, work):
            raise RuntimeError(f"{earlier} fails undisturbed {said}")


def _followed(stage: str, work: Path, log: Path) -> list[Operation]:
    done = subprocess.run(
        traced(stages.command(stage, work), log), capture_output=True, check=False, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{stage} fails undisturbed: {done.stderr}")
    return read_operations(log, work)


def _run(stage: str, work: Path) -> str:
    """ "" or what went wrong."""
    done = subprocess.run(stages.command(stage, work), capture_output=True, check=False, text=True)
    return f"({done.returncode}: {done.stderr[-500:]})" if done.returncode else ""


def _committed(work: Path) -> int:
    """Images and verdicts that are in the catalog; -1 when it cannot be read."""
    try:
        with Catalog.open_reader(work / "index" / "catalog.lmdb") as catalog:
            return sum(1 for name in ("images", "verdicts") for _ in catalog.raw(name))
    except NotAnIndex:
        return 0
    except IndexDirectoryError:
        return -1


def _contents(folder: Path) -> set[bytes]:
    """Digests of the pictures, wherever they are."""
    return {
        sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".png", ".jpg", ".part", ".kept", ".gone")
    }
