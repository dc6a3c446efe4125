"""One decode, every descriptor: the work of the pass on one image, without its embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.colour import colour_histogram, colour_layout, colour_square
from indexer.decode import DecodeLimits, decode
from indexer.preview import preview_jpeg, preview_pixels
from indexer.quality import measure_quality, texture
from indexer.resize import luminance as luminance_of
from indexer.resize import squash
from indexer.wavelet import GREY_SIDE, wavelet_hash
from storage.records import ImageRecord

U8 = NDArray[np.uint8]

# Changes whenever the same bytes would give another record or preview: an index made with another
# version must not be added to.
DESCRIPTOR_VERSION = "3"


@dataclass(frozen=True)
class ExtractOptions:
    """What to extract.

    Attributes:
        limits: what one image may cost.
        preview_size: longer side of the preview, pixels; at most `limits.scaled_longer_side`, or
            large pictures get smaller previews than asked for.
        network_inputs: sides of the squares that the networks want, pixels.
    """

    limits: DecodeLimits = field(default_factory=DecodeLimits)
    preview_size: int = 640
    network_inputs: tuple[int, ...] = (224,)


@dataclass(frozen=True)
class ExtractedImage:
    """All of an image but its embeddings.

    Attributes:
        record: the descriptors.
        preview: a JPEG, upright, its longer side at most the preview size.
        network_inputs: side to uint8 (side, side, 3) RGB, the whole picture squashed.
    """

    record: ImageRecord
    preview: bytes
    network_inputs: dict[int, U8]


def extract(content: bytes, digest: bytes, options: ExtractOptions) -> ExtractedImage:
    """Decodes an image once and describes it.

    Args:
        content: the bytes of the file.
        digest: SHA-256 of them.

    Raises:
        UndecodableImage: the content is no picture that can or may be decoded.
    """
    image = decode(content, options.limits)
    preview = preview_pixels(image.rgb, options.preview_size)
    luminance = luminance_of(image.rgb)
    quality = measure_quality(image.rgb, image.scale, image.jpeg, luminance)
    noise_level: float | None = quality.noise
    if preview is not image.rgb:
        luminance, noise_level = luminance_of(preview), None
    # From the preview, like all that needs few pixels: it is up to four times smaller.
    grey = squash(luminance, GREY_SIDE)
    colours = colour_square(preview)
    record = ImageRecord(
        digest=digest,
        byte_size=len(content),
        format=image.format,
        width=image.full_width,
        height=image.full_height,
        orientation=image.orientation,
        hash64=wavelet_hash(grey, 8),
        hash256=wavelet_hash(grey, 16),
        texture=texture(luminance, noise_level),
        colour_histogram=colour_histogram(colours),
        colour_layout=colour_layout(colours),
        quality=quality,
        metadata=image.metadata,
    )
    return ExtractedImage(
        record=record,
        preview=preview_jpeg(
            preview, image.same_jpeg if preview is image.rgb else None, image.profile
        ),
        network_inputs={
            side: squash(preview if min(preview.shape[:2]) >= side else image.rgb, side)
            for side in options.network_inputs
        },
    )
