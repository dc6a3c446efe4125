"""A real catalog with made-up images: hashes, textures and embeddings as a test wants them."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.index_directory import IndexDirectory
from storage.parameters import SCHEMA_VERSION, IndexParameters, ModelParameters
from storage.records import F16, F32, U8, ImageFeatures, ImageRecord

MODEL = "model"


class Gallery:
    """A catalog in a new index directory, filled row by row."""

    def __init__(self, path: Path) -> None:
        self.directory = IndexDirectory.create(path)
        self.catalog = Catalog.open_writer(self.directory.catalog_path)
        self._serial = 0

    @classmethod
    def copy_of(cls, other: Path, path: Path) -> Gallery:
        """A copy of the index directory `other`, which nothing has open."""
        shutil.copytree(other, path)
        made = cls(path)
        made._serial = made.catalog.last_image_id
        return made

    def set_models(self, **dimensions: int) -> None:
        models = tuple(
            ModelParameters(name, dimension, f"weights of {name}", "torch-cpu", 224)
            for name, dimension in dimensions.items()
        )
        self.catalog.set_parameters(IndexParameters(SCHEMA_VERSION, "1", 640, models))

    def set_fingerprint(self, fingerprint: str) -> None:
        parameters = self.catalog.parameters()
        assert parameters is not None
        models = tuple(replace(model, fingerprint=fingerprint) for model in parameters.models)
        self.catalog.set_parameters(replace(parameters, models=models))

    def add(
        self,
        embeddings: dict[str, NDArray[np.float32]] | None = None,
        hash64: U8 | None = None,
        hash256: U8 | None = None,
        texture: float = 0.5,
        count: int = 0,
    ) -> list[int]:
        """Commit images, one for each row of what is given; their ids. Hashes are random unless
        given."""
        embeddings = embeddings or {}
        given = [*embeddings.values(), *(h for h in (hash64, hash256) if h is not None)]
        n = len(given[0]) if given else count
        random = np.random.default_rng(self._serial + 1)
        if hash64 is None:
            hash64 = random.integers(0, 256, (n, 8), dtype=np.uint8)
        if hash256 is None:
            hash256 = random.integers(0, 256, (n, 32), dtype=np.uint8)
        batch = CatalogBatch([], [], [], [])
        digests = []
        for row in range(n):
            self._serial += 1
            digest = hashlib.sha256(b"%d" % self._serial).digest()
            record = ImageRecord(
                digest=digest,
                byte_size=1,
                format="JPEG",
                width=640,
                height=480,
                orientation=1,
                hash64=hash64[row].tobytes(),
                hash256=hash256[row].tobytes(),
                texture=texture,
                colour_histogram=np.zeros(64, np.uint8),
                colour_layout=np.zeros((4, 4, 3), np.uint8),
            )
            vectors = {name: rows[row].astype(np.float16) for name, rows in embeddings.items()}
            batch.images.append(ImageFeatures(record, b"preview", vectors))
            blob = Blob(f"/photos/{self._serial:07d}.jpg", 1, "etag", 0.0)
            batch.indexed.append(IndexedBlob(blob, "/photos", digest))
            digests.append(digest)
        ids = self.catalog.commit(batch)
        return [ids[digest] for digest in digests]

    def remove(self, image_ids: list[int]) -> None:
        uris = [blob.uri for i in image_ids for blob in self.catalog.blobs_of(i)]
        self.catalog.commit(CatalogBatch([], [], [], uris))

    def vectors(self, image_ids: list[int], model: str = MODEL) -> F32:
        stored: F16 = self.catalog.embeddings_of(model, image_ids)
        return stored.astype(np.float32)


def unit(vectors: NDArray[np.floating]) -> F32:
    """Rows scaled to length one."""
    scaled: F32 = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def clustered(n: int, dimension: int, seed: int) -> F32:
    """Unit vectors in clusters of about 20, as photographs of like scenes are."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(n // 20, 1), dimension))
    return unit(centres[random.integers(len(centres), size=n)] + random.normal(size=(n, dimension)))


def near(vectors: F32, noise: float, seed: int) -> F32:
    """Copies of unit vectors, at a cosine of about 1 / √(1 + noise²)."""
    random = np.random.default_rng(seed)
    step = random.normal(size=vectors.shape) / np.sqrt(vectors.shape[1])
    return unit(vectors + noise * step)


def flipped_bits(hashes: U8, count: int, seed: int) -> U8:
    """The hashes, each with `count` bits changed."""
    random = np.random.default_rng(seed)
    bits = np.unpackbits(hashes, axis=1)
    for row in bits:
        row[random.choice(bits.shape[1], count, replace=False)] ^= 1
    return np.packbits(bits, axis=1)
