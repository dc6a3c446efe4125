"""RAW files are known by what is in them and shown by the preview that the camera put there."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile.raws import make_dng
from indexer import raw
from indexer.decode import DecodeLimits, decode
from indexer.errors import UndecodableImage
from storage.blob import looks_like_image
from tests.indexer import decoders
from tests.indexer.passes import ColourEmbedder, run_pass

LIMITS = DecodeLimits()
needs_rawpy = pytest.mark.skipif(
    not raw.can_read_raw(), reason="rawpy is not installed here; it is in requirements.lock"
)


def reason_of(content: bytes, limits: DecodeLimits = LIMITS) -> str:
    with pytest.raises(UndecodableImage) as caught:
        decode(content, limits)
    return caught.value.reason


@needs_rawpy
def test_a_raw_file_shows_its_preview(photo):
    image = decode(make_dng(photo), LIMITS)
    assert (image.format, image.full_width, image.full_height) == ("RAW", 451, 300)
    assert image.jpeg is None
    assert np.abs(image.rgb.astype(int) - np.asarray(photo)).mean() < 3


@needs_rawpy
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_raw_file_is_turned_as_the_camera_was_held(photo, orientation):
    turned = decode(make_dng(photo, orientation=orientation), LIMITS)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.save(buffer, "JPEG", quality=92, exif=exif)
    jpeg = decode(buffer.getvalue(), LIMITS)
    assert turned.rgb.shape == jpeg.rgb.shape
    assert np.abs(turned.rgb.astype(int) - jpeg.rgb).mean() < 1


@needs_rawpy
def test_the_preview_is_within_the_same_limits_as_any_picture(photo):
    reason = reason_of(make_dng(photo), DecodeLimits(max_pixels=100_000))
    assert "451×300" in reason
    assert "the limit is" in reason


@needs_rawpy
def test_a_raw_file_without_a_preview_says_so():
    assert "no preview" in reason_of(make_dng(None))


@needs_rawpy
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_a_raw_file_cut_short_is_unreadable_with_a_reason(photo, share):
    content = make_dng(photo)
    assert "RAW" in reason_of(content[: int(len(content) * share)])


def test_without_rawpy_the_reason_names_what_to_install(photo, monkeypatch):
    monkeypatch.setattr(raw, "can_read_raw", lambda: False)
    assert "dedup[raw]" in reason_of(make_dng(photo))


@needs_rawpy
def test_raw_files_that_could_not_be_read_are_read_when_they_can_be(photo, tmp_path, monkeypatch):
    folder, index_path = tmp_path / "shots", tmp_path / "index"
    folder.mkdir()
    (folder / "a.dng").write_bytes(make_dng(photo))
    run_pass(folder, index_path, [ColourEmbedder()])
    (folder / "b.dng").write_bytes(make_dng(photo, seed=2))
    with monkeypatch.context() as without:
        without.setattr("indexer.index_pass.can_read_raw", lambda: False)
        first = run_pass(folder, index_path, [ColourEmbedder()], extract=decoders.without_rawpy)
        assert (first.new_images, first.unreadable) == (0, 1)
        again = run_pass(folder, index_path, [ColourEmbedder()], extract=decoders.without_rawpy)
        assert again.contents_read == 0
    found = run_pass(folder, index_path, [ColourEmbedder()])
    assert (found.new_images, found.unreadable, found.contents_read) == (1, 0, 1)


@pytest.mark.parametrize(
    "start",
    [
        b"FUJIFILMCCD-RAW 0201",
        b"II\x1a\0\0\0HEAPCCDR\x02\0",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"II*\0\x10\0\0\0CR\x02\0",
        b"\0\0\0\x18ftypcrx \0\0\0\x01",
        b"FOVb\0\0\x02\0",
    ],
)
def test_raw_files_are_known_by_how_they_begin(start):
    assert raw.is_raw(start + bytes(100))


@pytest.mark.parametrize("file_format", ["TIFF", "JPEG", "PNG", "HEIF"])
def test_pictures_are_no_raw_files(photo, encode, file_format):
    assert not raw.is_raw(encode(photo, file_format))


def test_directories_that_lead_to_each_other_or_nowhere_are_no_raw_file(photo):
    content = bytearray(make_dng(photo))
    for at in range(8, 400):
        damaged = bytes(content[:at]) + b"\xff" * 8 + bytes(content[at + 8 :])
        raw.is_raw(damaged)
        raw.is_raw(damaged[:at])
    assert not raw.is_raw(b"II*\0\x08\0\0\0\0\0\x08\0\0\0" + bytes(10))


@pytest.mark.parametrize("name", ["a.CR2", "b.dng", "c.Nef", "d.arw", "e.RAF", "f.cr3"])
def test_raw_files_are_listed(name):
    assert looks_like_image(name)
