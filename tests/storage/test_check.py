"""Damage to a catalog: found, told apart from nothing, and repaired."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import lmdb
import numpy as np
import pytest

from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob, UnreadableBlob
from storage.check import check_catalog
from storage.codec import encode_number
from storage.errors import IndexStorageError
from storage.holders import encode_holders
from storage.parameters import SCHEMA_VERSION, IndexParameters
from storage.repair import repair_catalog
from storage.whole import can_be_read
from tests.storage.images import image_of

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data"
PAGE = 4096
IMAGES = 150


def make_many(path: Path) -> None:
    """Make a catalog of many images, or add what is missing in one; as `dedup index` does."""
    images = [image_of(n) for n in range(IMAGES)]
    with Catalog.open_writer(path) as catalog:
        catalog.set_parameters(IndexParameters(SCHEMA_VERSION, "1", 640, ()))
        for start in range(0, IMAGES, 10):
            part = images[start : start + 10]
            blobs = [
                IndexedBlob(Blob(f"/p/{n:04}.jpg", n, "e", 0.0), "/p", image.record.digest)
                for n, image in enumerate(part, start)
            ]
            missing = [blob for blob in blobs if catalog.blob(blob.blob.uri) is None]
            if missing:
                catalog.commit(CatalogBatch(images=part, indexed=missing))
        refused = UnreadableBlob(Blob("/p/text.jpg", 1, "e", 0.0), "/p", "no image")
        catalog.commit(CatalogBatch(unreadable=[refused]))
        catalog.put_verdicts("v", [(bytes(32), bytes([n]) * 32, b"\x91\x01") for n in range(9)])


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "catalog.lmdb"
    make_many(path)
    return path


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "catalog.lmdb"))


def fingerprint(path: Path) -> str:
    with Catalog.open_reader(path) as catalog:
        return catalog.content_fingerprint()


def rewrite(path: Path, database: str, key: bytes, value: bytes | None) -> None:
    """Change what is stored without the program's knowledge."""
    with lmdb.open(str(path), max_dbs=64, map_size=1 << 30) as environment:
        handle = environment.open_db(database.encode(), create=False)
        with environment.begin(write=True, db=handle) as txn:
            if value is None:
                assert txn.delete(key)
            else:
                assert txn.put(key, value)


def stored(path: Path, database: str, key: bytes) -> bytes:
    with Catalog.open_reader(path) as catalog:
        value = catalog.get_raw(database, key)
    assert value is not None
    return value


def test_nothing_is_found_in_a_sound_catalog(sound: Path):
    report = check_catalog(sound)
    assert (report.problems, report.without_sums) == ([], 0)
    assert (report.images, report.blobs, report.verdicts) == (IMAGES, IMAGES + 1, 9)


