"""Made-up images: the catalog does not care what the pixels were."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from storage.records import ImageFeatures, ImageRecord, Metadata, Quality


def image_of(seed: int) -> ImageFeatures:
    """Features that depend on a seed only."""
    rng = np.random.default_rng(seed)
    record = ImageRecord(
        digest=sha256(b"%d" % seed).digest(),
        byte_size=1000 + seed,
        format="JPEG",
        width=640,
        height=480,
        orientation=1,
        hash64=rng.bytes(8),
        hash256=rng.bytes(32),
        texture=float(rng.random(dtype=np.float32)),
        colour_histogram=rng.integers(0, 256, 64, dtype=np.uint8),
        colour_layout=rng.integers(0, 256, (4, 4, 3), dtype=np.uint8),
        quality=Quality(
            sharpness=float(rng.random(dtype=np.float32)),
            jpeg_quality=80,
            chroma_subsampling="4:2:0",
        ),
        metadata=Metadata(camera="Pinhole", has_exif=True),
    )
    return ImageFeatures(
        record=record,
        preview=b"\xff\xd8\xff" + rng.bytes(5000),
        embeddings={
            "net": rng.standard_normal(16).astype(np.float16),
            "other/net": rng.standard_normal(8).astype(np.float16),
        },
    )
