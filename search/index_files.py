"""An IVF-PQ index on disk: FAISS's file, and beside it what it is an index of.

faiss/MODEL.ivfpq        as FAISS writes it
faiss/MODEL.ivfpq.json   `IndexCard`; names the file by its SHA-256, so the two are known to belong
                         together whatever interrupted their writing
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import faiss

from storage.errors import IndexStorageError
from storage.index_directory import IndexDirectory

LAYOUT = 1


@dataclass(frozen=True, slots=True)
class IndexCard:
    """What a file of FAISS's is an index of.

    Attributes:
        layout: version of this card.
        model, fingerprint: whose embeddings.
        dimension: of the embeddings.
        watermark: every image up to this id had been added.
        images: vectors in it.
        trained_on: images in the catalog when it was trained.
        removals: images ever removed from the catalog when it was trained.
        anchors: image id and SHA-256 of its vector, for some images: another catalog has others.
        sha256: of the index file.
    """

    layout: int
    model: str
    fingerprint: str
    dimension: int
    watermark: int
    images: int
    trained_on: int
    removals: int
    anchors: tuple[tuple[int, str], ...]
    sha256: str = ""


class IndexFiles:
    """The two files of one model in an index directory."""

    def __init__(self, directory: IndexDirectory, model: str) -> None:
        self._directory = directory
        readable = re.sub(r"[^A-Za-z0-9_.]+", "-", model).strip("-.")[:80]
        # Two names may read alike once made safe for a file system.
        if readable != model:
            readable = f"{readable}-{sha256(model.encode()).hexdigest()[:8]}"
        self.path = directory.faiss_path / f"{readable}.ivfpq"
        self.card_path = directory.faiss_path / f"{readable}.ivfpq.json"

    def read(self) -> tuple[Any, IndexCard] | str:
        """The index of FAISS's and its card; or, in words, why there is none to use."""
        try:
            fields = json.loads(self.card_path.read_bytes())
            fields["anchors"] = tuple((int(i), str(digest)) for i, digest in fields["anchors"])
            card = IndexCard(**fields)
            with self.path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return "there was none"
        except OSError as error:
            return f"it could not be read ({error.strerror})"
        except (ValueError, TypeError, KeyError):
            return "its description was damaged"
        if card.layout != LAYOUT:
            return "it was of another version"
        if digest != card.sha256:
            return "its file was damaged"
        try:
            # The tables are for FAISS's own search by distance, which nobody asks for: of three
            # million images they would take 650 MB in every process.
            flags = faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE
            return faiss.read_index(str(self.path), flags), card
        except RuntimeError:
            return "FAISS could not read it"

    def write(self, index: Any, card: IndexCard) -> str:
        """Replace both files; "" or, in words, why they were not written.

        An index that cannot be written is as good in memory: this is no error.
        """
        try:
            with self._directory.replacing(self.path) as temporary:
                _write(index, temporary)
                with temporary.open("rb") as file:
                    digest = file_digest(file, "sha256").hexdigest()
            with self._directory.replacing(self.card_path) as temporary:
                fields = {**asdict(card), "sha256": digest}
                temporary.write_text(json.dumps(fields, indent=1) + "\n")
        except IndexStorageError as error:
            return error.message
        return ""


def _write(index: Any, path: Path) -> None:
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        # FAISS names its own source line and the temporary file: of no use to a reader.
        raise IndexStorageError(
            f"The search index could not be written to {path.parent}.",
            "Free some space or make it writable.",
        ) from error
