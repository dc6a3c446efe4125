"""A folder of damaged pictures, and what became of each when it was indexed by the program."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import skimage
from PIL import Image

from benchmarks.hostile.mutations import MUTATIONS
from benchmarks.hostile.raws import make_dng
from benchmarks.hostile.variants import CODED, oriented
from benchmarks.memory import MemoryWatch
from indexer.raw import can_read_raw
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory
from storage.records import BlobStatus

_ROOT = Path(__file__).resolve().parents[2]
_PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
_SIZE = (240, 160)
_IN_A_FOLDER = 1000
_SUFFIXES = {"jpeg2000": "jpg", "ppm": "jpg", "qoi": "jpg"}
# What the reasons of a kind have in common, once numbers and names are taken out.
_DETAIL = re.compile(r"\([^)]*\)|\d+")
_MOST_REASONS = 12
# What all processes together may take: that of the model, and of two decoders at their work.
_MOST_MEMORY = 4 * 2**30


@dataclass(slots=True)
class Outcome:
    """What was found.

    Attributes:
        files: damaged ones in the folder.
        exit_code: of `dedup index`.
        indexed, unreadable: how many became a picture after all, and how many did not.
        unaccounted: files that the index does not know, or knows as neither.
        without_reason: unreadable ones without a reason.
        by_damage: damage to indexed and unreadable.
        by_format: the same of what was damaged.
        reasons: why they are unreadable, the most frequent, without their details.
        restarts: decoders that were replaced.
        memory: of the process that indexes, with what its decoders took, bytes.
        read_again: files that a second run read although nothing had changed.
    """

    files: int = 0
    exit_code: int = -1
    indexed: int = 0
    unreadable: int = 0
    unaccounted: int = 0
    without_reason: int = 0
    by_damage: dict[str, list[int]] = field(default_factory=dict)
    by_format: dict[str, list[int]] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    memory: int = 0
    own_memory: int = 0
    read_again: int = -1
    seconds: float = 0.0
    said: str = ""

    def faults_found(self) -> list[str]:
        """What is not as it must be."""
        checks = {
            f"the run ended with {self.exit_code}: {self.said}": self.exit_code == 0,
            "a file is not accounted for": self.unaccounted == 0,
            "a file is unreadable without a reason": self.without_reason == 0,
            "files are missing": self.indexed + self.unreadable == self.files,
            "memory": self.memory <= _MOST_MEMORY,
            "a file was read again": self.read_again == 0,
            "nothing was damaged": self.unreadable > 0,
        }
        return [name for name, holds in checks.items() if not holds]


def fill(folder: Path, files: int, seed: int, only: str = "") -> None:
    """Write that many damaged files, the same ones for the same seed.

    Their names say what they were and how they were damaged: 000123-jpeg-cmyk-spliced.jpg.
    """
    random = Random(seed)
    sound = _sound()
    kinds, damages = sorted(kind for kind in sound if kind.startswith(only)), list(MUTATIONS)
    for number in range(files):
        kind, damage = kinds[number % len(kinds)], random.choice(damages)
        content = random.choice(sound[kind])
        other = random.choice(sound[random.choice(kinds)])
        suffix = _SUFFIXES.get(kind, kind.partition("-")[0])
        path = folder / f"{number // _IN_A_FOLDER:03}" / f"{number:06}-{kind}-{damage}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MUTATIONS[damage](content, other, random))


def measure(files: int, folder: Path, *, seed: int, timeout: float, only: str = "") -> Outcome:
    """Damage, index and look at the result.

    Args:
        folder: for pictures and index.
        timeout: seconds that one image may take.
        only: what the kinds of files begin with that are damaged; "" for all. RAW files are among
            them where rawpy is installed.
    """
    pictures, index = folder / "pictures", folder / "index"
    fill(pictures, files, seed, only)
    outcome = Outcome(files=files)
    started = time.monotonic()
    command = ["index", str(pictures), "--index", str(index), "--json"]
    command += ["--image-timeout", str(timeout)]
    process = _dedup(command)
    watch = MemoryWatch(process.pid)
    out, said = process.communicate()
    outcome.exit_code, outcome.said = process.returncode, said[-2000:]
    outcome.seconds = round(time.monotonic() - started, 1)
    if process.returncode:
        return outcome
    report = json.loads(out)
    outcome.restarts = report["worker_restarts"]
    outcome.memory = report["peak_memory_bytes"]
    outcome.own_memory = watch.peak().own
    _account(outcome, pictures, index)
    out, _ = _dedup(command).communicate()
    again: dict[str, Any] = json.loads(out)
    outcome.read_again = again["read_requests"]
    return outcome


def _dedup(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _account(outcome: Outcome, pictures: Path, index: Path) -> None:
    by_damage: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    by_format: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    reasons: Counter[str] = Counter()
    files = {str(path) for path in pictures.rglob("*") if path.is_file()}
    with Catalog.open_reader(IndexDirectory.open(index).catalog_path) as catalog:
        for entry in catalog.blobs():
            if entry.uri not in files:
                continue
            files.remove(entry.uri)
            is_unreadable = entry.status is BlobStatus.UNREADABLE
            if not is_unreadable:
                # Raises where the entry names an image that is not there.
                catalog.record(entry.image_id)
            outcome.unreadable += is_unreadable
            outcome.indexed += not is_unreadable
            outcome.without_reason += is_unreadable and not entry.reason
            stem = Path(entry.uri).stem
            damage = max((name for name in MUTATIONS if stem.endswith("-" + name)), key=len)
            kind = stem[7 : -len(damage) - 1].partition("-")[0]
            by_damage[damage][is_unreadable] += 1
            by_format[kind][is_unreadable] += 1
            if is_unreadable:
                reasons[_DETAIL.sub("…", entry.reason)] += 1
    outcome.unaccounted = len(files)
    outcome.by_damage = dict(sorted(by_damage.items()))
    outcome.by_format = dict(sorted(by_format.items()))
    outcome.reasons = dict(reasons.most_common(_MOST_REASONS))


def _sound() -> dict[str, list[bytes]]:
    """Kind to undamaged files of it, one of each photograph."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for name in _PHOTOGRAPHS:
        with Image.open(Path(skimage.__file__).parent / "data" / name) as opened:
            picture = opened.convert("RGB").resize(_SIZE)
        for kind, variant in CODED.items():
            found[kind].append(variant(picture))
        for kind in ("jpeg", "heic", "avif", "tiff"):
            found[f"{kind}-turned"].append(oriented(kind, 6, picture))
        if can_read_raw():
            found["dng"].append(make_dng(picture))
    return dict(found)
