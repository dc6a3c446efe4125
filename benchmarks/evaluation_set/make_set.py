"""Makes an evaluation set: originals, edited copies, unrelated photographs and look-alikes.

    python -m benchmarks.evaluation_set.make_set PHOTOGRAPHS OUT --seed 1

Files have names that tell nothing; truth.csv says what they are. The same photographs, options and
seed give the same set.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks.evaluation_set.chains import ALL_EDITS
from benchmarks.evaluation_set.drawing import U8, Random
from benchmarks.evaluation_set.families import (
    ALL_FAMILIES,
    ALWAYS_THE_SAME,
    MOST_PER_INSTANCE,
    PHOTOGRAPHS_NEEDED,
)
from benchmarks.evaluation_set.photographs import load, photographs_in
from benchmarks.evaluation_set.saving import (
    FILE_EDITS,
    SavedFile,
    jpeg_file,
    passed_on,
    png_file,
)
from benchmarks.evaluation_set.truth import LOOKALIKE, Picture, Role, write_truth
from storage.errors import DedupError, UsageError

_FOLDERS = 50
# Scenes of look-alikes: as large as what most of them draw.
_SCENE_SIDE = 1024


@dataclass(frozen=True, slots=True)
class SetPlan:
    """How large a set is to be.

    Attributes:
        seed: of everything that is left to chance.
        originals: photographs that get copies.
        distractors: photographs without copies.
        copies_per_original: each by another edit; over the set all edits come equally often.
        instances: how often each family of look-alikes is drawn, each time anew.
        per_instance: pictures of one instance, where the family has a choice; 2 to 5.

    Raises:
        UsageError: another number per instance.
    """

    seed: int = 1
    originals: int = 200
    distractors: int = 200
    copies_per_original: int = 5
    instances: int = 3
    per_instance: int = 4

    def __post_init__(self) -> None:
        if not 2 <= self.per_instance <= MOST_PER_INSTANCE:
            raise UsageError(
                f"{self.per_instance} pictures per instance are not possible.",
                f"Ask for 2 to {MOST_PER_INSTANCE}, and for more instances.",
            )


@dataclass(slots=True)
class SetSummary:
    """What was made.

    Attributes:
        roles: how many pictures of each.
        left_out: instances of families that found no photographs left, by family.
    """

    roles: Counter[Role] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


def make_set(photographs: Sequence[Path], out: Path, plan: SetPlan) -> SetSummary:
    """Makes the set in the folder `out`, which must not hold anything yet.

    Raises:
        UsageError: `out` is not empty, or there are too few photographs.
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty.", "Name a folder that does not exist yet.")
    needed = plan.originals + plan.distractors
    if len(photographs) < needed:
        raise UsageError(
            f"{needed} photographs are needed and {len(photographs)} are there.",
            "Ask for fewer originals or distractors.",
        )
    random = np.random.default_rng(plan.seed)
    order = [photographs[place] for place in random.permutation(len(photographs))]
    writer = _Writer(out, random)
    _copies(writer, order[: plan.originals], plan.copies_per_original)
    for number, path in enumerate(order[plan.originals : needed]):
        file = SavedFile(path.read_bytes(), path.suffix.lower())
        writer.add(file, f"d{number}", Role.DISTRACTOR, Role.DISTRACTOR.value)
    left_out = _lookalikes(writer, order[needed:], plan)
    pictures = [writer.pictures[place] for place in random.permutation(len(writer.pictures))]
    write_truth(pictures, out)
    return SetSummary(Counter(picture.role for picture in pictures), left_out)


class _Writer:
    """Puts files under names that tell nothing and remembers what they are."""

    def __init__(self, out: Path, random: Random) -> None:
        self._out = out
        self.random = random
        self.pictures: list[Picture] = []

    def add(self, file: SavedFile, group: str, role: Role, edit: str) -> None:
        folder, name = self.random.integers(_FOLDERS), self.random.bytes(8).hex()
        path = f"images/{folder:02d}/{name}{file.suffix}"
        target = self._out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        self.pictures.append(Picture(path, group, role, edit))


def _copies(writer: _Writer, originals: Sequence[Path], per_original: int) -> None:
    random = writer.random
    names = list(dict.fromkeys([*ALL_EDITS, *FILE_EDITS]))
    edits = cycle(random.permutation(names).tolist())
    for number, path in enumerate(originals):
        group, image = f"g{number}", load(path)
        writer.add(
            SavedFile(path.read_bytes(), path.suffix.lower()), group, Role.ORIGINAL, "original"
        )
        for name in islice(edits, per_original):
            if name in FILE_EDITS:
                file = FILE_EDITS[name](path, image, random)
            else:
                file = passed_on(ALL_EDITS[name](image, random), random)
            writer.add(file, group, Role.COPY, name)


def _lookalikes(writer: _Writer, photographs: Sequence[Path], plan: SetPlan) -> Counter[str]:
    left, left_out = list(photographs), Counter[str]()
    for instance in range(plan.instances):
        for family, draw in ALL_FAMILIES.items():
            needed = PHOTOGRAPHS_NEEDED.get(family, 0)
            if family in ALWAYS_THE_SAME and instance:
                continue
            if needed > len(left):
                left_out[family] += 1
                continue
            scenes = [load(left.pop(), _SCENE_SIDE) for _ in range(needed)]
            drawn = draw(writer.random, plan.per_instance, scenes)
            for number, file in enumerate(_reworked(drawn, instance, writer.random)):
                group = f"{LOOKALIKE}:{family}:{instance}:{number}"
                edit = f"{LOOKALIKE}:{family}:{instance}"
                writer.add(file, group, Role.LOOKALIKE, edit)
    return left_out


def _reworked(drawn: Sequence[U8], instance: int, random: Random) -> Iterator[SavedFile]:
    """The first instance without loss, the second as JPEG, further ones also in other sizes."""
    for image in drawn:
        if instance == 0:
            yield png_file(image)
            continue
        if instance > 1:
            factor = float(random.uniform(0.6, 1.0))
            smaller = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            image = np.asarray(smaller, np.uint8)
        yield jpeg_file(image, int(random.integers(70, 96)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    default = SetPlan()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evaluation_set.make_set", description=__doc__
    )
    parser.add_argument("photographs", type=Path, help="a folder of unrelated photographs")
    parser.add_argument("out", type=Path, help="where the set goes")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--originals", type=int, default=default.originals)
    parser.add_argument("--distractors", type=int, default=default.distractors)
    parser.add_argument("--copies-per-original", type=int, default=default.copies_per_original)
    parser.add_argument("--instances", type=int, default=default.instances)
    parser.add_argument("--per-instance", type=int, default=default.per_instance)
    options = vars(parser.parse_args(arguments))
    folder, out = options.pop("photographs"), options.pop("out")
    try:
        summary = make_set(photographs_in(folder), out, SetPlan(**options))
    except DedupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(", ".join(f"{role.value}: {count}" for role, count in sorted(summary.roles.items())))
    for family, count in sorted(summary.left_out.items()):
        print(f"left out for want of photographs: {family} ({count}×)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
