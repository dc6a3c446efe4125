"""Small files that would be huge pictures, or millions of them."""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile.variants import encode
from indexer.decode import DecodeLimits, decode
from indexer.errors import UndecodableImage
from storage.records import Limit, LimitKind

SIDE = 16_000
SMALL = Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8))


def png() -> bytes:
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(10_000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def jpeg() -> bytes:
    content = encode(SMALL, "JPEG", progressive=True)
    at = content.index(b"\xff\xc2") + 5
    return content[:at] + struct.pack(">HH", SIDE, SIDE) + content[at + 4 :]


def tiff() -> bytes:
    content = bytearray(encode(SMALL, "TIFF", compression="tiff_lzw"))
    at = int.from_bytes(content[4:8], "little")
    for place in range(at + 2, at + 2 + 12 * content[at], 12):
        if content[place : place + 2] in (b"\x00\x01", b"\x01\x01"):  # width, length
            content[place + 8 : place + 12] = SIDE.to_bytes(4, "little")
            content[place + 2 : place + 4] = b"\x04\0"
    return bytes(content)


def webp() -> bytes:
    content = bytearray(encode(SMALL, "WEBP", lossless=True))
    at = content.index(b"VP8L") + 9
    flags = int.from_bytes(content[at : at + 4], "little") >> 28
    sizes = SIDE - 1 | SIDE - 1 << 14 | flags << 28
    content[at : at + 4] = sizes.to_bytes(4, "little")
    return bytes(content)


def gif() -> bytes:
    content = bytearray(encode(SMALL, "GIF"))
    content[6:10] = struct.pack("<HH", SIDE, SIDE)
    return bytes(content)


def bmp() -> bytes:
    content = bytearray(encode(SMALL, "BMP"))
    content[18:26] = struct.pack("<ii", SIDE, SIDE)
    return bytes(content)


def boxed(file_format: str) -> Callable[[], bytes]:
    """HEIC and AVIF say their size in a box."""

    def make() -> bytes:
        picture = SMALL.resize((64, 64))
        content = bytearray(encode(picture, file_format))
        at = content.index(b"ispe") + 8
        content[at : at + 8] = struct.pack(">II", SIDE, SIDE)
        return bytes(content)

    return make


def jpeg2000() -> bytes:
    content = bytearray(encode(SMALL, "JPEG2000"))
    at = content.index(b"ihdr") + 4
    content[at : at + 8] = struct.pack(">II", SIDE, SIDE)
    return bytes(content)


def ppm() -> bytes:
    return b"P6 %d %d 255\n" % (SIDE, SIDE) + bytes(100)


def qoi() -> bytes:
    content = bytearray(encode(SMALL, "QOI"))
    content[4:12] = struct.pack(">II", SIDE, SIDE)
    return bytes(content)


BOMBS = {
    "PNG": png,
    "JPEG": jpeg,
    "TIFF": tiff,
    "WebP": webp,
    "GIF": gif,
    "BMP": bmp,
    "HEIC": boxed("HEIF"),
    "AVIF": boxed("AVIF"),
    "JPEG 2000": jpeg2000,
    "PPM": ppm,
    "QOI": qoi,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_of_any_format_is_refused_by_its_header(name):
    content = BOMBS[name]()
    assert len(content) < 20_000
    started = time.monotonic()
    with pytest.raises(UndecodableImage, match=r"256 megapixels.*limit is 200") as caught:
        decode(content, DecodeLimits())
    assert time.monotonic() - started < 2
    assert caught.value.limit == Limit(LimitKind.PIXELS, 200_000_000)


def text_bomb(chunk: bytes, data: bytes) -> bytes:
    """A small PNG with a chunk that grows to 64 MiB."""
    content = encode(SMALL, "PNG")
    body = chunk + data + zlib.compress(bytes(1 << 26), 9)
    block = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content[:33] + block + content[33:]


@pytest.mark.parametrize(
    ("chunk", "data"), [(b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")]
)
def test_compressed_texts_and_profiles_are_not_blown_up(chunk, data):
    content = text_bomb(chunk, data)
    assert len(content) < 200_000
    try:
        assert decode(content, DecodeLimits()).rgb.shape == (8, 8, 3)
    except UndecodableImage as error:
        assert "too large" in error.reason


def many_frames(count: int) -> bytes:
    """A GIF of frames of one pixel, 17 bytes each."""
    first = encode(SMALL, "GIF").rstrip(b";")
    frame = b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0" + b"\x02\x02\x44\x01\0"
    return first + frame * count + b";"


def test_a_million_frames_are_not_counted_one_by_one():
    content = many_frames(1_000_000)
    started = time.monotonic()
    image = decode(content, DecodeLimits())
    assert time.monotonic() - started < 2
    assert image.metadata.frames == DecodeLimits().max_frames
    assert decode(many_frames(30), DecodeLimits()).metadata.frames == 31


def many_pages(count: int) -> bytes:
    """A TIFF whose directories all describe one strip of one pixel."""
    tags = ((256, 3, 1), (257, 3, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8),
            (277, 3, 1), (278, 3, 1), (279, 4, 1))  # fmt: skip
    size = 2 + 12 * len(tags) + 4
    body = b"II*\0" + struct.pack("<I", 10) + b"\x80\0"
    for number in range(count):
        body += struct.pack("<H", len(tags))
        body += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        body += struct.pack("<I", 10 + size * (number + 1) if number + 1 < count else 0)
    return body


def test_pages_without_end_are_counted_to_the_limit():
    assert decode(many_pages(7), DecodeLimits()).metadata.frames == 7
    assert decode(many_pages(400), DecodeLimits(max_frames=100)).metadata.frames == 100


def test_pages_before_damage_count():
    content = bytearray(many_pages(5))
    fourth = 10 + 3 * (2 + 12 * 9 + 4)
    content[fourth : fourth + 2] = b"\xff\xff"
    content[fourth + 2 : fourth + 100] = b"\xff" * 98
    assert decode(bytes(content), DecodeLimits()).metadata.frames >= 3


def test_a_tiff_whose_pages_go_in_a_circle_ends():
    content = many_pages(3)
    in_a_circle = content[:-4] + struct.pack("<I", 10)
    assert decode(in_a_circle, DecodeLimits()).metadata.frames <= DecodeLimits().max_frames


@pytest.mark.parametrize("file_format", ["GIF", "TIFF"])
def test_frames_are_counted_as_pillow_counts_them(file_format):
    frames = [Image.new("P", (8, 8), n) for n in range(5)]
    content = encode(SMALL.quantize(8), file_format, save_all=True, append_images=frames)
    with Image.open(io.BytesIO(content)) as opened:
        assert decode(content, DecodeLimits()).metadata.frames == opened.n_frames
