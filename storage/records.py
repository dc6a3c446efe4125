"""The record: all that one pass over an image yields. Layouts are in `storage.codec`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F16 = NDArray[np.float16]
F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Quality:
    """What one pass can tell of how good an image is. All are 0 when they could not be measured.

    Attributes:
        sharpness: variance of the Laplacian of luminance (8-bit grey levels squared).
        noise: standard deviation of the noise, in 8-bit grey levels (Immerkaer 1996).
        blockiness: how much stronger luminance steps are on the 8-pixel JPEG grid than between,
            as a ratio minus one; 0 means no grid.
        bandwidth: the share of the Nyquist frequency up to which there is signal, 0..1. An image
            enlarged twofold has about 0.5.
        jpeg_quality: the libjpeg quality (1..100) whose tables come nearest; 0 when not a JPEG.
        jpeg_quantiser: mean of the luminance quantisation table; 0 when not a JPEG.
        chroma_subsampling: "4:4:4", "4:2:0" …; "" when not a JPEG.
        clipped: share of pixels with a channel at 0 or 255.
        histogram_gaps: share of empty grey levels inside the used range: stretched contrast
            leaves gaps.
        entropy: of luminance, bits per pixel.
        colourfulness: Hasler & Süsstrunk 2003; 0 for grey.
        measured_scale: the scale of the decode the pixel measures were taken on, relative to the
            full size (1.0 when DCT scaling was not used).
    """

    sharpness: float = 0.0
    noise: float = 0.0
    blockiness: float = 0.0
    bandwidth: float = 0.0
    jpeg_quality: int = 0
    jpeg_quantiser: float = 0.0
    chroma_subsampling: str = ""
    clipped: float = 0.0
    histogram_gaps: float = 0.0
    entropy: float = 0.0
    colourfulness: float = 0.0
    measured_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the file says of itself. Empty strings and False where it says nothing."""

    taken_at: str = ""
    camera: str = ""
    software: str = ""
    has_exif: bool = False
    has_gps: bool = False
    has_icc: bool = False
    has_alpha: bool = False
    bits_per_channel: int = 8
    frames: int = 1


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One content, however many blobs hold it.

    Attributes:
        digest: SHA-256 of the bytes of the file, 32 bytes.
        byte_size: size of the file.
        format: Pillow's name of the format found in the bytes ("JPEG", "PNG", "HEIF" …), or "RAW".
        width, height: pixels of the full image, after EXIF orientation; of a RAW file, of the
            preview in it.
        orientation: the EXIF orientation that was applied, 1..8.
        hash64, hash256: wavelet hashes, 8 and 32 bytes, bits packed most significant first.
        texture: share of 16×16 tiles of the preview with more than noise in them, 0..1.
        colour_histogram: uint8, (64,): joint 4×4×4 RGB histogram, square root of the share × 255.
        colour_layout: uint8, (4, 4, 3): mean Lab (OpenCV 8-bit scaling) of a 4×4 grid.
    """

    digest: bytes
    byte_size: int
    format: str
    width: int
    height: int
    orientation: int
    hash64: bytes
    hash256: bytes
    texture: float
    colour_histogram: U8
    colour_layout: U8
    quality: Quality = field(default_factory=Quality)
    metadata: Metadata = field(default_factory=Metadata)


@dataclass(frozen=True, slots=True)
class ImageOutline:
    """The little of a record that is asked of every image that may have a copy.

    Attributes:
        digest, format, width, height: as of `ImageRecord`. bandwidth: as of `Quality`.
    """

    digest: bytes
    format: str
    width: int
    height: int
    bandwidth: float


class LimitKind(StrEnum):
    """What may be too much of."""

    PIXELS = "pixels"
    BYTES = "bytes"
    MEMORY = "memory"
    """Bytes of it, while decoding."""
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that an image is over, and what it was."""

    kind: LimitKind
    value: float


class BlobStatus(StrEnum):
    """What indexing made of a blob. There is no third thing."""

    INDEXED = "indexed"
    UNREADABLE = "unreadable"


class Holder(StrEnum):
    """Which index lists a blob, when an index is resolved against a reference index.

    OWN: the index alone, as always when there is no other. REFERENCE: the reference index alone.
    BOTH: the two list one and the same blob.
    """

    OWN = "own"
    REFERENCE = "reference"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """A blob as the catalog knows it.

    Attributes:
        uri, size, etag, last_modified, object_id: as in `storage.blob.Blob`.
        source: the canonical URI of the source that listed it.
        status: indexed or unreadable.
        image_id: the number of its image in the catalog; 0 when unreadable.
        reason: why it is unreadable; "" otherwise.
        limit: the limit that makes it unreadable; None when it is another reason. It is read again
            as soon as that limit is higher.
        is_unread: nobody has read it: it has the size and MD5 of a blob whose content this is. To
            be read before anything is deleted for it, itself included. Never with a limit.
        holder: which index lists it; not stored. See `storage.joint_catalog`.
    """

    uri: str
    size: int
    etag: str
    last_modified: float
    object_id: str
    source: str
    status: BlobStatus
    image_id: int = 0
    reason: str = ""
    limit: Limit | None = None
    is_unread: bool = False
    holder: Holder = Holder.OWN


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """Everything to be stored for a new image.

    Attributes:
        record: the descriptors.
        preview: a JPEG of the oriented RGB image, its longer side at most the preview size.
        embeddings: model name to float16, (dimension,), L2-normalised.
    """

    record: ImageRecord
    preview: bytes
    embeddings: dict[str, F16]
