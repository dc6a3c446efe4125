"""Bytes to upright 8-bit sRGB pixels, bounded in memory, by what the bytes are.

The name of a file is never looked at. Limits are checked against the header, before a pixel is
decoded. Pictures much larger than the descriptors need are shrunk by a power of two: JPEGs while
decoding (DCT scaling), others by averaging blocks, which is nearly the same filter.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from indexer import raw, tiff_fallback
from indexer.errors import UndecodableImage
from indexer.jpeg_coding import JpegCoding, bare_jpeg, is_decoded_whole, read_jpeg_coding
from indexer.metadata import read_metadata
from indexer.orientation import apply_orientation, read_orientation
from indexer.pixel_modes import kept_profile, to_rgb
from indexer.signatures import claimed_format
from storage.records import Limit, LimitKind, Metadata

U8 = NDArray[np.uint8]

# Of all formats, for Pillow otherwise registers plugins when first needed, and not for a list.
Image.init()
pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
# Images are decoded by as many processes as there are cores; threads within would fight.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
# Pillow's check knows neither DCT scaling nor our limits, and warns before it refuses.
Image.MAX_IMAGE_PIXELS = None

# JPEG includes multi-picture files. Pillow's others run programs (EPS), accept nearly anything
# (TGA) or are no pictures.
_FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
    "HEIF",
    "AVIF",
    "JPEG2000",
    "PPM",
    "QOI",
)
_IN_WORDS = {"WEBP": "WebP", "HEIF": "HEIC", "JPEG2000": "JPEG 2000"}
_DCT_SCALES = 8
# A panorama is not shrunk to a line.
_SHORTER_SIDE = 64


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one image may cost.

    Attributes:
        max_pixels: pixels that decoding may hold in memory, at 4 to 8 bytes each: those of the
            scaled size for a baseline JPEG, of the full size for everything else.
        max_bytes: size of the file.
        max_memory: bytes that decoding and describing it may take.
        max_frames: frames or pages that are counted; only the first one is ever decoded.
        scaled_longer_side: a larger picture is shrunk by powers of two while its longer side stays
            at least this many pixels.
    """

    max_pixels: int = 200_000_000
    max_bytes: int = 512 * 2**20
    max_memory: int = 4 * 2**30
    max_frames: int = 10_000
    scaled_longer_side: int = 640

    def by_kind(self, seconds: float) -> dict[LimitKind, float]:
        """Those that an image can be over, with the seconds that it may take."""
        return {
            LimitKind.PIXELS: self.max_pixels,
            LimitKind.BYTES: self.max_bytes,
            LimitKind.MEMORY: self.max_memory,
            LimitKind.SECONDS: seconds,
        }


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """The pixels of one image and what its header says.

    Attributes:
        rgb: uint8 (h, w, 3), sRGB, upright, contiguous.
        full_width, full_height: pixels of the full picture, upright.
        scale: width of `rgb` over `full_width`, 1.0 or a power of two below it.
        format: Pillow's name of the format; "JPEG" also for a multi-picture JPEG, and "RAW" for
            what shows the preview of a RAW file; sizes are those of the preview then.
        orientation: the EXIF orientation that was applied, 1..8.
        jpeg: compression of a JPEG, None for other formats.
        metadata: what the headers say.
        same_jpeg: a JPEG that decodes to `rgb` as it is: the file, without its metadata. None where
            it is scaled, turned or has a colour profile, and for what `bare_jpeg` gives none of.
        profile: the ICC profile by which the colours were brought to sRGB, where that can be
            undone.
    """

    rgb: U8
    full_width: int
    full_height: int
    scale: float
    format: str
    orientation: int
    jpeg: JpegCoding | None
    metadata: Metadata
    same_jpeg: bytes | None = None
    profile: bytes = b""


def decode(content: bytes, limits: DecodeLimits) -> DecodedImage:
    """Decodes the first frame of an image.

    Raises:
        UndecodableImage: empty, no image, over a limit, truncated or damaged.
    """
    if not content:
        raise UndecodableImage("The file is empty.")
    if len(content) > limits.max_bytes:
        raise UndecodableImage(
            f"The file has {len(content) / 2**20:.0f} MiB; the limit is "
            f"{limits.max_bytes / 2**20:.0f} MiB.",
            Limit(LimitKind.BYTES, limits.max_bytes),
        )
    name = claimed_format(content) or "image"
    try:
        # Pillow warns of odd tags by the thousand; what matters of them is raised or harmless.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if raw.is_raw(content):
                name = raw.FORMAT
                return _decode_raw(content, limits)
            try:
                image = Image.open(io.BytesIO(content), formats=_FORMATS)
            except UnidentifiedImageError:
                return _decode_unknown(content, limits)
            with image:
                name = _format_of(image)
                return _decode_opened(image, content, limits)
    except UndecodableImage:
        raise
    except Exception as error:
        # Decoders of hostile bytes raise OSError, SyntaxError, ValueError, struct.error,
        # zlib.error, IndexError, KeyError, MemoryError, OverflowError and more. Whatever it was,
        # this content yields no picture, and the run goes on.
        limit = None
        if isinstance(error, MemoryError):
            limit = Limit(LimitKind.MEMORY, limits.max_memory)
        raise UndecodableImage(_reason(error, _IN_WORDS.get(name, name)), limit) from error


