"""An index and a reference index as one catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.catalog import Catalog, CatalogBatch
from storage.errors import IndexMismatch
from storage.joint_catalog import JointCatalog
from storage.joint_ids import JointIds
from storage.records import Holder
from tests.resolve.invented import InventedImage, fill, image, record, unreadable

Make = Callable[..., Catalog]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Make]:
    opened: list[Catalog] = []

    def make(*images: InventedImage) -> Catalog:
        catalog = Catalog.open_writer(tmp_path / f"catalog-{len(opened)}.lmdb")
        opened.append(catalog)
        fill(catalog, images)
        return catalog

    yield make
    for catalog in opened:
        catalog.close()


def _joint(index: Catalog, reference: Catalog) -> JointCatalog:
    return JointCatalog(index, reference, JointIds.matching(index, reference))


def test_an_image_of_both_has_one_id_and_the_blobs_of_both(made: Make) -> None:
    shared = record("shared")
    index = made(image("/new/a.jpg"), image("/new/b.jpg", record_=shared))
    reference = made(image("/ref/b.jpg", record_=shared), image("/ref/c.jpg"))
    joint = _joint(index, reference)
    assert [(each.uri, each.image_id, each.holder) for each in joint.blobs()] == [
        ("/new/a.jpg", 1, Holder.OWN),
        ("/new/b.jpg", 2, Holder.OWN),
        ("/ref/b.jpg", 2, Holder.REFERENCE),
        ("/ref/c.jpg", 4, Holder.REFERENCE),
    ]
    assert [each.uri for each in joint.blobs_of(2)] == ["/new/b.jpg", "/ref/b.jpg"]
    assert [(each.uri, each.image_id) for each in joint.blobs_of(4)] == [("/ref/c.jpg", 4)]
    assert joint.image_id(shared.digest) == 2
    assert joint.image_id(record("/ref/c.jpg").digest) == 4
    assert joint.image_id(record("nowhere").digest) is None
    assert (joint.image_count, joint.last_image_id) == (2, 4)


def test_images_of_both_find_each_other_whatever_their_digests_and_ids(made: Make) -> None:
    records = [record(f"{n}") for n in range(40)]
    index = made(*(image(f"/new/{n}.jpg", record_=each) for n, each in enumerate(records)))
    reference = made(
        *(image(f"/ref/{n}.jpg", record_=records[n]) for n in range(39, -1, -1) if n % 3)
    )
    joint = _joint(index, reference)
    for n in range(40):
        expected = [f"/new/{n}.jpg", f"/ref/{n}.jpg"] if n % 3 else [f"/new/{n}.jpg"]
        assert [each.uri for each in joint.blobs_of(n + 1)] == expected
    assert {each.image_id for each in joint.blobs()} == set(range(1, 41))


def test_records_and_previews_come_from_where_the_image_is(made: Make) -> None:
    index, reference = made(image("/new/a.jpg")), made(image("/x.jpg"), image("/ref/c.jpg"))
    joint = _joint(index, reference)
    assert [joint.record(n).digest for n in (1, 2, 3)] == [
        record(name).digest for name in ("/new/a.jpg", "/x.jpg", "/ref/c.jpg")
    ]
    assert joint.preview(3) == reference.preview(2)
    with pytest.raises(KeyError):
        joint.record(9)


def test_a_blob_that_both_list_is_one_blob_of_both(made: Make) -> None:
    index = made(image("/photos/a.jpg"), unreadable("/photos/no.jpg"))
    reference = made(image("/photos/a.jpg"), unreadable("/photos/no.jpg"))
    joint = _joint(index, reference)
    assert [(each.uri, each.holder) for each in joint.blobs()] == [
        ("/photos/a.jpg", Holder.BOTH),
        ("/photos/no.jpg", Holder.BOTH),
    ]
    assert [(each.uri, each.holder) for each in joint.blobs_of(1)] == [
        ("/photos/a.jpg", Holder.BOTH)
    ]


def test_indexes_that_contradict_each_other_about_a_file_are_refused(made: Make) -> None:
    index = made(image("/photos/a.jpg", record_=record("as it was")), image("/photos/b.jpg"))
    reference = made(image("/photos/a.jpg", record_=record("as it is")), image("/photos/b.jpg"))
    with pytest.raises(IndexMismatch, match=r"1 of the files .* such as /photos/a.jpg"):
        _joint(index, reference).require_agreement()


def test_a_file_that_only_one_of_them_could_read_is_no_contradiction(made: Make) -> None:
    index = made(image("/photos/a.jpg"), unreadable("/photos/b.jpg"))
    reference = made(unreadable("/photos/a.jpg"), image("/photos/b.jpg"))
    _joint(index, reference).require_agreement()


def test_images_that_the_index_is_given_later_take_no_others_id(made: Make) -> None:
    index, reference = made(image("/new/a.jpg")), made(image("/ref/b.jpg"), image("/ref/c.jpg"))
    joint = _joint(index, reference)
    fill(index, [image("/new/later.jpg")])
    by_uri = {each.uri: each.image_id for each in joint.blobs()}
    assert by_uri == {"/new/a.jpg": 1, "/new/later.jpg": 4, "/ref/b.jpg": 2, "/ref/c.jpg": 3}
    assert joint.record(4).digest == record("/new/later.jpg").digest
    assert joint.last_image_id == 3


def test_images_that_the_reference_index_is_given_later_are_not_looked_at(made: Make) -> None:
    index, reference = made(image("/new/a.jpg")), made(image("/ref/b.jpg"))
    joint = _joint(index, reference)
    fill(reference, [image("/ref/later.jpg")])
    assert [each.uri for each in joint.blobs()] == ["/new/a.jpg", "/ref/b.jpg"]
    assert joint.image_id(record("/ref/later.jpg").digest) is None


def test_verdicts_are_stored_in_the_index_alone(made: Make) -> None:
    index, reference = made(image("/new/a.jpg")), made(image("/ref/b.jpg"))
    low, high = sorted((record("/new/a.jpg").digest, record("/ref/b.jpg").digest))
    joint = _joint(index, reference)
    joint.put_verdicts("v", [(low, high, b"verdict")])
    assert joint.verdict(low, high, "v") == index.verdict(low, high, "v") == b"verdict"
    assert reference.verdict(low, high, "v") is None


def test_another_process_reads_the_same_images_without_knowing_the_shared_ones(
    made: Make, tmp_path: Path
) -> None:
    shared = record("shared")
    index = made(image("/new/b.jpg", record_=shared), image("/new/a.jpg"))
    reference = made(image("/ref/c.jpg"), image("/ref/b.jpg", record_=shared))
    here = _joint(index, reference)
    there = JointCatalog.open_readers(
        tmp_path / "catalog-0.lmdb", tmp_path / "catalog-1.lmdb", 2, 2
    )
    assert [there.record(n).digest for n in (1, 2, 3)] == [here.record(n).digest for n in (1, 2, 3)]


@given(st.tuples(st.integers(0, 12), st.integers(0, 12), st.lists(st.integers(1, 12), unique=True)))
def test_every_image_has_one_joint_id(shape: tuple[int, int, list[int]]) -> None:
    own_last, reference_last, chosen = shape
    twins = [n for n in chosen if n <= reference_last][:own_last]
    own = list(range(1, own_last + 1))[: len(twins)]
    ids = JointIds(own_last, reference_last, np.array(own, np.int64), np.array(twins, np.int64))
    joint = ids.of_reference(np.arange(1, reference_last + 1)).tolist()
    for there, image_id in enumerate(joint, start=1):
        assert ids.to_reference(image_id) == there
        assert ids.of_one_reference(there) == image_id
        assert ids.to_own(image_id) == (dict(zip(twins, own, strict=True)).get(there))
    for here in range(1, own_last + 5):
        assert ids.to_own(ids.of_own(here)) == here
    everyone = {*joint, *(ids.of_own(here) for here in range(1, own_last + 5))}
    assert len(everyone) == own_last + 4 + reference_last - len(twins)
    assert ids.are_shared(np.arange(1, own_last + 1)).tolist() == [
        here in own for here in range(1, own_last + 1)
    ]


def test_a_blob_removed_from_the_index_is_the_references_alone(made: Make) -> None:
    index, reference = made(image("/photos/a.jpg")), made(image("/photos/a.jpg"))
    joint = _joint(index, reference)
    index.commit(replace(CatalogBatch(), removed=["/photos/a.jpg"]))
    assert [(each.uri, each.holder) for each in joint.blobs()] == [
        ("/photos/a.jpg", Holder.REFERENCE)
    ]
