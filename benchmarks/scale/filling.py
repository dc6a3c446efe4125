"""Puts a made-up collection into a catalog, as the pass would."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.scale.world import Kind, World
from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.index_directory import IndexDirectory
from storage.parameters import SCHEMA_VERSION, IndexParameters, ModelParameters
from storage.records import F16, U8, ImageFeatures, ImageRecord, Quality

MODEL = "efficientnet_lite0"
_SOURCE = "az://account/photographs"
_BATCH = 1024
_MODIFIED = 1_600_000_000.0
# Spreads the numbers over folders as names in a container are spread over the pass.
_STEP = 7_919


def digest_of(number: int) -> bytes:
    """The SHA-256 of the made-up content of image `number`."""
    return hashlib.sha256(b"%d" % number).digest()


def fill(
    world: World,
    path: Path,
    start: int = 0,
    stop: int | None = None,
    model: ModelParameters | None = None,
    previews: Sequence[bytes] = (b"",),
) -> None:
    """Commit the images `start` to `stop` of the world to the index at `path`.

    Args:
        model: what the vectors are said to be of; None for one that does not exist.
        previews: of the images, in turn.
    """
    stop = world.size if stop is None else stop
    directory = IndexDirectory.create(path)
    with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
        model = model or ModelParameters(MODEL, world.dimension, "made up", "made up", 224)
        catalog.set_parameters(IndexParameters(SCHEMA_VERSION, "1", 640, (model,)))
        for (first, vectors), (_, small, large) in zip(
            world.vectors(), world.hashes(), strict=True
        ):
            for begin in range(first, first + len(vectors), _BATCH):
                numbers = range(max(begin, start), min(begin + _BATCH, first + len(vectors), stop))
                if numbers:
                    rows = slice(numbers.start - first, numbers.stop - first)
                    batch = _batch(
                        world, numbers, vectors[rows], small[rows], large[rows], previews
                    )
                    catalog.commit(batch)


def _batch(
    world: World,
    numbers: range,
    vectors: F16,
    small: U8,
    large: U8,
    previews: Sequence[bytes],
) -> CatalogBatch:
    draw = np.random.default_rng([world.seed, numbers.start])
    measures = draw.uniform(0.1, 20.0, (len(numbers), 5)).tolist()
    histograms = draw.integers(0, 255, (len(numbers), 64), np.uint8)
    layouts = draw.integers(0, 255, (len(numbers), 4, 4, 3), np.uint8)
    batch = CatalogBatch()
    for row, number in enumerate(numbers):
        digest = digest_of(number)
        kind = world.kind[number]
        width = 4000 if kind in (Kind.SINGLE, Kind.ORIGINAL) else 1000 + number % 2000
        sharpness, noise, blockiness, entropy, colour = measures[row]
        record = ImageRecord(
            digest=digest,
            byte_size=2_000_000 + number % 1_000_000,
            format="JPEG",
            width=width,
            height=width * 3 // 4,
            orientation=1,
            hash64=small[row].tobytes(),
            hash256=large[row].tobytes(),
            texture=0.0 if kind == Kind.BLANK else 0.75,
            colour_histogram=histograms[row],
            colour_layout=layouts[row],
            quality=Quality(
                sharpness=sharpness,
                noise=noise,
                blockiness=blockiness,
                bandwidth=0.9,
                jpeg_quality=90,
                jpeg_quantiser=noise,
                chroma_subsampling="4:2:0",
                clipped=blockiness / 100,
                histogram_gaps=0.0,
                entropy=entropy,
                colourfulness=colour,
            ),
        )
        batch.images.append(
            ImageFeatures(record, previews[number % len(previews)], {MODEL: vectors[row]})
        )
        folder = number * _STEP % 1000
        name = f"{_SOURCE}/{2000 + folder % 25}/{folder:03d}/IMG_{number:08d}.jpg"
        blob = Blob(name, record.byte_size, f"0x8D{number:012X}", _MODIFIED + number)
        batch.indexed.append(IndexedBlob(blob, _SOURCE, digest))
    return batch
