"""Running the command, in this process or in one of its own, and galleries to run it on."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from PIL import Image, ImageOps

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    def must_succeed(self) -> Outcome:
        assert self.code == 0, self.err
        return self

    def must_fail(self, code: int, *said: str) -> Outcome:
        """One line on standard error that says these things, and nothing of a traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("dedup: ")]
        assert self.code == code, (self.code, self.err)
        assert "Traceback" not in self.err + self.out
        assert len(lines) == 1, self.err
        for part in said:
            assert part in lines[0], lines[0]
        return self


Dedup = Callable[..., Outcome]


def photograph(name: str) -> Path:
    """A photograph that scikit-image ships."""
    return Path(str(files("skimage") / "data" / name))


def clean_environment(**changes: str) -> dict[str, str]:
    """This process's environment without what would configure dedup, and with what is given.

    Embeddings are computed by torch unless told otherwise: it loads quicker than OpenVINO.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DEDUP_", "AZURE_"))}
    return kept | {"DEDUP_RUNTIME": "torch"} | changes


def dedup_process(
    arguments: Sequence[str | Path],
    *,
    cwd: Path,
    prefix: Sequence[str] = (),
    **environment: str,
) -> Outcome:
    """Runs `dedup ARGUMENTS` in a process of its own."""
    result = subprocess.run(
        [*prefix, sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=cwd,
        env=clean_environment(PYTHONPATH=str(ROOT), **environment),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    return Outcome(result.returncode, result.stdout, result.stderr)


def crop_of(path: Path, share: float) -> Image.Image:
    """The middle of a picture, a bit off centre, with this share of each side."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = round(image.width * share), round(image.height * share)
    left, top = (image.width - width) // 3, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def fill_gallery(folder: Path) -> None:
    """Four photographs, copies of three of them, and a file that is no image."""
    folder.mkdir(parents=True)
    for name in PHOTOGRAPHS:
        shutil.copyfile(photograph(name), folder / name)
    with Image.open(photograph("chelsea.png")) as chelsea:
        chelsea.convert("RGB").save(folder / "chelsea-jpeg.jpg", quality=70)
    with Image.open(photograph("coffee.png")) as coffee:
        half = coffee.convert("RGB").resize((coffee.width // 2, coffee.height // 2))
        half.save(folder / "coffee-half.jpg", quality=90)
        ImageOps.mirror(coffee.convert("RGB")).save(folder / "coffee-flip.jpg", quality=90)
    crop_of(photograph("astronaut.png"), 0.8).save(folder / "astronaut-crop.jpg", quality=90)
    shutil.copyfile(photograph("rocket.jpg"), folder / "rocket-again.jpg")
    (folder / "notes.jpg").write_text("not a picture")


@dataclass(frozen=True)
class IndexedGallery:
    """A gallery and its index. Tests that change one make their own."""

    folder: Path
    index: Path


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of one of the lists."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))
