"""Images that exist only as records, and verdicts that a test makes up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
from hypothesis import strategies as st

from search.candidates import CandidatePair
from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob, UnreadableBlob
from storage.records import ImageFeatures, ImageRecord, Metadata, Quality
from verify.verdict import Relation, Verdict

DAY = 86_400.0
UNRELATED = Verdict(Relation.DIFFERENT, 0.0, False, False, None, {}, "unrelated")
# No verifier should say so; no image may go by it.
CONTRADICTION = Verdict(Relation.DIFFERENT, 0.0, True, True, None, {}, "different, yet covered")
# Of `resolve.groups`: small enough that a handful of images goes the ways of large pools too.
LIMITS = st.fixed_dictionaries(
    {
        "_COMPARED_WITH_ALL": st.sampled_from([1, 3, 64]),
        "_FOLLOWED": st.sampled_from([2, 256]),
        "_SHORTLIST": st.sampled_from([1, 16]),
        "_EXTRA_VERDICTS": st.sampled_from([0, 8]),
        "_LEAST_EXTRA_VERDICTS": st.sampled_from([0, 2, 64]),
    }
)


def copy(
    *,
    a_covers_b: bool = True,
    b_covers_a: bool = True,
    relation: Relation = Relation.REENCODED,
    score: float = 0.99,
    reason: str = "the same picture, saved again",
    **measurements: float,
) -> Verdict:
    """A verdict of "copy"."""
    return Verdict(relation, score, a_covers_b, b_covers_a, None, measurements, reason)


def record(
    name: str = "image",
    *,
    width: int = 1000,
    height: int = 800,
    image_format: str = "JPEG",
    metadata: Metadata | None = None,
    byte_size: int = 1000,
    **quality: float | int | str,
) -> ImageRecord:
    """A record whose digest depends on the name."""
    measures: dict[str, float | int | str] = {
        "bandwidth": 1.0, "colourfulness": 40.0, "noise": 2.0, "sharpness": 400.0,
    } | quality  # fmt: skip
    if image_format == "JPEG":
        measures.setdefault("jpeg_quality", 90)
    return ImageRecord(
        digest=hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest(),
        byte_size=byte_size,
        format=image_format,
        width=width,
        height=height,
        orientation=1,
        hash64=bytes(8),
        hash256=bytes(32),
        texture=1.0,
        colour_histogram=np.zeros(64, np.uint8),
        colour_layout=np.zeros((4, 4, 3), np.uint8),
        quality=Quality(**measures),  # type: ignore[arg-type]
        metadata=metadata or Metadata(),
    )


@cache
def preview() -> bytes:
    """A JPEG of 640×480."""
    pixels = np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", cv2.blur(pixels, (9, 9)))[1].tobytes()


def blob(uri: str, *, object_id: str = "", last_modified: float = 0.0, size: int = 1000) -> Blob:
    """A blob of that name."""
    return Blob(uri, size, "etag", last_modified, object_id=object_id)


@dataclass(frozen=True)
class InventedImage:
    """A record and the blobs that hold it; without a record, blobs that are unreadable."""

    blobs: Sequence[Blob]
    record: ImageRecord | None


def image(*uris: str | Blob, record_: ImageRecord | None = None) -> InventedImage:
    """An image under these names."""
    blobs = [name if isinstance(name, Blob) else blob(name) for name in uris]
    return InventedImage(blobs, record_ or record(blobs[0].uri))


def unreadable(*uris: str | Blob) -> InventedImage:
    """Blobs that are no images."""
    return InventedImage([u if isinstance(u, Blob) else blob(u) for u in uris], None)


def fill(catalog: Catalog, images: Iterable[InventedImage]) -> None:
    """Puts the images into the catalog, in this order."""
    batch = CatalogBatch()
    for invented in images:
        for each in invented.blobs:
            if invented.record is None:
                batch.unreadable.append(UnreadableBlob(each, "/", "not an image"))
            else:
                batch.indexed.append(IndexedBlob(each, "/", invented.record.digest))
        if invented.record is not None:
            batch.images.append(ImageFeatures(invented.record, preview(), {}))
    catalog.commit(batch)


@dataclass
class ToldVerdicts:
    """Verdicts by ordered pair; the reverse of one that is told; unrelated for all others."""

    told: Mapping[tuple[int, int], Verdict]
    asked: list[tuple[int, int]] = field(default_factory=list)

    def verdict(self, a: int, b: int) -> Verdict:
        self.asked.append((a, b))
        if (a, b) in self.told:
            return self.told[a, b]
        if (b, a) in self.told:
            return self.told[b, a].reversed()
        return UNRELATED


def candidates(told: Mapping[tuple[int, int], Verdict]) -> list[CandidatePair]:
    """The pairs that verdicts are told of, as search would propose them."""
    pairs = sorted({(min(pair), max(pair)) for pair in told})
    return [CandidatePair(low, high, 0, {}) for low, high in pairs]
