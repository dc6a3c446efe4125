"""An index of each schema there ever was, as that version made it: read, or refused by name.

They hold four pictures and a text, indexed by `tests.indexer.passes` of that version. Whoever
raises `SCHEMA_VERSION` adds the index that the version before made.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.check import check_catalog
from storage.errors import IndexMismatch
from storage.index_directory import IndexDirectory
from storage.parameters import SCHEMA_VERSION
from storage.records import BlobStatus

DATA = Path(__file__).parents[1] / "data"


def index_of(schema: int, tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / f"index-schema-{schema}", tmp_path / "index"))


def test_there_is_an_index_of_every_schema():
    kept = {int(path.name.removeprefix("index-schema-")) for path in DATA.glob("index-schema-*")}
    assert kept == set(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("schema", range(1, SCHEMA_VERSION))
def test_an_index_of_an_earlier_schema_is_refused_by_name_and_stays_as_it_is(
    schema: int, tmp_path: Path
):
    path = index_of(schema, tmp_path)
    before = (path / "catalog.lmdb" / "data.mdb").read_bytes()
    with pytest.raises(IndexMismatch, match=f"schema {schema}, not {SCHEMA_VERSION}.*new dir"):
        IndexDirectory.open(path)
    with pytest.raises(IndexMismatch, match=f"schema {schema}, not {SCHEMA_VERSION}"):
        Catalog.open_reader(path / "catalog.lmdb")
    assert (path / "catalog.lmdb" / "data.mdb").read_bytes() == before


def test_an_index_of_this_schema_made_before_there_were_checksums_is_read_and_added_to(
    tmp_path: Path,
):
    directory = IndexDirectory.open(index_of(SCHEMA_VERSION, tmp_path))
    report = check_catalog(directory.catalog_path)
    assert (report.problems, report.images, report.without_sums) == ([], 4, 4)
    with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
        assert catalog.blob_counts == {BlobStatus.INDEXED: 4, BlobStatus.UNREADABLE: 1}
        reasons = {Path(entry.uri).name: entry.reason for entry in catalog.blobs()}
        assert reasons["text.jpg"].startswith("Not an image")
        assert all(entry.limit is None for entry in catalog.blobs())
        assert len(catalog.embedding("colours", 1)) == 48
        catalog.put_verdicts("v", [(bytes(32), b"\1" * 32, b"\x91\x01")])
    assert check_catalog(directory.catalog_path).is_sound
