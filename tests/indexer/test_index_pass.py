"""The pass on real photographs and on what is found among them."""

from __future__ import annotations

import os
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from indexer.decode import DecodeLimits
from indexer.embedders.base import Embedder
from indexer.extract import ExtractOptions, extract
from indexer.index_pass import IndexOptions
from storage.catalog import Catalog
from storage.errors import IndexMismatch, UsageError
from storage.folder import FolderSource
from storage.index_directory import IndexDirectory
from storage.records import BlobStatus
from tests.indexer import decoders
from tests.indexer.passes import (
    ColourEmbedder,
    Listener,
    add_pictures,
    append,
    entries,
    fingerprint,
    image_count,
    picture,
    reasons,
    run_pass,
)


def test_every_image_is_stored_with_record_preview_and_embedding(
    gallery: Path, index_path: Path, lite0: Embedder
):
    report = run_pass(gallery, index_path, [lite0], batch_size=5)
    assert (report.listed, report.new_images, report.images) == (12, 12, 12)
    with Catalog.open_reader(index_path / "catalog.lmdb") as catalog:
        for entry in catalog.blobs():
            content = Path(entry.uri).read_bytes()
            digest = sha256(content).digest()
            expected = extract(content, digest, ExtractOptions(network_inputs=(224,)))
            record = catalog.record(entry.image_id)
            assert record.digest == digest
            assert record.hash256 == expected.record.hash256
            assert catalog.preview(entry.image_id) == expected.preview
            vector = lite0.embed(expected.network_inputs[224][None])[0].astype(np.float16)
            assert np.array_equal(catalog.embedding("efficientnet_lite0", entry.image_id), vector)


def test_the_report_tells_time_memory_and_traffic(gallery: Path, index_path: Path):
    report = run_pass(gallery, index_path, [ColourEmbedder()])
    assert set(report.seconds) == {"list", "read", "digest", "describe", "embed", "commit"}
    assert all(spent >= 0 for spent in report.seconds.values())
    assert report.seconds["describe"] > 0
    assert 0 < report.seconds["describe"] < report.wall_seconds
    assert report.peak_memory_bytes > 10 * 2**20
    assert report.bytes_read == sum(path.stat().st_size for path in gallery.iterdir())
    assert (report.read_requests, report.list_requests, report.retries) == (12, 1, 0)


def test_the_listener_is_told_the_end_and_the_journal_keeps_it(gallery: Path, index_path: Path):
    listener = Listener()
    report = run_pass(gallery, index_path, listener=listener)
    is_listed, counts, bytes_read = listener.told[-1]
    assert is_listed
    assert counts["listed"] == counts["new_images"] == 12
    assert bytes_read == report.bytes_read
    with Catalog.open_reader(index_path / "catalog.lmdb") as catalog:
        (run,) = catalog.runs()
        assert run.sources == (str(gallery),)
        assert run.finished_at is not None
        assert run.finished_at >= run.started_at
        assert run.counts["new_images"] == 12