def _decode_opened(image: Image.Image, content: bytes, limits: DecodeLimits) -> DecodedImage:
    name = _format_of(image)
    width, height = image.size
    factor = _shrink_factor(width, height, limits.scaled_longer_side)
    is_scalable = name == "JPEG" and not is_decoded_whole(content)
    _check_pixels(width, height, min(factor, _DCT_SCALES) if is_scalable else 1, limits)
    metadata = read_metadata(image, content, limits.max_frames)
    orientation, is_upright = read_orientation(image)
    jpeg = read_jpeg_coding(image)
    if name == "JPEG" and factor > 1:
        dct = min(factor, _DCT_SCALES)
        # draft() takes the largest scale whose result is at least the size asked for.
        image.draft(None, (max(1, width // dct), max(1, height // dct)))
    remaining = max(1, factor // round(width / image.width))
    image.load()
    if name != "JPEG":
        width, height = image.size
    rgb = to_rgb(image, remaining)
    is_as_coded = (
        is_scalable
        and image.format == "JPEG"
        and image.mode in ("RGB", "L")
        and (factor, orientation) == (1, 1)
        and not image.info.get("icc_profile")
    )
    if not is_upright:
        rgb = apply_orientation(rgb, orientation)
        if orientation >= 5:
            width, height = height, width
    return DecodedImage(
        rgb=rgb,
        full_width=width,
        full_height=height,
        scale=1.0 / factor,
        format=name,
        orientation=orientation,
        jpeg=jpeg,
        metadata=metadata,
        same_jpeg=bare_jpeg(content) if is_as_coded else None,
        profile=kept_profile(image),
    )


def _decode_raw(content: bytes, limits: DecodeLimits) -> DecodedImage:
    """The preview of a RAW file, within the same limits."""
    preview = raw.embedded_preview(content)
    with Image.open(io.BytesIO(preview), formats=("JPEG", "PNG")) as image:
        # Its compression tells nothing of what the sensor recorded.
        return replace(_decode_opened(image, preview, limits), format=raw.FORMAT, jpeg=None)


def _decode_unknown(content: bytes, limits: DecodeLimits) -> DecodedImage:
    """TIFFs with pixels Pillow has no mode for; anything else is no image."""
    size = tiff_fallback.read_size(content)
    if size is None:
        claimed = claimed_format(content)
        if claimed:
            raise UndecodableImage(f"The {claimed} is damaged or truncated: nothing can be read.")
        raise UndecodableImage(
            "Not an image: no JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF, JPEG 2000, PNM, QOI or "
            "RAW."
        )
    _check_pixels(*size, 1, limits)
    image = tiff_fallback.decode(content)
    factor = _shrink_factor(image.width, image.height, limits.scaled_longer_side)
    return DecodedImage(
        rgb=to_rgb(image, factor),
        full_width=image.width,
        full_height=image.height,
        scale=1.0 / factor,
        format="TIFF",
        orientation=1,
        jpeg=None,
        metadata=Metadata(
            has_alpha=image.mode == "RGBA", bits_per_channel=tiff_fallback.read_bits(content)
        ),
    )


def _format_of(image: Image.Image) -> str:
    return "JPEG" if image.format == "MPO" else (image.format or "image")


def _shrink_factor(width: int, height: int, longer_side: int) -> int:
    factor = 1
    while (
        max(width, height) // (factor * 2) >= longer_side
        and min(width, height) // (factor * 2) >= _SHORTER_SIDE
    ):
        factor *= 2
    return factor


def _check_pixels(width: int, height: int, dct: int, limits: DecodeLimits) -> None:
    if width < 1 or height < 1:
        raise UndecodableImage(f"The picture is {width}×{height} pixels: there is nothing in it.")
    pixels = -(-width // dct) * -(-height // dct)
    if pixels > limits.max_pixels:
        scaled = f", {pixels / 1e6:.0f} scaled down" if dct > 1 else ""
        raise UndecodableImage(
            f"The picture has {width}×{height} pixels ({width * height / 1e6:.0f} megapixels"
            f"{scaled}); the limit is {limits.max_pixels / 1e6:.0f} megapixels.",
            Limit(LimitKind.PIXELS, limits.max_pixels),
        )


def _reason(error: Exception, name: str) -> str:
    if isinstance(error, MemoryError):
        return f"There is not enough memory to decode this {name}."
    detail = " ".join(str(error).split())[:160] or type(error).__name__
    lowered = detail.lower()
    if isinstance(error, EOFError) or any(
        sign in lowered for sign in ("truncated", "end of file", "not enough", "unexpected eof")
    ):
        return f"The {name} is truncated: its end is missing."
    return f"The {name} is damaged, truncated or of an unknown kind ({detail})."
