"""The stages of the program in processes of their own, to be killed or to run out of disk.

    python -m benchmarks.hostile.stages STAGE FOLDER

FOLDER has `pictures`, and gets `index`, `lists` and `quarantine`. Prints "ready" when everything is
imported and the work begins.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from hashlib import sha256
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
import skimage
from PIL import Image

from benchmarks.soak.child import ColourEmbedder
from cli.apply import run as run_apply
from cli.config import Settings
from cli.resolve import run as run_resolve
from cli.undo import run as run_undo
from indexer.index_pass import IndexOptions, index
from indexer.run_report import IndexProgress
from search.index_files import IndexFiles
from search.index_set import IndexSet
from search.options import SearchOptions
from storage.catalog import Catalog
from storage.errors import DedupError
from storage.folder import FolderSource
from storage.index_directory import IndexDirectory
from storage.repair import repair_catalog

_ROOT = Path(__file__).resolve().parents[2]
_LISTS = ("keep.csv", "delete.csv", "unreadable.csv", "groups.jsonl")
_PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
_SIDE = 128
# One in so many is followed by a smaller copy of itself.
_COPIES = 3
# An index file is made of an index of more than 2,000 images only.
IMAGES_TO_REBUILD = 2_100


class _Silent:
    def on_progress(self, progress: IndexProgress) -> None:
        """Says nothing."""


def fill_with_photographs(folder: Path, count: int) -> None:
    """Parts of photographs, some with a copy, and one file that is none."""
    folder.mkdir(parents=True)
    photographs = []
    for name in _PHOTOGRAPHS:
        with Image.open(Path(skimage.__file__).parent / "data" / name) as opened:
            photographs.append(opened.convert("RGB"))
    for number in range(count):
        place = np.random.default_rng(number)
        photograph = photographs[number % len(photographs)]
        left = int(place.integers(photograph.width - _SIDE))
        top = int(place.integers(photograph.height - _SIDE))
        part = photograph.crop((left, top, left + _SIDE, top + _SIDE))
        part.save(folder / f"{number:04}.png")
        if number % _COPIES == 0:
            part.save(folder / f"{number:04}-copy.jpg", quality=85)
    (folder / "diary.jpg").write_text("Dear diary")


def fill_with_colours(folder: Path, count: int) -> None:
    """Very many tiny pictures, all different."""
    folder.mkdir(parents=True)
    for number in range(count):
        colours = np.random.default_rng(number).integers(0, 256, (4, 4, 3)).astype(np.uint8)
        pixels = cv2.resize(colours, (32, 32), interpolation=cv2.INTER_NEAREST)
        Image.fromarray(pixels).save(folder / f"{number:05}.png")


def do_index(folder: Path) -> None:
    directory = IndexDirectory.create(folder / "index")
    options = IndexOptions(workers=2, batch_size=4, commit_every=4, commit_seconds=0.2)
    source = FolderSource(folder / "pictures")
    index([source], directory, [ColourEmbedder()], options, _Silent())


def do_resolve(folder: Path) -> None:
    with redirect_stdout(StringIO()):
        run_resolve(Settings(index=folder / "index", out=folder / "lists", json=True))


def do_rebuild(folder: Path) -> None:
    directory = IndexDirectory.open(folder / "index")
    with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
        IndexSet.open(directory, catalog, SearchOptions(exact_below=0))


def do_repair(folder: Path) -> None:
    directory = IndexDirectory.open(folder / "index")
    with directory.write_lock():
        repair_catalog(directory.catalog_path)


def do_quarantine(folder: Path) -> None:
    settings = Settings(
        index=folder / "index", quarantine=str(folder / "quarantine"), json=True, quiet=True
    )
    delete_list = folder / "lists" / "delete.csv"
    with redirect_stdout(StringIO()):
        run_apply(delete_list, "quarantine", settings, yes=True, needs_undo=True, journal_path=None)


def do_undo(folder: Path) -> None:
    (journal,) = (folder / "lists").glob("apply-*.jsonl")
    with redirect_stdout(StringIO()):
        run_undo(journal, Settings(json=True, quiet=True))


STAGES: Mapping[str, Callable[[Path], None]] = {
    "index": do_index,
    "resolve": do_resolve,
    "rebuild": do_rebuild,
    "repair": do_repair,
    "quarantine": do_quarantine,
    "undo": do_undo,
}


def result_of(stage: str, folder: Path) -> str:
    """What a stage has made, as text that is the same for the same result."""
    directory = IndexDirectory.open(folder / "index")
    if stage in ("quarantine", "undo"):
        return _whereabouts(folder)
    if stage == "resolve":
        written = [(folder / "lists" / name).read_bytes() for name in _LISTS]
        # The lists name files by their whole path, which is another one for each run.
        here = str(folder.resolve()).encode()
        return sha256(b"\0".join(part.replace(here, b"") for part in written)).hexdigest()
    with Catalog.open_reader(directory.catalog_path) as catalog:
        if stage == "rebuild":
            (model,) = catalog.models
            read = IndexFiles(directory, model).read()
            return read if isinstance(read, str) else f"{read[1].images} images"
        return catalog.content_fingerprint()


def _whereabouts(folder: Path) -> str:
    """Which picture is where, whatever the run of the quarantine is called."""
    found = []
    for top in ("pictures", "quarantine"):
        for path in sorted((folder / top).rglob("*")):
            if path.is_file():
                place = path.relative_to(folder / top).parts[top == "quarantine" :]
                content = sha256(path.read_bytes()).hexdigest()
                found.append(f"{top}/{'/'.join(place)} {content} {path.stat().st_mtime_ns}")
    return "\n".join(found)


def command(stage: str, folder: Path) -> list[str]:
    """What does the stage in a process of its own."""
    return [sys.executable, "-m", "benchmarks.hostile.stages", stage, str(folder)]


def start(stage: str, folder: Path) -> subprocess.Popen[str]:
    """A process that is about to do it; it has said that it is ready."""
    process = subprocess.Popen(
        command(stage, folder),
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"{stage} did not begin: {process.communicate()[1]}")
    return process


def main() -> int:
    print("ready", flush=True)
    try:
        STAGES[sys.argv[1]](Path(sys.argv[2]))
    except DedupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
