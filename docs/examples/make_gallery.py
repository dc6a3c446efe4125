"""A small gallery to try dedup on: photographs that scikit-image and scikit-learn ship, and copies
of them edited here and now.

    python docs/examples/make_gallery.py FOLDER

Every copy is named after its original (`chelsea-crop.jpg` is made of `chelsea.png`), so that the
lists can be judged by eye. `motorcycle_left` and `motorcycle_right` are two photographs of one
scene and must both be kept; `damaged.jpg` cannot be read.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps
from pillow_heif import register_heif_opener

SKIMAGE = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
SKLEARN = ("china.jpg", "flower.jpg")
COPIES_EACH = 3


def _smaller(image: Image.Image) -> Image.Image:
    return image.resize((image.width * 6 // 10, image.height * 6 // 10), Image.Resampling.LANCZOS)


def _cropped(image: Image.Image) -> Image.Image:
    left, top = image.width // 8, image.height // 10
    return image.crop((left, top, left + image.width * 8 // 10, top + image.height * 8 // 10))


def _with_text(image: Image.Image) -> Image.Image:
    marked = image.copy()
    size = max(14, image.width // 12)
    ImageDraw.Draw(marked).text(
        (image.width // 12, image.height - 2 * size),
        "holiday 2024",
        fill=(255, 255, 255),
        stroke_width=max(1, size // 12),
        stroke_fill=(0, 0, 0),
        font=ImageFont.load_default(size),
    )
    return marked


def _brighter(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1.15)


# Name of the edit, how the pixels change, how the file is written.
EDITS: tuple[tuple[str, Callable[[Image.Image], Image.Image], str, dict[str, int]], ...] = (
    ("jpeg", lambda image: image, ".jpg", {"quality": 60}),
    ("smaller", _smaller, ".jpg", {"quality": 85}),
    ("crop", _cropped, ".jpg", {"quality": 88}),
    ("text", _with_text, ".jpg", {"quality": 88}),
    ("flip", ImageOps.mirror, ".jpg", {"quality": 88}),
    ("brighter", _brighter, ".jpg", {"quality": 88}),
    ("webp", lambda image: image, ".webp", {"quality": 75}),
    ("heic", lambda image: image, ".heic", {"quality": 70}),
)


def _photographs() -> list[Path]:
    """The files of the two packages that are there; older versions ship fewer."""
    paths = [Path(str(files("skimage") / "data" / name)) for name in SKIMAGE]
    paths += [Path(str(files("sklearn") / "datasets" / "images" / name)) for name in SKLEARN]
    return [path for path in paths if path.is_file()]


def make_gallery(folder: Path) -> int:
    """Fills the folder, over an earlier gallery if there is one. Returns how many files it has."""
    register_heif_opener()
    (folder / "copies").mkdir(parents=True, exist_ok=True)
    photographs = _photographs()
    for number, path in enumerate(photographs):
        shutil.copyfile(path, folder / path.name)
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        for step in range(COPIES_EACH):
            name, edit, suffix, options = EDITS[(COPIES_EACH * number + step) % len(EDITS)]
            edit(image).save(folder / "copies" / f"{path.stem}-{name}{suffix}", **options)
    shutil.copyfile(photographs[0], folder / "copies" / f"again-{photographs[0].name}")
    whole = (folder / photographs[-1].name).read_bytes()
    (folder / "damaged.jpg").write_bytes(whole[: len(whole) // 3])
    return sum(1 for path in folder.rglob("*") if path.is_file())


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/examples/make_gallery.py FOLDER")
    folder = Path(sys.argv[1])
    print(f"Made a gallery of {make_gallery(folder)} files in {folder}")


if __name__ == "__main__":
    main()
