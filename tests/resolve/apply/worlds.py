"""An index, the blobs it was made of, and a list of those that may go: acting on them for tests.

The pictures are made-up bytes: who acts on a list compares bytes and never looks at pixels.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from resolve.apply.act import Applier, ApplyReport
from resolve.apply.check import ApplyOptions
from resolve.apply.journal import Journal
from resolve.apply.plan import Rules
from resolve.apply.rows import check_list
from resolve.apply.session import open_facts, open_journal
from resolve.apply.undo import UndoReport, undo
from resolve.lists import DELETE_COLUMNS, csv_row
from resolve.preferences import Prefixes
from storage.actions import Action, BlobActions
from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.index_directory import IndexDirectory
from storage.open_actions import Stores
from storage.records import ImageFeatures, ImageRecord
from verify.codec import encode_verdict
from verify.verdict import Relation, Verdict

VERIFIER = "test 1"
SCORE = 0.9876


class OneStore:
    """Stores of which there is one."""

    def __init__(self, store: BlobActions) -> None:
        self.store = store

    def of(self, uri: str) -> BlobActions:
        return self.store

    def close(self) -> None:
        self.store.close()


class Silent:
    """Listens to nothing."""

    def on_progress(self, report: object, total: int) -> None:
        return


@dataclass(frozen=True)
class Copy:
    """A row of the list: what is deleted, and for what."""

    path: str
    keep: str
    relation: Relation = Relation.RESIZED


@dataclass(frozen=True)
class World:
    """An index directory and lists beside it.

    Attributes:
        base: the folder with both.
        stores: where the blobs are.
    """

    base: Path
    stores: Stores

    @property
    def list_path(self) -> Path:
        return self.base / "lists" / "delete.csv"

    def index(
        self, contents: Mapping[str, bytes], source: str, unread: Collection[str] = ()
    ) -> None:
        """Index these blobs as they are now, some of them as known by size and MD5."""
        directory = IndexDirectory.create(self.base / "index")
        images, indexed = {}, []
        for uri, content in contents.items():
            digest = sha256(content).digest()
            state = self.stores.of(uri).stat(uri)
            assert state is not None
            images[digest] = _features(digest, len(content))
            blob = Blob(uri, state.size, state.etag, 1.5, object_id=state.object_id)
            indexed.append(IndexedBlob(blob, source, digest, is_unread=uri in unread))
        with Catalog.open_writer(directory.catalog_path) as catalog:
            catalog.commit(CatalogBatch(images=list(images.values()), indexed=indexed))

    def list_copies(
        self, contents: Mapping[str, bytes], copies: Sequence[Copy], score: float = SCORE
    ) -> None:
        """Write delete.csv and summary.json, and the verdicts into the index."""
        self.list_path.parent.mkdir(exist_ok=True)
        rows = [csv_row(DELETE_COLUMNS)]
        verdicts = []
        for copy in copies:
            digest = sha256(contents[copy.path]).digest()
            keeper = sha256(contents[copy.keep]).digest()
            is_exact = digest == keeper
            relation = Relation.EXACT if is_exact else copy.relation
            shown = 1.0 if is_exact else score
            size = str(len(contents[copy.path]))
            group = keeper.hex()[:16]
            cells = (copy.path, copy.keep, relation.value, f"{shown:.4f}", size, group, "seen")
            rows.append(csv_row(cells))
            if not is_exact:
                low = min(digest, keeper)
                verdict = Verdict(relation, score, a_covers_b=True, b_covers_a=False)
                verdict = verdict if low == keeper else verdict.reversed()
                verdicts.append((low, max(digest, keeper), encode_verdict(verdict)))
        with self.list_path.open("w", errors="surrogateescape", newline="") as file:
            file.write("".join(rows))
        self.list_path.with_name("summary.json").write_text(
            json.dumps(
                {"lists_version": 1, "versions": {"verifier": VERIFIER}, "options": {"against": ""}}
            )
        )
        with Catalog.open_writer(self.base / "index" / "catalog.lmdb") as catalog:
            catalog.put_verdicts(VERIFIER, verdicts)

    def apply(
        self,
        action: Action,
        *,
        quarantine: str = "",
        protect: Sequence[str] = (),
        is_dry: bool = False,
        **options: object,
    ) -> ApplyReport:
        """What `dedup apply` does."""
        rows = check_list(self.list_path)
        with open_facts(self.base / "index", None, self.list_path, is_dry=is_dry) as facts:
            rules = Rules(action, Prefixes(protect), quarantine)
            settings = ApplyOptions(action, **options)  # type: ignore[arg-type]
            applier = Applier(facts, self.stores, rules, settings, Silent())
            if is_dry:
                return applier.dry_run(rows)
            with open_journal(rows, action, quarantine, None) as journal:
                return applier.apply(rows, journal)

    def journal_path(self) -> Path:
        """The only journal there is."""
        (path,) = self.list_path.parent.glob("apply-*.jsonl")
        return path

    def undo(self, path: Path | None = None) -> UndoReport:
        """What `dedup undo` does."""
        with Journal.open(path or self.journal_path()) as journal:
            return undo(journal, self.stores, Silent())


def _features(digest: bytes, size: int) -> ImageFeatures:
    record = ImageRecord(
        digest=digest,
        byte_size=size,
        format="JPEG",
        width=640,
        height=480,
        orientation=1,
        hash64=digest[:8],
        hash256=digest,
        texture=0.5,
        colour_histogram=np.zeros(64, np.uint8),
        colour_layout=np.zeros((4, 4, 3), np.uint8),
    )
    return ImageFeatures(record, preview=b"", embeddings={})


def groups(root: str, count: int, seed: int = 0) -> tuple[dict[str, bytes], list[Copy]]:
    """Contents by URI below `root`, and the copies among them.

    Each group has a keeper, a copy of its bytes, and a lesser copy.
    """
    rng = np.random.default_rng(seed)
    contents: dict[str, bytes] = {}
    copies = []
    for number in range(count):
        keeper = f"{root}/{number:03}/keeper.jpg"
        exact, lesser = f"{root}/{number:03}/exact ü.jpg", f"{root}/lesser/{number:03}#?.jpg"
        contents[keeper] = rng.bytes(int(rng.integers(500, 5000)))
        contents[exact] = contents[keeper]
        contents[lesser] = rng.bytes(300)
        copies += [Copy(exact, keeper), Copy(lesser, keeper)]
    return contents, copies


def write_files(contents: Mapping[str, bytes]) -> None:
    """Files with times, modes and attributes that differ."""
    for number, (uri, content) in enumerate(contents.items()):
        path = Path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod((0o600, 0o640, 0o444)[number % 3])
        when = 1_500_000_000_123_456_789 + number * 1_000_000_007
        os.utime(path, ns=(when, when))
        if has_attributes(path):
            os.setxattr(path, "user.number", str(number).encode())


def has_attributes(path: Path) -> bool:
    """Whether this file system has attributes of users."""
    try:
        os.setxattr(path, "user.probe", b"1")
        os.removexattr(path, "user.probe")
    except OSError:
        return False
    return True


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a folder that undo must bring back: bytes, modes, times, attributes."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        seen = path.lstat()
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
        found[str(path)] = (
            path.is_symlink(),
            path.read_bytes(),
            seen.st_mode,
            seen.st_mtime_ns,
            seen.st_uid,
            sorted(attributes.items()),
        )
    return found
