"""What every source promises, with the same test bodies on a folder, on Azure's emulator, and on a
store that fails as the service does: its faults must not show in what a source gives."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from azure.storage.blob import BlobServiceClient

from benchmarks.fault_store.account import Account
from benchmarks.fault_store.faults import FaultRates
from benchmarks.fault_store.server import FaultServer, serving
from storage.azure import AzureSource
from storage.azure_account import connect
from storage.errors import BlobChanged, BlobVanished, SourceNotFound
from storage.open_source import SourceOptions, open_source
from storage.retry import Pauses
from storage.source import Source

ODD_NAMES = [
    "with space.jpg",
    "percent%20sign.jpg",
    "hash#tag.jpg",
    "question?mark.jpg",
    "plus+and&.jpg",
    "quote'\".jpg",
    "ünïcödé.jpg",
    "日本語/写真.png",
    "emoji😀.webp",
    "deep/er/and/deeper/x.TIFF",
    "semi;colon=.Jpeg",
]


class World(Protocol):
    """Somewhere images can be put, and the source that shows them."""

    source: Source
    outside: str

    def put(self, name: str, content: bytes) -> None: ...
    def remove(self, name: str) -> None: ...


class FolderWorld:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.source = open_source(str(root), SourceOptions())
        self.outside = str(root / "nothing")

    def put(self, name: str, content: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def remove(self, name: str) -> None:
        (self._root / name).unlink()


class AzureWorld:
    def __init__(self, connection_string: str) -> None:
        self._service = BlobServiceClient.from_connection_string(connection_string)
        container = f"contract-{uuid.uuid4().hex}"
        self._client = self._service.create_container(container)
        options = SourceOptions(
            connection_string=connection_string, max_requests_per_second=1000, read_deadline=10
        )
        self.source = open_source(f"az://{container}", options)
        self.outside = f"az://{container}-nothing"
        self.options = options

    def put(self, name: str, content: bytes) -> None:
        self._client.upload_blob(name, content, overwrite=True)

    def remove(self, name: str) -> None:
        self._client.delete_blob(name)


class FaultyWorld:
    """Its faults come by a seed that a test passes with whatever it asks for."""

    def __init__(self, server: FaultServer) -> None:
        self._account = server.account
        self.plan = server.plan
        self.options = SourceOptions(max_requests_per_second=1000, read_deadline=20, silence=0.2)
        container = connect(server.url, account_url="", connection_string="", silence=0.2)
        self.source = AzureSource(
            container, requests_per_second=1000, read_deadline=20, pauses=Pauses(0.01, 0.05)
        )
        self.outside = server.url_of("nothing")

    def put(self, name: str, content: bytes) -> None:
        self._account.put(name, content)

    def remove(self, name: str) -> None:
        self._account.remove(name)


# A fifth of all requests fails. None asks for a pause: that is a second each time, and
# test_azure.py waits for it. None is replaced while it is read: tests say when.
FAULTS = FaultRates(too_many=0.05, reset=0.05, stall=0.05, truncated=0.05)


@pytest.fixture(params=["folder", "azure", "faulty"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        built: World
        if request.param == "folder":
            built = FolderWorld(tmp_path)
        elif request.param == "azure":
            built = AzureWorld(request.getfixturevalue("azurite"))
        else:
            server = stack.enter_context(serving(FaultServer(Account(), FAULTS, seed=4)))
            built = FaultyWorld(server)
        yield built
        built.source.close()


def retries(world: World) -> int:
    """How many requests must have been repeated."""
    return sum(world.plan.met.values()) if isinstance(world, FaultyWorld) else 0


def test_every_image_is_listed_once_with_its_size_below_the_root(world):
    world.put("b.jpg", b"12345")
    world.put("sub/a.png", b"123")
    world.put("notes.txt", b"not an image")
    blobs = list(world.source.list())
    assert {blob.uri for blob in blobs} == {
        f"{world.source.uri}/b.jpg",
        f"{world.source.uri}/sub/a.png",
    }
    assert sorted(blob.size for blob in blobs) == [3, 5]
    assert all(blob.etag and blob.last_modified > 1_000_000_000 for blob in blobs)
    assert not any(blob.refusal for blob in blobs)


def test_an_empty_source_lists_nothing(world):
    assert list(world.source.list()) == []


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_with_odd_characters_is_listed_and_read(world, name):
    world.put(name, name.encode())
    (blob,) = world.source.list()
    assert blob.uri == f"{world.source.uri}/{name}"
    assert world.source.read(blob) == name.encode()
    assert world.source.stat(blob.uri) == blob


def test_an_empty_blob_is_read_as_nothing(world):
    world.put("empty.jpg", b"")
    (blob,) = world.source.list()
    assert blob.size == 0
    assert world.source.read(blob) == b""


def test_a_large_blob_is_read_whole_in_one_request(world):
    content = bytes(range(256)) * 20_000
    world.put("large.jpg", content)
    (blob,) = world.source.list()
    assert world.source.read(blob) == content
    assert world.source.traffic.read_requests - retries(world) <= 1


def test_a_blob_replaced_after_the_listing_is_not_read(world):
    for before, after in ((b"before", b"after!"), (b"before", b"longer than before"), (b"", b"x")):
        world.put("a.jpg", before)
        (blob,) = world.source.list()
        world.put("a.jpg", after)
        with pytest.raises(BlobChanged, match="changed"):
            world.source.read(blob)


def test_a_blob_removed_after_the_listing_has_vanished(world):
    world.put("a.jpg", b"before")
    (blob,) = world.source.list()
    world.remove("a.jpg")
    with pytest.raises(BlobVanished, match=r"a\.jpg"):
        world.source.read(blob)
    assert world.source.stat(blob.uri) is None
    assert list(world.source.list()) == []


def test_the_etag_changes_with_the_content_and_only_then(world):
    world.put("a.jpg", b"one")
    (first,) = world.source.list()
    (again,) = world.source.list()
    world.put("a.jpg", b"two!")
    (second,) = world.source.list()
    assert first == again
    assert first.etag != second.etag
    assert world.source.stat(first.uri) == second


def test_traffic_counts_requests_and_bytes(world):
    for number in range(4):
        world.put(f"{number}.jpg", bytes(100))
    blobs = list(world.source.list())
    assert world.source.traffic.list_requests == 1 + retries(world)
    assert world.source.traffic.bytes_read == 0
    for blob in blobs[:3]:
        world.source.read(blob)
    traffic = world.source.traffic
    assert traffic.list_requests + traffic.read_requests == 1 + 3 + retries(world)
    assert traffic.bytes_read == 300
    assert traffic.retries == retries(world)


def test_many_threads_read_at_once(world):
    contents = {f"{number:02}.jpg": bytes([number]) * 1000 for number in range(40)}
    for name, content in contents.items():
        world.put(name, content)
    blobs = list(world.source.list())
    barrier = threading.Barrier(8)

    def read(blob):
        if int(blob.uri[-6:-4]) < 8:
            barrier.wait(10)
        return blob.uri.rpartition("/")[2], world.source.read(blob)

    with ThreadPoolExecutor(8) as pool:
        assert dict(pool.map(read, blobs)) == contents
    assert world.source.traffic.bytes_read == 40_000


def test_a_source_that_is_not_there_is_named_with_what_to_do(world):
    options = getattr(world, "options", SourceOptions())
    with pytest.raises(SourceNotFound, match="nothing") as raised:
        list(open_source(world.outside, options).list())
    assert raised.value.remedy
