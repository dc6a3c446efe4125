"""What is in an index, in numbers that a picture can be drawn of."""

from __future__ import annotations

import csv
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resolve.lists import DELETE
from storage.catalog import Catalog
from storage.errors import UsageError
from storage.records import F32, BlobStatus

# Upper ends, in pixels and bytes.
PIXELS = (100_000, 300_000, 1_000_000, 3_000_000, 8_000_000, 16_000_000, 30_000_000, 1 << 62)
BYTES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 1 << 62)


@dataclass(frozen=True, slots=True)
class Month:
    """Files by when they were last modified.

    Attributes:
        month: as 2024-05.
        files: last modified in it. duplicates: of these, how many may go; None without lists.
    """

    month: str
    files: int
    duplicates: int | None


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingMap:
    """A sample of the images, where two directions that tell most apart put them.

    Attributes:
        model: whose embeddings.
        points: float32 (n, 2), two numbers for each image.
        is_copy: bool (n,), for each image whether all its files may go.
        explained: share of the variance that the two directions have, 0..1.
    """

    model: str
    points: F32
    is_copy: np.typing.NDArray[np.bool_]
    explained: float


@dataclass(frozen=True, slots=True)
class Collection:
    """Counts over all images and files.

    Attributes:
        images: different contents. files: blobs, unreadable ones included. unreadable: of those.
        bytes: of the files.
        formats: format to images.
        pixels: images of up to 0.1, 0.3, 1, 3, 8, 16, 30 megapixels (`PIXELS`), and above.
        file_bytes: files of up to 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30 MB (`BYTES`), and above.
        months: files by month, the earliest first.
        duplicates: files on delete.csv; None without lists.
        embedding_map: None where nothing is embedded.
    """

    images: int
    files: int
    unreadable: int
    bytes: int
    formats: dict[str, int]
    pixels: list[int]
    file_bytes: list[int]
    months: list[Month]
    duplicates: int | None
    embedding_map: EmbeddingMap | None


def describe_collection(catalog: Catalog, lists: Path, sample: int = 2000) -> Collection:
    """Reads the whole catalog once.

    Args:
        lists: what resolve wrote, if it did.
        sample: images on the map, at most.

    Raises:
        UsageError: delete.csv is none.
        IndexStorageError: the catalog cannot be read.
    """
    deleted = _deleted(lists / DELETE)
    formats: Counter[str] = Counter()
    pixels = np.zeros(len(PIXELS), np.int64)
    file_bytes = np.zeros(len(BYTES), np.int64)
    for _, record in catalog.records():
        formats[record.format] += 1
        pixels[np.searchsorted(PIXELS, record.width * record.height)] += 1
    files, unreadable, total = 0, 0, 0
    months: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    staying: set[int] = set()
    for entry in catalog.blobs():
        files += 1
        total += entry.size
        unreadable += entry.status is BlobStatus.UNREADABLE
        file_bytes[np.searchsorted(BYTES, entry.size)] += 1
        month = time.strftime("%Y-%m", time.gmtime(entry.last_modified))
        months[month] += 1
        if deleted is not None and entry.uri in deleted:
            gone[month] += 1
        elif entry.image_id is not None:
            staying.add(entry.image_id)
    return Collection(
        images=sum(formats.values()),
        files=files,
        unreadable=unreadable,
        bytes=total,
        formats=dict(formats.most_common()),
        pixels=pixels.tolist(),
        file_bytes=file_bytes.tolist(),
        months=[
            Month(month, months[month], None if deleted is None else gone[month])
            for month in sorted(months)
        ],
        duplicates=None if deleted is None else sum(gone.values()),
        embedding_map=_map(catalog, staying, sample),
    )


def _deleted(path: Path) -> set[str] | None:
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            return {row["path"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return None
    except (OSError, KeyError, csv.Error) as error:
        raise UsageError(f"{path} is no list ({error}).", "Resolve again.") from error


def _map(catalog: Catalog, staying: set[int], sample: int) -> EmbeddingMap | None:
    """Principal components of a sample: always the same picture, unlike what moves by chance."""
    parameters = catalog.parameters()
    ids = catalog.image_ids()
    if parameters is None or not parameters.models or len(ids) < 3:
        return None
    if len(ids) > sample:
        ids = ids[np.sort(np.random.default_rng(1).choice(len(ids), sample, replace=False))]
    model = parameters.models[0].name
    vectors, found = catalog.stored_embeddings(model, ids)
    ids, centred = ids[found], vectors[found].astype(np.float32)
    if len(ids) < 3:
        return None
    centred -= centred.mean(axis=0)
    _, strengths, directions = np.linalg.svd(centred, full_matrices=False)
    variance = strengths.astype(np.float64) ** 2
    return EmbeddingMap(
        model=model,
        points=(centred @ directions[:2].T).astype(np.float32),
        is_copy=np.array([number not in staying for number in ids.tolist()], np.bool_),
        explained=float(variance[:2].sum() / max(variance.sum(), 1e-12)),
    )
