"""Puts a made-up collection into a catalog, as the pass would."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.scale.world import Kind, World
from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.index_directory import IndexDirectory
from storage.parameters import SCHEMA_VERSION, IndexParameters, ModelParameters
from storage.records import F16, U8, ImageFeatures, ImageRecord, Metadata, Quality

MODEL = "efficientnet_lite0"
_SOURCE = "az://account/photographs"
_BATCH = 1024
_MODIFIED = 1_600_000_000.0
# The pass reads the names of a listing in their order, shuffled in a window of so many
# (`indexer.finding`). Folders of a thousand.
_WINDOW = 4096
_PER_FOLDER = 1000
# Of 2,400 photographs from the web a histogram had 23 of its 64 bins filled, and next to none had
# metadata; here one in four has that of a camera.
_FILLED_BINS = 23 / 64
_CAMERA = Metadata(taken_at="2019:07:14 12:33:05", camera="Canon EOS 5D Mark II", has_exif=True)


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
            world.vectors(start), world.hashes(start), strict=True
        ):
            if first >= stop:
                break
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
    histograms = draw.integers(1, 256, (len(numbers), 64), np.uint8)
    histograms *= draw.random(histograms.shape) < _FILLED_BINS
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
            metadata=Metadata() if number % 4 else _CAMERA,
        )
        batch.images.append(
            ImageFeatures(record, previews[number % len(previews)], {MODEL: vectors[row]})
        )
        blob = Blob(_uri(world, number), record.byte_size, f"0x8D{number:012X}", _MODIFIED + number)
        batch.indexed.append(IndexedBlob(blob, _SOURCE, digest))
    return batch


def _uri(world: World, number: int) -> str:
    window, place = divmod(number, _WINDOW)
    at = window * _WINDOW + int(_shuffled(world.seed)[place])
    folder = at // _PER_FOLDER
    return f"{_SOURCE}/{folder // 100:03d}/{folder % 100:02d}/IMG_{at:08d}.jpg"


@cache
def _shuffled(seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 5]).permutation(_WINDOW)
