"""What every source promises, on a folder and on Azure's emulator with the same test bodies."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pytest
from azure.storage.blob import BlobServiceClient

from storage.errors import BlobChanged, BlobVanished, SourceNotFound
from storage.open_source import SourceOptions, open_source
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


@pytest.fixture(params=["folder", "azure"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    built: World
    if request.param == "folder":
        built = FolderWorld(tmp_path)
    else:
        built = AzureWorld(request.getfixturevalue("azurite"))
    yield built
    built.source.close()


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
    assert world.source.traffic.read_requests == 1


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
    assert world.source.traffic.list_requests == 1
    assert world.source.traffic.bytes_read == 0
    for blob in blobs[:3]:
        world.source.read(blob)
    assert world.source.traffic.read_requests == 3
    assert world.source.traffic.bytes_read == 300
    assert world.source.traffic.retries == 0


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
