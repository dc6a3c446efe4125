"""The groups of a report in parts of a few, which the page loads when it shows them.

Small results have their parts in the page itself. Those of large ones lie in a folder beside it,
each as a script that hands the page its cards: a page opened as a file may read nothing else.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

from resolve.page.cards import CardJson, card
from resolve.page.document import script_json
from resolve.page.groups_file import GroupsFile
from resolve.page.images import Images, smaller

FOLDER = "report-files-"
_TEMPORARY = ".report-files."
_ABANDONED_AFTER = 86_400.0
_COPIES_SHOWN = 24


@dataclass(frozen=True, slots=True)
class PartOptions:
    """How the parts are made.

    Attributes:
        groups: in a part.
        sharp_groups: how many of the first, which are the least certain, have sharp previews.
        seen_groups: how many of them have previews at all. Of a million groups they would take
            17 GB and an hour and a half, to be looked at by nobody: the review has them all.
        sharp_side, small_side: longer side of the previews, pixels: half and a quarter of what is
            stored, which the decoder gives at once. preview_quality: of their JPEGs.
    """

    groups: int = 25
    sharp_groups: int = 1000
    seen_groups: int = 20_000
    sharp_side: int = 320
    small_side: int = 160
    preview_quality: int = 75


class Parts:
    """Cards by the part. Safe in several threads.

    Args:
        order: places of the groups, in the order of the page.
    """

    def __init__(
        self, groups: GroupsFile, order: Sequence[int], images: Images, options: PartOptions
    ) -> None:
        self._groups = groups
        self._order = order
        self._images = images
        self._options = options

    @property
    def size(self) -> int:
        """Groups in a part; the last one may have fewer."""
        return self._options.groups

    def __len__(self) -> int:
        return -(-len(self._order) // self._options.groups)

    def cards(self, number: int) -> list[CardJson]:
        """The cards of a part, in order."""
        options = self._options
        first = number * options.groups
        side = options.sharp_side if first < options.sharp_groups else options.small_side
        preview = partial(self._preview, side) if first < options.seen_groups else _no_preview
        return [
            card(self._groups.row(place), self._images, preview, _COPIES_SHOWN)
            for place in self._order[first : first + options.groups]
        ]

    def _preview(self, side: int, digest: str) -> str | None:
        preview = self._images.preview(bytes.fromhex(digest))
        if preview is None:
            return None
        image = smaller(preview, side, self._options.preview_quality)
        if image is None:
            return None
        return f"data:image/jpeg;base64,{base64.b64encode(image).decode('ascii')}"


def _no_preview(digest: str) -> None:
    return None


@contextmanager
def parts_folder(parts: Parts, out: Path) -> Iterator[str]:
    """Write the parts into a folder beside the report; its name, which its content decides.

    At the end of the block, when the report that names it is in place, folders of earlier reports
    are removed.
    """
    _remove_abandoned(out)
    temporary = out / f"{_TEMPORARY}{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        whole = blake2b(digest_size=5)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            # Pixels are decoded and encoded without the interpreter's lock.
            for digest in pool.map(
                lambda number: _write_part(parts, number, temporary), range(len(parts))
            ):
                whole.update(digest)
        name = FOLDER + whole.hexdigest()
        if (out / name).exists():
            # Of the same content once; a loss of power may have left files without any.
            (out / name).rename(temporary.with_name(f"{temporary.name}.old"))
        temporary.rename(out / name)
        yield name
    finally:
        for left in (temporary, temporary.with_name(f"{temporary.name}.old")):
            shutil.rmtree(left, ignore_errors=True)
    remove_folders(out, but=name)


def remove_folders(out: Path, but: str = "") -> None:
    """Remove the parts of earlier reports."""
    for path in out.glob(f"{FOLDER}*"):
        if path.name != but and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def _write_part(parts: Parts, number: int, folder: Path) -> bytes:
    content = f"dedup.part({number},{script_json(parts.cards(number))});\n".encode()
    (folder / f"{number:05d}.js").write_bytes(content)
    return blake2b(content, digest_size=16).digest()


def _remove_abandoned(out: Path) -> None:
    for path in out.glob(f"{_TEMPORARY}*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                shutil.rmtree(path, ignore_errors=True)
