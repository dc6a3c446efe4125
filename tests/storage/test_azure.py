"""Azure Blob beyond the contract: credentials, prefixes, faults on a real connection."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    StandardBlobTier,
    generate_container_sas,
)

from storage.azure import AzureSource
from storage.azure_account import connect
from storage.errors import (
    BlobChanged,
    BlobUnreadable,
    CredentialsError,
    SourceNotFound,
    SourceUnavailable,
)
from storage.open_source import SourceOptions, open_source
from storage.retry import Pauses
from tests.storage.fault_proxy import (
    CutAfter,
    FaultProxy,
    Refuse,
    StallAfter,
    Trickle,
    fault_proxy,
)

CONTENT = bytes(range(256)) * 4000
QUICK = Pauses(first=0.01, longest=0.05)


def _port(connection_string: str) -> int:
    return int(connection_string.rpartition("127.0.0.1:")[2].partition("/")[0])


@pytest.fixture
def container(azurite: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(azurite) as service:
        yield service.create_container(f"azure-{uuid.uuid4().hex}")


@pytest.fixture
def proxy(azurite: str) -> Iterator[FaultProxy]:
    with fault_proxy(_port(azurite)) as running:
        yield running


@pytest.fixture
def source(azurite: str, container: ContainerClient, proxy: FaultProxy) -> Iterator[AzureSource]:
    """On one blob, `a.jpg`, through the proxy."""
    container.upload_blob("a.jpg", CONTENT)
    opened = _source(azurite, container.container_name, proxy)
    yield opened
    opened.close()


def _source(
    azurite: str, name: str, proxy: FaultProxy, *, deadline: float = 5.0, silence: float = 20.0
) -> AzureSource:
    through = azurite.replace(str(_port(azurite)), str(proxy.server_address[1]))
    return AzureSource(
        connect(f"az://{name}", account_url="", connection_string=through, silence=silence),
        requests_per_second=1000,
        read_deadline=deadline,
        pauses=QUICK,
    )


def _options(connection_string: str = "", account_url: str = "") -> SourceOptions:
    return SourceOptions(account_url, connection_string, max_requests_per_second=1000)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_a_passing_fault_is_tried_again(source, proxy, status):
    (blob,) = source.list()
    proxy.faults.extend([Refuse(status), Refuse(status)])
    assert source.read(blob) == CONTENT
    assert source.traffic.retries == 2
    assert source.traffic.read_requests == 3
    assert source.traffic.bytes_read == len(CONTENT)


def test_a_listing_is_tried_again(source, proxy):
    proxy.faults.append(Refuse(503))
    assert len(list(source.list())) == 1
    assert source.traffic.list_requests == 2


def test_the_pause_the_service_asks_for_is_kept(source, proxy):
    (blob,) = source.list()
    proxy.faults.append(Refuse(503, {"Retry-After": "1"}))
    assert source.read(blob) == CONTENT
    refused, repeated = proxy.seen[-2:]
    assert repeated.at - refused.at >= 1.0


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_body_that_breaks_off_is_continued_where_it_broke(source, proxy, is_reset):
    (blob,) = source.list()
    proxy.faults.extend([CutAfter(300_000), CutAfter(200_000, is_reset=is_reset)])
    assert source.read(blob) == CONTENT
    gets = [seen.range for seen in proxy.seen if seen.path.partition("?")[0].endswith("a.jpg")]
    assert len(gets) == 3
    assert gets[1] == f"bytes=300000-{len(CONTENT) - 1}"
    assert 300_000 <= int(gets[2].removeprefix("bytes=").partition("-")[0]) <= 500_000
    assert source.traffic.bytes_read == len(CONTENT)


def test_a_blob_replaced_while_its_read_is_repeated_is_not_stitched_together(
    source, proxy, container
):
    (blob,) = source.list()
    proxy.faults.append(CutAfter(1000))
    container.upload_blob("a.jpg", CONTENT[::-1], overwrite=True)
    with pytest.raises(BlobChanged):
        source.read(blob)


@pytest.mark.parametrize("fault", [Trickle(0.05), StallAfter(1000)])
def test_a_body_that_does_not_come_ends_at_the_deadline(azurite, container, proxy, fault):
    container.upload_blob("a.jpg", CONTENT[:5000])
    source = _source(azurite, container.container_name, proxy, deadline=1.0, silence=0.3)
    (blob,) = source.list()
    proxy.faults.extend([fault] * 20)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"a\.jpg") as raised:
        source.read(blob)
    assert time.monotonic() - started < 4
    assert raised.value.remedy
    proxy.faults.clear()
    assert source.read(blob) == CONTENT[:5000]
    source.close()


def test_a_service_that_always_refuses_ends_at_the_deadline(azurite, container, proxy):
    container.upload_blob("a.jpg", b"x")
    source = _source(azurite, container.container_name, proxy, deadline=0.5)
    (blob,) = source.list()
    proxy.faults.extend([Refuse(503)] * 500)
    with pytest.raises(SourceUnavailable, match=r"tries: 503"):
        source.read(blob)


def test_one_connection_serves_many_reads(source, proxy, container):
    connections = set()
    original = proxy.process_request

    def count(request, address):
        connections.add(address)
        original(request, address)

    proxy.process_request = count
    (blob,) = source.list()
    for _ in range(5):
        source.read(blob)
    assert len(connections) == 1


def test_a_listing_of_several_pages_is_complete(azurite, container, monkeypatch):
    monkeypatch.setattr("storage.azure._PAGE", 3)
    names = [f"{n}.jpg" for n in range(8)]
    for name in names:
        container.upload_blob(name, b"x")
    source = open_source(f"az://{container.container_name}", _options(azurite))
    assert [blob.uri.rpartition("/")[2] for blob in source.list()] == names
    assert source.traffic.list_requests == 3


def test_a_prefix_is_a_folder_and_not_the_beginning_of_names(azurite, container):
    for name in ("2024/a.jpg", "2024-old/b.jpg", "2024.jpg"):
        container.upload_blob(name, b"x")
    source = open_source(f"az://{container.container_name}/2024", _options(azurite))
    (blob,) = source.list()
    assert blob.uri == f"az://devstoreaccount1/{container.container_name}/2024/a.jpg"
    assert blob.uri.startswith(source.uri + "/")


def test_a_location_may_name_one_blob_as_the_lists_do(azurite, container):
    container.upload_blob("sub/a b.jpg", b"content")
    uri = f"az://devstoreaccount1/{container.container_name}/sub/a b.jpg"
    source = open_source(uri, _options(azurite))
    assert source.uri == uri
    assert source.read(source.stat(source.uri)) == b"content"


def test_folders_of_a_hierarchical_namespace_are_not_blobs(azurite, container):
    container.upload_blob("folder.jpg", b"", metadata={"hdi_isfolder": "true"})
    container.upload_blob("folder.jpg/a.jpg", b"x")
    source = open_source(f"az://{container.container_name}", _options(azurite))
    assert [blob.uri.rpartition("/")[2] for blob in source.list()] == ["a.jpg"]


def test_an_archived_blob_is_listed_with_what_to_do_and_not_read(azurite, container):
    container.upload_blob("a.jpg", b"x")
    source = open_source(f"az://{container.container_name}", _options(azurite))
    (warm,) = source.list()
    container.get_blob_client("a.jpg").set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    (blob,) = source.list()
    assert "rehydrate" in blob.refusal
    before = source.traffic.read_requests
    with pytest.raises(BlobUnreadable, match="archived"):
        source.read(blob)
    assert source.traffic.read_requests == before
    with pytest.raises(BlobUnreadable, match="archived"):
        source.read(warm)


def _sas(container: ContainerClient, permission: str, minutes: int = 10) -> str:
    return generate_container_sas(
        "devstoreaccount1",
        container.container_name,
        account_key=container.credential.account_key,
        permission=ContainerSasPermissions.from_string(permission),
        start=datetime.now(UTC) - timedelta(hours=1),
        expiry=datetime.now(UTC) + timedelta(minutes=minutes),
    )


def test_a_sas_in_the_url_gives_access_and_is_not_shown(container):
    container.upload_blob("ä b.jpg", b"content")
    source = open_source(f"{container.url}?{_sas(container, 'rl')}", _options())
    (blob,) = source.list()
    assert source.read(blob) == b"content"
    assert source.uri == f"az://devstoreaccount1/{container.container_name}"
    assert "sig=" not in repr(source.uri + blob.uri)


@pytest.mark.parametrize(("permission", "minutes"), [("r", 10), ("rl", -5)])
def test_a_sas_that_does_not_suffice_names_the_ways_in_and_not_the_signature(
    container, permission, minutes
):
    sas = _sas(container, permission, minutes)
    with pytest.raises(CredentialsError, match="three ways") as raised:
        list(open_source(f"{container.url}?{sas}", _options()).list())
    assert sas.rpartition("sig=")[2] not in str(raised.value)
    assert "sig=" not in str(raised.value)


def test_a_sas_that_may_list_and_not_read_ends_the_run(container):
    container.upload_blob("a.jpg", b"content")
    source = open_source(f"{container.url}?{_sas(container, 'l')}", _options())
    (blob,) = source.list()
    with pytest.raises(CredentialsError):
        source.read(blob)


def test_a_wrong_key_is_a_matter_of_credentials(azurite, container):
    wrong = azurite.replace("AccountKey=Eby8", "AccountKey=AAAA")
    with pytest.raises(CredentialsError) as raised:
        list(open_source(f"az://{container.container_name}", _options(wrong)).list())
    assert "AAAA" not in str(raised.value)


def test_the_emulator_needs_no_key_of_its_own(container):
    container.upload_blob("a.jpg", b"x")
    assert len(list(open_source(container.url, _options()).list())) == 1


def test_without_an_account_the_ways_in_are_named():
    with pytest.raises(CredentialsError, match="AZURE_STORAGE_CONNECTION_STRING"):
        open_source("az://photos", SourceOptions())


def test_a_malformed_connection_string_is_not_quoted():
    with pytest.raises(CredentialsError, match="malformed") as raised:
        open_source("az://photos", SourceOptions(connection_string="AccountKey=c2VjcmV0"))
    assert "c2VjcmV0" not in str(raised.value)


@pytest.mark.parametrize(
    "location", ["az://", "az://UPPER", "az://a", "https://x.y.z/", "az://a--b"]
)
def test_a_location_without_a_container_is_refused(azurite, location):
    with pytest.raises(SourceNotFound, match="container"):
        open_source(location, _options(azurite))


def test_nobody_listening_is_said_soon(monkeypatch):
    monkeypatch.setattr("storage.azure._FIRST_CONTACT_SECONDS", 1.0)
    source = open_source("http://127.0.0.1:9/devstoreaccount1/photos", _options())
    with pytest.raises(SourceUnavailable, match="did not answer"):
        list(source.list())
