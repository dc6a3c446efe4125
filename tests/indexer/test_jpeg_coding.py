"""A JPEG without all but its pixels."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from indexer.decode import DecodeLimits, decode
from indexer.jpeg_coding import bare_jpeg, is_decoded_whole

START_OF_FRAME = b"\xff\xc0"


@pytest.fixture(scope="module")
def plain(photo, encode) -> bytes:
    return encode(photo, "JPEG", quality=80)


def with_segment(content: bytes, marker: int, body: bytes) -> bytes:
    """The file with one more segment after the first."""
    end = 4 + struct.unpack(">H", content[4:6])[0]
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    return content[:end] + segment + content[end:]


def with_thumbnail(content: bytes) -> bytes:
    """The file with a thumbnail of 2×2 pixels in its JFIF header."""
    end = 4 + struct.unpack(">H", content[4:6])[0]
    header = content[6 : end - 2] + b"\x02\x02" + b"a thumbnail!"
    return content[:4] + struct.pack(">H", len(header) + 2) + header + content[end:]


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xEE, 0xEF, 0xFE])
def test_segments_that_say_nothing_of_the_pixels_are_left_out(plain, marker):
    assert bare_jpeg(plain) == plain
    assert bare_jpeg(with_segment(plain, marker, b"a secret")) == plain


def test_nothing_is_kept_of_a_thumbnail_or_of_what_follows_the_picture(plain):
    assert bare_jpeg(plain + b"\xff\xd8 another picture \xff\xd9") == plain
    bare = bare_jpeg(with_thumbnail(plain))
    assert bare is not None
    assert b"thumbnail" not in bare
    np.testing.assert_array_equal(
        decode(bare, DecodeLimits()).rgb, decode(plain, DecodeLimits()).rgb
    )


@pytest.mark.parametrize("frame", [0xC2, 0xC3, 0xC9, 0xCA, 0xCB])
def test_what_other_programs_may_not_decode_is_not_kept(plain, frame):
    assert bare_jpeg(plain.replace(START_OF_FRAME, bytes([0xFF, frame]), 1)) is None


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_what_is_cut_off_is_not_kept(plain, part):
    assert bare_jpeg(plain[: int(part * len(plain))]) is None


def test_markers_that_are_none_hide_no_other_picture(plain):
    """A decoder skips FF 00, while its length would lead past the segments that it reads next."""
    other = plain[:2] + b"\xff\x00\x00\x20" + plain[2:]
    assert bare_jpeg(other) is None
    assert is_decoded_whole(other)


def test_damage_within_the_scan_is_not_kept(plain):
    middle = len(plain) * 3 // 4
    assert bare_jpeg(plain[:middle] + b"\xff\xd3" + plain[middle:]) is None
