"""What is kept of a listing under way, and when it is forgotten."""

from __future__ import annotations

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch
from storage.listings import ListedPage, Listing, PageCounts, kept_names, name_hash, name_number

PHOTOS = "az://acme/photos"
TODO = (
    Blob("az://acme/photos/ä\n%20.jpg", 7, "0x1", 1.5, b"m" * 16, "id", "archived"),
    Blob("az://acme/photos/\udcff.jpg", 0, "", 0.0),
)


def page(number: int, names: list[str], **rest) -> ListedPage:
    return ListedPage(
        PHOTOS, number, f"marker {number}", False, b"".join(map(name_hash, names)), **rest
    )


def keep(catalog: Catalog, *pages: ListedPage) -> None:
    catalog.commit(CatalogBatch(pages=list(pages)))


def test_a_page_comes_back_as_it_was_kept(catalog):
    kept = page(1, ["a", "b", "c"], counts=PageCounts(1, 2, 3, 4, 5), todo=TODO)
    keep(catalog, kept)
    assert list(catalog.listed_pages(PHOTOS)) == [kept]
    assert kept.listed == 3


def test_pages_come_in_their_order_however_many_there_are(catalog):
    for number in (300, 2, 1, 70_000):
        keep(catalog, page(number, [str(number)]))
    assert [one.number for one in catalog.listed_pages(PHOTOS)] == [1, 2, 300, 70_000]


def test_a_page_kept_again_replaces_the_first(catalog):
    keep(catalog, page(1, ["a"]))
    keep(catalog, page(1, ["a"]))
    assert len(catalog.listed_names([PHOTOS])) == 1


def test_a_listing_that_a_clock_since_put_back_says_is_yet_to_come_is_not_carried_on(catalog):
    catalog.begin_listings([Listing(PHOTOS, "all", 500.0)], oldest=0.0)
    keep(catalog, page(1, ["a"]))
    assert catalog.begin_listings([Listing(PHOTOS, "all", 400.0)], oldest=0.0) == {}
    assert list(catalog.listed_pages(PHOTOS)) == []


@given(st.lists(st.text(), max_size=50))
def test_every_name_of_every_page_is_found(names):
    found = kept_names(iter([page(1, names[:20]), page(2, names[20:])]))
    assert found.tolist() == sorted(int(name_number(name)) for name in names)


def test_a_run_carries_on_what_another_with_the_same_scope_left(catalog):
    wanted = [Listing(PHOTOS, "all", 100.0)]
    assert catalog.begin_listings(wanted, oldest=0.0) == {}
    keep(catalog, page(1, ["a"]))
    later = [Listing(PHOTOS, "all", 200.0)]
    assert catalog.begin_listings(later, oldest=0.0) == {PHOTOS: wanted[0]}
    assert len(list(catalog.listed_pages(PHOTOS))) == 1
    # The age is that of the first run, however often it is carried on.
    assert catalog.begin_listings(later, oldest=150.0) == {}
    assert list(catalog.listed_pages(PHOTOS)) == []


@pytest.mark.parametrize(
    ("source", "scope"),
    [
        (PHOTOS, "another"),
        ("az://acme/photos/2024", "all"),
        ("az://acme", "all"),
    ],
)
def test_what_another_run_writes_below_makes_a_listing_forgotten(catalog, source, scope):
    catalog.begin_listings([Listing(PHOTOS, "all", 1.0)], oldest=0.0)
    keep(catalog, page(1, ["a"]))
    assert catalog.begin_listings([Listing(source, scope, 2.0)], oldest=0.0) == {}
    assert list(catalog.listed_pages(PHOTOS)) == []


def test_a_listing_beside_stays(catalog):
    catalog.begin_listings([Listing(PHOTOS, "all", 1.0)], oldest=0.0)
    keep(catalog, page(1, ["a"]))
    for other in ("az://acme/photos-2", "az://acme2/photos", "/photos"):
        catalog.begin_listings([Listing(other, "all", 2.0)], oldest=0.0)
        catalog.drop_overlapping_listings(other)
        catalog.drop_listing(other)
    assert len(list(catalog.listed_pages(PHOTOS))) == 1
    catalog.drop_overlapping_listings("az://acme/photos/2024")
    assert list(catalog.listed_pages(PHOTOS)) == []


def test_a_listing_that_nobody_came_back_to_goes_when_it_is_too_old(catalog):
    catalog.begin_listings([Listing(PHOTOS, "all", 1.0)], oldest=0.0)
    keep(catalog, page(1, ["a"]))
    catalog.begin_listings([Listing("/photos", "all", 9.0)], oldest=1.0)
    assert len(list(catalog.listed_pages(PHOTOS))) == 1
    catalog.begin_listings([Listing("/photos", "all", 9.0)], oldest=2.0)
    assert list(catalog.listed_pages(PHOTOS)) == []


def test_pages_survive_the_process(tmp_path):
    with Catalog.open_writer(tmp_path) as catalog:
        catalog.begin_listings([Listing(PHOTOS, "all", 1.0)], oldest=0.0)
        keep(catalog, page(1, ["a"], todo=TODO))
    with Catalog.open_writer(tmp_path) as catalog:
        carried_on = catalog.begin_listings([Listing(PHOTOS, "all", 9.0)], oldest=0.0)
        assert carried_on == {PHOTOS: Listing(PHOTOS, "all", 1.0)}
        assert [one.todo for one in catalog.listed_pages(PHOTOS)] == [TODO]


def test_an_index_without_listings_can_still_be_read(tmp_path):
    with Catalog.open_writer(tmp_path) as catalog:
        catalog.start_run(["/p"], 1.0)
    environment = lmdb.open(str(tmp_path), max_dbs=32)
    with environment.begin(write=True) as txn:
        txn.drop(environment.open_db(b"listings", txn=txn))
    environment.close()
    with Catalog.open_reader(tmp_path) as catalog:
        assert len(catalog.runs()) == 1
