"""Listing a container by the page, from any page on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from storage.azure import AzureSource
from storage.azure_account import connect
from storage.errors import CredentialsError, ListingExpired, SourceNotFound
from storage.retry import Pauses
from storage.source import PagedSource
from tests.storage.fault_proxy import FaultProxy, Refuse, fault_proxy

NAMES = [f"{number}.jpg" for number in range(8)]


@pytest.fixture(autouse=True)
def three_names_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.azure._PAGE", 3)


@pytest.fixture
def container(azurite: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(azurite) as service:
        client = service.create_container(f"pages-{uuid.uuid4().hex}")
        for name in NAMES:
            client.upload_blob(name, b"x")
        yield client


@pytest.fixture
def proxy(azurite: str) -> Iterator[FaultProxy]:
    with fault_proxy(int(azurite.rpartition("127.0.0.1:")[2].partition("/")[0])) as running:
        yield running


def open_source(azurite: str, container: str, proxy: FaultProxy) -> AzureSource:
    port = azurite.rpartition("127.0.0.1:")[2].partition("/")[0]
    return AzureSource(
        connect(
            f"az://{container}",
            account_url="",
            connection_string=azurite.replace(port, str(proxy.server_address[1])),
        ),
        requests_per_second=1000,
        read_deadline=5.0,
        pauses=Pauses(first=0.01, longest=0.05),
    )


@pytest.fixture
def source(azurite: str, container: ContainerClient, proxy: FaultProxy) -> Iterator[AzureSource]:
    opened = open_source(azurite, container.container_name, proxy)
    yield opened
    opened.close()


def names(page) -> list[str]:
    return [blob.uri.rpartition("/")[2] for blob in page.blobs]


def test_pages_say_where_the_next_begins_and_which_is_the_last(source):
    assert isinstance(source, PagedSource)
    pages = list(source.pages())
    assert [names(page) for page in pages] == [NAMES[:3], NAMES[3:6], NAMES[6:]]
    assert [page.is_last for page in pages] == [False, False, True]
    assert all(page.marker for page in pages[:2])


def test_another_process_carries_on_from_a_marker(azurite, container, source, proxy):
    first = next(source.pages())
    other = open_source(azurite, container.container_name, proxy)
    rest = list(other.pages(first.marker))
    assert [names(page) for page in rest] == [NAMES[3:6], NAMES[6:]]
    assert other.traffic.list_requests == 2
    other.close()


def test_a_page_that_is_throttled_is_asked_for_again(source, proxy):
    first = next(source.pages())
    proxy.faults.extend([Refuse(503), Refuse(429)])
    assert names(next(source.pages(first.marker))) == NAMES[3:6]


def test_a_marker_that_the_service_refuses_has_expired(source, proxy):
    first = next(source.pages())
    proxy.faults.append(Refuse(400, {"x-ms-error-code": "InvalidQueryParameterValue"}))
    with pytest.raises(ListingExpired, match="begun again"):
        next(source.pages(first.marker))


def test_a_refusal_of_a_listing_from_the_beginning_has_nothing_to_do_with_markers(source, proxy):
    proxy.faults.append(Refuse(400))
    with pytest.raises(SourceNotFound):
        next(source.pages())
    pages = source.pages()
    next(pages)
    # In the middle, the marker is fresh.
    proxy.faults.append(Refuse(400))
    with pytest.raises(SourceNotFound):
        next(pages)


def test_whether_it_can_be_listed_is_asked_with_one_name(source, proxy):
    source.check()
    assert source.traffic.list_requests == 1
    assert "maxresults=1&" in proxy.seen[-1].path + "&"


def test_a_check_says_what_a_listing_would(azurite, source, proxy):
    missing = open_source(azurite, "nothing-here", proxy)
    with pytest.raises(SourceNotFound, match="nothing-here"):
        missing.check()
    missing.close()
    proxy.faults.append(Refuse(403, {"x-ms-error-code": "AuthorizationFailure"}))
    with pytest.raises(CredentialsError):
        source.check()