def test_files_that_are_no_pictures_are_unreadable_with_a_reason(gallery: Path, index_path: Path):
    whole = (gallery / "000.jpg").read_bytes()
    (gallery / "truncated.jpg").write_bytes(whole[: len(whole) // 3])
    (gallery / "empty.png").touch()
    (gallery / "text.jpg").write_text("Dear diary")
    os.mkfifo(gallery / "pipe.png")
    (gallery / "link.jpg").symlink_to(gallery / "nowhere.jpg")
    report = run_pass(gallery, index_path)
    assert (report.listed, report.new_images, report.unreadable) == (17, 12, 5)
    found = reasons(index_path)
    assert found.keys() == {"truncated.jpg", "empty.png", "text.jpg", "pipe.png", "link.jpg"}
    assert found["empty.png"] == "the file is empty"
    assert found["pipe.png"] == "a named pipe, not a file"
    assert found["link.jpg"] == "a symbolic link to nothing"
    assert "truncated" in found["truncated.jpg"]
    assert image_count(index_path) == 12

    again = run_pass(gallery, index_path)
    assert (again.unchanged, again.read_requests) == (17, 0)


def test_a_file_over_the_limit_of_bytes_is_not_read(gallery: Path, index_path: Path):
    (gallery / "huge.png").write_bytes(bytes(50_000))
    report = run_pass(gallery, index_path, limits=DecodeLimits(max_bytes=40_000))
    assert report.read_requests == 12
    assert reasons(index_path) == {"huge.png": "50000 bytes are more than the limit of 40000"}


def test_what_was_over_a_limit_is_read_again_when_the_limit_is_higher(
    gallery: Path, index_path: Path
):
    (gallery / "text.jpg").write_text("Dear diary")
    low = DecodeLimits(max_pixels=9000)
    report = run_pass(gallery, index_path, limits=low)
    assert report.unreadable == 13
    assert run_pass(gallery, index_path, limits=low).unchanged == 13
    lower = DecodeLimits(max_pixels=5000)
    assert run_pass(gallery, index_path, limits=lower).unchanged == 13
    report = run_pass(gallery, index_path)
    assert (report.new_images, report.unchanged) == (12, 1)
    assert run_pass(gallery, index_path, limits=lower).unchanged == 13


def test_what_took_too_long_is_tried_again_with_more_time(gallery: Path, index_path: Path):
    slow = partial(decoders.slow, 0.6)
    for path in sorted(gallery.iterdir())[2:]:
        path.unlink()
    report = run_pass(gallery, index_path, image_timeout=0.2, extract=slow)
    assert report.unreadable == 2
    report = run_pass(gallery, index_path, image_timeout=30.0, extract=slow)
    assert (report.new_images, report.read_requests) == (2, 2)


def test_identical_files_of_one_run_are_decoded_once(gallery: Path, index_path: Path):
    for number in range(20):
        (gallery / f"copy{number}.jpg").write_bytes((gallery / "000.jpg").read_bytes())
    log = gallery.parent / "log"
    report = run_pass(
        gallery, index_path, workers=2, commit_every=3, extract=partial(decoders.counting, log)
    )
    assert (report.new_images, report.aliased) == (12, 20)
    assert len(log.read_text().split()) == 12
    known = entries(index_path)
    ids = {known[f"copy{number}.jpg"].image_id for number in range(20)}
    assert ids == {known["000.jpg"].image_id}


def test_identical_undecodable_files_are_all_unreadable(gallery: Path, index_path: Path):
    for number in range(10):
        (gallery / f"bad{number}.jpg").write_bytes(b"\xff\xd8\xff and nothing more")
    report = run_pass(gallery, index_path, workers=2, commit_every=2)
    assert (report.new_images, report.unreadable, report.aliased) == (12, 10, 0)
    found = reasons(index_path)
    assert len(found) == 10
    assert len(set(found.values())) == 1


def test_links_and_names_of_any_bytes_are_blobs(gallery: Path, index_path: Path):
    content = (gallery / "000.jpg").read_bytes()
    (gallery / "symbolic.jpg").symlink_to(gallery / "000.jpg")
    (gallery / "hard.jpg").hardlink_to(gallery / "000.jpg")
    Path(os.fsdecode(os.fsencode(gallery) + b"/\xff\xfe.jpg")).write_bytes(content)
    report = run_pass(gallery, index_path)
    assert (report.new_images, report.aliased) == (12, 3)
    known = entries(index_path)
    assert known["symbolic.jpg"].object_id == known["hard.jpg"].object_id
    assert known["000.jpg"].image_id == known[os.fsdecode(b"\xff\xfe.jpg")].image_id
    assert run_pass(gallery, index_path).unchanged == 15


def test_a_crashing_and_a_hanging_decoder_cost_their_images_only(gallery: Path, index_path: Path):
    append(gallery / "003.jpg", decoders.CRASH)
    append(gallery / "005.jpg", decoders.HANG)
    append(gallery / "007.jpg", decoders.CRASH_ONCE)
    report = run_pass(
        gallery,
        index_path,
        workers=2,
        image_timeout=1.0,
        extract=partial(decoders.hostile, gallery.parent),
    )
    assert reasons(index_path) == {
        "003.jpg": "the decoder crashed on it (exit code 3)",
        "005.jpg": "decoding took longer than 1 s",
    }
    assert (report.new_images, report.unreadable, report.worker_restarts) == (10, 2, 5)


def test_the_catalog_is_the_same_however_many_work_on_it(
    gallery: Path, tmp_path: Path, photos: dict[str, NDArray[np.uint8]]
):
    add_pictures(gallery, photos, 20, first=100)
    for number in range(10):
        (gallery / f"copy{number}.jpg").write_bytes((gallery / f"00{number}.jpg").read_bytes())
    (gallery / "text.jpg").write_text("Dear diary")
    run_pass(gallery, tmp_path / "one", [ColourEmbedder()], workers=1, readers=1, batch_size=1)
    run_pass(
        gallery,
        tmp_path / "many",
        [ColourEmbedder()],
        workers=2,
        readers=8,
        batch_size=7,
        commit_every=5,
    )
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "many")


def test_little_memory_for_images_in_flight_only_slows_the_pass_down(
    gallery: Path, index_path: Path
):
    (gallery / "empty.jpg").touch()
    (gallery / "text.jpg").write_text("Dear diary")
    (gallery / "copy.jpg").write_bytes((gallery / "000.jpg").read_bytes())
    report = run_pass(gallery, index_path, bytes_in_flight=1)
    assert (report.new_images, report.aliased, report.unreadable) == (12, 1, 2)


def test_a_source_within_another_is_listed_and_read_once(
    gallery: Path, index_path: Path, photos: dict[str, NDArray[np.uint8]]
):
    add_pictures(gallery / "inner", photos, 3, first=50)
    outer, inner = FolderSource(gallery), FolderSource(gallery / "inner")
    report = run_pass([inner, outer], index_path)
    assert (report.listed, report.new_images, report.read_requests) == (15, 15, 15)
    assert report.covered == [inner.uri]
    assert len(entries(index_path)) == 15
    again = run_pass([FolderSource(gallery), FolderSource(gallery)], index_path)
    assert (again.listed, again.read_requests, again.covered) == (15, 0, [outer.uri])


def test_two_models_have_their_own_embeddings(gallery: Path, index_path: Path):
    models = [ColourEmbedder("first"), ColourEmbedder("second")]
    run_pass(gallery, index_path, models)
    with Catalog.open_reader(index_path / "catalog.lmdb") as catalog:
        assert catalog.models == ("first", "second")
        assert catalog.embedding("second", 1).shape == (48,)


def test_other_models_or_previews_are_refused_by_name(gallery: Path, index_path: Path):
    run_pass(gallery, index_path, [ColourEmbedder("first")])
    before = fingerprint(index_path)
    with pytest.raises(IndexMismatch, match="model second is not in the index"):
        run_pass(gallery, index_path, [ColourEmbedder("first"), ColourEmbedder("second")])
    with pytest.raises(IndexMismatch, match="preview size 640 in the index, 320 now"):
        run_pass(gallery, index_path, [ColourEmbedder("first")], preview_size=320)
    assert fingerprint(index_path) == before


def test_previews_have_the_size_asked_for(
    gallery: Path, index_path: Path, photos: dict[str, NDArray[np.uint8]]
):
    (gallery / "large.png").write_bytes(picture(photos["coffee.png"], "PNG"))
    run_pass(gallery, index_path, preview_size=200)
    entry = entries(index_path)["large.png"]
    with Catalog.open_reader(index_path / "catalog.lmdb") as catalog:
        (index_path.parent / "preview.jpg").write_bytes(catalog.preview(entry.image_id))
        assert catalog.blob_counts[BlobStatus.INDEXED] == 13
    assert max(Image.open(index_path.parent / "preview.jpg").size) == 200


def test_no_source_is_a_mistake_of_the_user(index_path: Path):
    with pytest.raises(UsageError, match="No source"):
        run_pass([], index_path)


@pytest.mark.parametrize("wrong", [{"readers": 0}, {"workers": -1}, {"batch_size": 0}])
def test_options_that_cannot_work_are_refused(wrong: dict[str, int]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IndexOptions(**wrong)


def test_a_finished_pass_leaves_no_lock(gallery: Path, index_path: Path):
    run_pass(gallery, index_path)
    with IndexDirectory.open(index_path).write_lock():
        pass
