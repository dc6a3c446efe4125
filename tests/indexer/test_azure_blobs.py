"""Runs over containers that hold everything a container may hold."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    StandardBlobTier,
    generate_container_sas,
)
from numpy.typing import NDArray

from storage.open_source import SourceOptions, open_source
from storage.source import BlobPage, PagedSource, Source
from tests import azurite as emulator
from tests.indexer.passes import entries, picture, reasons, run_pass
from tests.storage.fault_proxy import FaultProxy, fault_proxy
from tests.storage.history_proxy import HistoryProxy, history_proxy

Photos = dict[str, NDArray[np.uint8]]

# All that the service lets a name hold and the emulator can list; suffixes as listings need them.
NAMES = [
    "with space.jpg", " leading/and trailing /a.jpg", "percent%20.jpg", "%zz%.jpg", "hash#tag.jpg",
    "question?mark=1&b.jpg", "plus + and&.jpg", "quote'\"`.jpg", "ünïcödé.jpg", "e\u0301.jpg",
    "日本語/写真.png", "😀/emoji😀.webp", "semi;colon=,.jpg", "colon:star*pipe|.jpg",
    "<lt>&amp;.jpg",
    "[brackets]{braces}^~.jpg", "line\nbreak/in\r\nfolder/a.jpg", "tab\t/a.jpg", "del\x7f.jpg",
    "dots./and../at the end.../a.jpg", "//empty//segments///a.jpg", "right\u202eto left.jpg",
    "x" * 900 + ".jpg", ".hidden/.jpg", "a.jpg/b.jpg", "$dollar@at!.jpg",
]  # fmt: skip


@pytest.fixture
def container(azurite: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(azurite) as service:
        yield service.create_container(f"blobs-{uuid.uuid4().hex}")


@pytest.fixture
def proxy(azurite: str) -> Iterator[FaultProxy]:
    with fault_proxy(_port(azurite)) as running:
        yield running


@pytest.fixture
def history(azurite: str) -> Iterator[HistoryProxy]:
    with history_proxy(azurite, has_versions=False) as running:
        yield running


def _port(connection_string: str) -> int:
    return int(connection_string.rpartition("127.0.0.1:")[2].partition("/")[0])


def _open(connection_string: str, container: str, port: int | None = None) -> Source:
    if port:
        connection_string = connection_string.replace(str(_port(connection_string)), str(port))
    options = SourceOptions(connection_string=connection_string, max_requests_per_second=1000)
    return open_source(f"az://{container}", options)


def _pictures(photos: Photos, count: int) -> list[bytes]:
    photo = photos["coffee.png"]
    return [picture(photo[n : n + 64, n : n + 64]) for n in range(count)]


def test_every_legal_name_is_indexed_and_found_unchanged_the_next_time(
    azurite: str, container: ContainerClient, index_path: Path, photos: Photos
):
    for name, content in zip(NAMES, _pictures(photos, len(NAMES)), strict=True):
        container.upload_blob(name, content)
    first = run_pass(_open(azurite, container.container_name), index_path)
    assert (first.new_images, first.unreadable, first.read_requests) == (
        len(NAMES),
        0,
        len(NAMES),
    )
    again = run_pass(_open(azurite, container.container_name), index_path)
    assert (again.unchanged, again.read_requests, again.removed) == (len(NAMES), 0, 0)
    container.delete_blob(NAMES[0])
    last = run_pass(_open(azurite, container.container_name), index_path)
    assert (last.unchanged, last.removed) == (len(NAMES) - 1, 1)


def test_an_archived_blob_is_unreadable_and_nothing_is_done_to_bring_it_back(
    azurite: str, container: ContainerClient, index_path: Path, photos: Photos, proxy: FaultProxy
):
    for name, content in zip(("cold.jpg", "warm.jpg"), _pictures(photos, 2), strict=True):
        container.upload_blob(name, content)
    cold = container.get_blob_client("cold.jpg")
    cold.set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    source = _open(azurite, container.container_name, proxy.server_address[1])
    report = run_pass(source, index_path)
    assert (report.new_images, report.unreadable) == (1, 1)
    assert reasons(index_path)["cold.jpg"].startswith("archived")
    assert {seen.method for seen in proxy.seen} == {"GET"}
    assert not any("cold.jpg" in seen.path for seen in proxy.seen)
    assert cold.get_blob_properties().blob_tier == "Archive"


def test_an_image_that_goes_to_the_archive_says_so_and_is_read_when_it_comes_back(
    azurite: str, container: ContainerClient, index_path: Path, photos: Photos
):
    container.upload_blob("a.jpg", _pictures(photos, 1)[0])
    run_pass(_open(azurite, container.container_name), index_path)
    blob = container.get_blob_client("a.jpg")
    blob.set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    assert run_pass(_open(azurite, container.container_name), index_path).unreadable == 1
    blob.set_standard_blob_tier(StandardBlobTier.HOT)
    report = run_pass(_open(azurite, container.container_name), index_path)
    assert (report.new_images, report.images) == (1, 1)
    assert reasons(index_path) == {}


def test_a_leased_blob_is_read_and_keeps_its_lease(
    azurite: str, container: ContainerClient, index_path: Path, photos: Photos
):
    blob = container.upload_blob("a.jpg", _pictures(photos, 1)[0])
    blob.acquire_lease()
    report = run_pass(_open(azurite, container.container_name), index_path)
    assert (report.new_images, report.unreadable) == (1, 0)
    assert blob.get_blob_properties().lease.state == "leased"


def test_an_empty_blob_is_unreadable_without_a_request(
    azurite: str, container: ContainerClient, index_path: Path
):
    container.upload_blob("a.jpg", b"")
    report = run_pass(_open(azurite, container.container_name), index_path)
    assert (report.unreadable, report.read_requests) == (1, 0)
    assert reasons(index_path) == {"a.jpg": "the file is empty"}
    again = run_pass(_open(azurite, container.container_name), index_path)
    assert (again.unchanged, again.read_requests) == (1, 0)


def test_a_soft_deleted_blob_is_gone_and_new_when_it_is_brought_back(
    azurite: str,
    container: ContainerClient,
    index_path: Path,
    photos: Photos,
    history: HistoryProxy,
):
    for name, content in zip(("a.jpg", "b.jpg"), _pictures(photos, 2), strict=True):
        container.upload_blob(name, content)
    port = history.server_address[1]
    run_pass(_open(azurite, container.container_name, port), index_path)
    through = azurite.replace(str(_port(azurite)), str(port))
    with BlobServiceClient.from_connection_string(through) as service:
        blob = service.get_blob_client(container.container_name, "a.jpg")
        blob.delete_blob()
        report = run_pass(_open(azurite, container.container_name, port), index_path)
        assert (report.listed, report.removed, report.images) == (1, 1, 1)
        blob.undelete_blob()
    report = run_pass(_open(azurite, container.container_name, port), index_path)
    assert (report.listed, report.new_images, report.images) == (2, 1, 2)


def test_a_blob_that_is_soft_deleted_before_it_is_read_has_vanished(
    azurite: str,
    container: ContainerClient,
    index_path: Path,
    photos: Photos,
    history: HistoryProxy,
):
    for name, content in zip(("a.jpg", "b.jpg"), _pictures(photos, 2), strict=True):
        container.upload_blob(name, content)
    port = history.server_address[1]
    source = _open(azurite, container.container_name, port)
    through = azurite.replace(str(_port(azurite)), str(port))

    class Deleting:
        """Deletes a blob once it is listed."""

        def __getattr__(self, name: str) -> object:
            return getattr(source, name)

        def pages(self, marker: str = "") -> Iterator[BlobPage]:
            assert isinstance(source, PagedSource)
            yield from source.pages(marker)
            with BlobServiceClient.from_connection_string(through) as service:
                service.get_blob_client(container.container_name, "a.jpg").delete_blob()

    report = run_pass(Deleting(), index_path)  # type: ignore[arg-type]
    assert (report.listed, report.vanished, report.new_images) == (2, 1, 1)


def test_two_accounts_and_a_folder_are_one_index(
    tmp_path: Path, index_path: Path, gallery: Path, photos: Photos
):
    keys = {name: base64.b64encode(name.encode() * 8).decode() for name in ("acme", "globex")}
    contents = _pictures(photos, 3)
    with emulator.running("blob", tmp_path, keys) as endpoint:
        sources: list[Source] = [open_source(str(gallery), SourceOptions())]
        for number, (account, key) in enumerate(keys.items()):
            text = emulator.connection_string("blob", endpoint, account, key)
            with BlobServiceClient.from_connection_string(text) as service:
                # The same names in both; one content is in both.
                client = service.create_container("photos")
                client.upload_blob("shared.jpg", contents[2])
                client.upload_blob("a.jpg", contents[number])
                sources.append(open_source(f"{client.url}?{_sas(account, key)}", SourceOptions()))
        report = run_pass(sources, index_path)
        assert (report.listed, report.new_images, report.aliased) == (16, 15, 1)
        with BlobServiceClient.from_connection_string(text) as service:
            service.get_blob_client("photos", "a.jpg").delete_blob()
        # Only the second account: what the others hold is not gone.
        report = run_pass(sources[2], index_path)
        assert (report.listed, report.removed, report.images) == (1, 1, 14)
        report = run_pass(sources, index_path)
        assert (report.listed, report.unchanged, report.removed) == (15, 15, 0)
    for source in sources:
        source.close()
    assert len(entries(index_path)) == 14  # by file name: shared.jpg is in both


def _sas(account: str, key: str) -> str:
    return generate_container_sas(
        account,
        "photos",
        account_key=key,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