@pytest.mark.parametrize("database", ["images", "image_rows", "previews", "vectors"])
def test_one_other_bit_of_an_image_is_found(copy: Path, database: str):
    blocks = {"vectors": b"\0\1" + encode_number(0), "image_rows": encode_number(0)}
    key = blocks.get(database, encode_number(40))
    value = bytearray(stored(copy, database, key))
    value[-1 if database != "images" else len(value) // 2] ^= 1
    rewrite(copy, database, key, bytes(value))
    report = check_catalog(copy)
    assert sum(problem.count for problem in report.problems) == 1
    assert "part of an image" in report.problems[0].what


WRONG = {
    "a part of an image is missing": ("previews", encode_number(7), None),
    "a blob and its image do not know each other": (
        "holders",
        encode_number(0),
        encode_holders({n: [b"/p/%04d.jpg" % (n - 1)] for n in range(1, 16) if n != 9}),
    ),
    "a digest names an image that is another one": ("digests", bytes(32), encode_number(7)),
    "the counts of blobs are wrong": ("meta", b"indexed", encode_number(3)),
    "the entry of a blob makes no sense": ("blobs", b"/p/0010.jpg", b"\x93\x01"),
    "a stored verdict makes no sense": ("verdicts", bytes(80), b"\xc1"),
    "the journal of a run makes no sense": ("runs", encode_number(1), b"\x01"),
    "a page of an unfinished listing makes no sense": ("listings", bytes(24), b"\x01"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_belong_together_is_named(copy: Path, what: str):
    rewrite(copy, *WRONG[what])
    assert any(what in problem.what for problem in check_catalog(copy).problems)


def test_a_repair_keeps_what_is_sound_and_indexing_brings_back_the_rest(copy: Path):
    before = fingerprint(copy)
    for wrong in WRONG.values():
        rewrite(copy, *wrong)
    repaired = repair_catalog(copy)
    # Images 7, 9 and 11 are not: a part is missing, its blob is not known, its blob makes no sense.
    assert (repaired.images, repaired.lost_images, repaired.unreadable) == (IMAGES - 3, 3, 1)
    assert check_catalog(copy).is_sound
    assert Path(repaired.old).is_dir()
    make_many(copy)
    assert fingerprint(copy) == before


def damage(path: Path, seed: int) -> str:
    """Pages that were changed, lost or cut off."""
    random = Random(seed)
    file = path / "data.mdb"
    content = bytearray(file.read_bytes())
    page = random.randrange(2, len(content) // PAGE)
    kind = random.choice(("bits", "zeros", "other", "cut"))
    if kind == "bits":
        for _ in range(8):
            content[page * PAGE + random.randrange(PAGE)] ^= 1 << random.randrange(8)
    elif kind == "cut":
        del content[page * PAGE :]
    else:
        filler = bytes(PAGE) if kind == "zeros" else random.randbytes(PAGE)
        content[page * PAGE : (page + 1) * PAGE] = filler
    file.write_bytes(content)
    return kind


@pytest.mark.parametrize("seed", [0, 3, 4, 5])
def test_a_damaged_page_is_found_or_is_no_damage_and_repair_and_index_bring_all_back(
    copy: Path, seed: int
):
    before = fingerprint(copy)
    damage(copy, seed)
    report = check_catalog(copy)
    if report.is_sound:
        assert fingerprint(copy) == before
        return
    try:
        repair_catalog(copy)
    except IndexStorageError as error:
        assert "index again" in str(error)
        return
    assert check_catalog(copy).is_sound
    make_many(copy)
    assert fingerprint(copy) == before


@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
def test_a_catalog_that_was_cut_by_any_amount_is_refused_with_one_line(copy: Path, share: float):
    data = copy / "data.mdb"
    with data.open("r+b") as file:
        file.truncate(int(data.stat().st_size * share) // PAGE * PAGE)
    with pytest.raises(IndexStorageError, match="dedup repair"):
        Catalog.open_reader(copy)
    with pytest.raises(IndexStorageError, match="dedup repair"):
        Catalog.open_writer(copy)


def test_a_file_that_ends_early_and_lacks_nothing_is_no_cut_one(tmp_path: Path, monkeypatch):
    path = tmp_path / "catalog.lmdb"
    # As a killed process leaves it: not made as long as its last page.
    monkeypatch.setattr("storage.environment._lengthen", lambda data, size: None)
    with Catalog.open_writer(path) as catalog:
        catalog.put_verdicts("v", [(bytes(32), bytes([n]) * 32, bytes(9000)) for n in range(50)])
    data = path / "data.mdb"
    with data.open("r+b") as file:
        file.truncate(data.stat().st_size)
    assert can_be_read(path)
    with Catalog.open_reader(path) as catalog:
        assert catalog.verdict(bytes(32), bytes([9]) * 32, "v") == bytes(9000)


def test_images_of_an_earlier_version_have_no_sums_and_only_nonsense_is_noticed(tmp_path: Path):
    old = Path(shutil.copytree(DATA / "index-schema-2" / "catalog.lmdb", tmp_path / "catalog.lmdb"))
    report = check_catalog(old)
    assert (report.problems, report.without_sums) == ([], 4)
    rewrite(old, "previews", encode_number(3), b"no picture")
    assert "makes no sense" in check_catalog(old).problems[0].what


def test_an_image_that_is_removed_takes_its_row_with_it(copy: Path):
    with Catalog.open_writer(copy) as catalog:
        catalog.commit(CatalogBatch(removed=["/p/0003.jpg"]))
        assert catalog.row(4) == (None, None)
    assert check_catalog(copy).is_sound


def test_a_clock_that_tells_the_same_time_twice_costs_no_damaged_catalog(
    copy: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("storage.repair.time.strftime", lambda _: "20261025-023000")
    kept = [repair_catalog(copy).old for _ in range(3)]
    assert len(set(kept)) == 3
    assert all((Path(old) / "data.mdb").is_file() for old in kept)


def test_a_repair_killed_between_its_two_last_steps_is_finished(copy: Path):
    before = fingerprint(copy)
    copy.rename(copy.with_name(copy.name + ".repaired"))
    repair_catalog(copy)
    assert fingerprint(copy) == before


REPAIR_WITHIN = """
import resource, sys
from pathlib import Path
from storage.errors import IndexStorageError
from storage.repair import repair_catalog
# No file may be longer: a full disk, as far as writing goes.
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    repair_catalog(Path(sys.argv[1]))
except IndexStorageError as error:
    print(error)
"""


@pytest.mark.parametrize("share", [0.001, 0.2, 0.6])
def test_a_repair_on_a_full_disk_ends_and_takes_nothing_for_damage(copy: Path, share: float):
    before = fingerprint(copy)
    content = (copy / "data.mdb").read_bytes()
    command = [sys.executable, "-c", REPAIR_WITHIN, str(copy), str(int(len(content) * share))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "is full" in done.stdout
    assert "Free some space" in done.stdout
    assert (copy / "data.mdb").read_bytes() == content
    report = repair_catalog(copy)
    assert (report.images, report.lost_images, report.verdicts) == (IMAGES, 0, 9)
    assert fingerprint(copy) == before


def test_a_catalog_without_a_beginning_cannot_be_repaired_and_stays_as_it_is(copy: Path):
    content = bytearray((copy / "data.mdb").read_bytes())
    content[: 2 * PAGE] = bytes(2 * PAGE)
    (copy / "data.mdb").write_bytes(content)
    with pytest.raises(IndexStorageError, match=r"cannot be repaired.*index again"):
        repair_catalog(copy)
    assert (copy / "data.mdb").read_bytes() == content


def test_vectors_that_are_not_finite_are_kept_as_they_were_stored(tmp_path: Path):
    """A check compares bytes: what a model has computed is not its business."""
    image = image_of(1)
    odd = replace(image, embeddings={"net": np.full(16, np.nan, np.float16)})
    path = tmp_path / "catalog.lmdb"
    with Catalog.open_writer(path) as catalog:
        catalog.set_parameters(IndexParameters(SCHEMA_VERSION, "1", 640, ()))
        blob = IndexedBlob(Blob("/p/a.jpg", 1, "e", 0.0), "/p", odd.record.digest)
        catalog.commit(CatalogBatch(images=[odd], indexed=[blob]))
    assert check_catalog(path).is_sound
