"""An index of each schema there ever was, as that version made it: read, or refused by name.

They hold four pictures and a text, indexed by `tests.indexer.passes` of that version. Whoever
raises `SCHEMA_VERSION` adds the index that the version before made.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.check import check_catalog
from storage.errors import IndexMismatch
from storage.index_directory import IndexDirectory
from storage.parameters import OLDEST_SCHEMA, SCHEMA_VERSION
from storage.records import BlobStatus
from tests.storage.images import image_of

DATA = Path(__file__).parents[1] / "data"


def index_of(schema: int, tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / f"index-schema-{schema}", tmp_path / "index"))


def test_there_is_an_index_of_every_schema():
    kept = {int(path.name.removeprefix("index-schema-")) for path in DATA.glob("index-schema-*")}
    assert kept == set(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("schema", range(1, OLDEST_SCHEMA))
def test_an_index_of_an_early_schema_is_refused_by_name_and_stays_as_it_is(
    schema: int, tmp_path: Path
):
    path = index_of(schema, tmp_path)
    before = (path / "catalog.lmdb" / "data.mdb").read_bytes()
    with pytest.raises(IndexMismatch, match=f"schema {schema}, not {SCHEMA_VERSION}.*new dir"):
        IndexDirectory.open(path)
    with pytest.raises(IndexMismatch, match=f"schema {schema}, not {SCHEMA_VERSION}"):
        Catalog.open_reader(path / "catalog.lmdb")
    assert (path / "catalog.lmdb" / "data.mdb").read_bytes() == before


@pytest.mark.parametrize("schema", range(OLDEST_SCHEMA, SCHEMA_VERSION + 1))
def test_an_index_of_a_later_schema_is_read(schema: int, tmp_path: Path):
    directory = IndexDirectory.open(index_of(schema, tmp_path))
    report = check_catalog(directory.catalog_path)
    assert (report.problems, report.images) == ([], 4)
    with directory.read_lock(), Catalog.open_reader(directory.catalog_path) as catalog:
        parameters = catalog.parameters()
        assert parameters is not None
        assert parameters.schema_version == SCHEMA_VERSION
        assert catalog.blob_counts == {BlobStatus.INDEXED: 4, BlobStatus.UNREADABLE: 1}
        reasons = {Path(entry.uri).name: entry.reason for entry in catalog.blobs()}
        assert reasons["text.jpg"].startswith("Not an image")
        assert all(entry.limit is None for entry in catalog.blobs())
        assert len(catalog.embedding("colours", 1)) == 48
        assert [entry.image_id for n in (1, 4) for entry in catalog.blobs_of(n)] == [1, 4]


def test_checksums_are_not_needed(tmp_path: Path):
    directory = IndexDirectory.open(index_of(2, tmp_path))
    assert check_catalog(directory.catalog_path).without_sums == 4


def test_to_an_index_of_the_schema_before_images_are_added_and_taken_from_it(tmp_path: Path):
    directory = IndexDirectory.open(index_of(2, tmp_path))
    new = replace(image_of(1), embeddings={"colours": np.ones(48, np.float16)})
    with directory.write_lock(), Catalog.open_writer(directory.catalog_path) as catalog:
        old = dict(catalog.records())
        blobs = {image_id: catalog.blobs_of(image_id)[0].uri for image_id in old}
        copy, added = Blob("/tmp/copy.png", 1, "e", 0.0), Blob("/tmp/new.png", 1, "e", 0.0)
        batch = CatalogBatch(
            images=[new],
            indexed=[
                IndexedBlob(copy, "/tmp", old[2].digest),
                IndexedBlob(added, "/tmp", new.record.digest),
            ],
            removed=[blobs[1], blobs[2]],
        )
        assert catalog.commit(batch)[new.record.digest] == 5
        assert catalog.image_ids().tolist() == [2, 3, 4, 5]
        assert [ids.tolist() for ids, *_ in catalog.hashes(3)] == [[3, 4], [5]]
        assert [entry.uri for entry in catalog.blobs_of(2)] == ["/tmp/copy.png"]
        assert catalog.record(3).hash256 == old[3].hash256
        assert catalog.record(5).hash256 == new.record.hash256
    assert check_catalog(directory.catalog_path).is_sound
