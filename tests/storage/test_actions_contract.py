"""What every store that can be changed promises: a folder, Azure's emulator, and the fake account
that stands for what the emulator lacks, with the same test bodies."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import pytest
from azure.storage.blob import BlobServiceClient, ContentSettings, StandardBlobTier

from storage.actions import Action, BlobActions, BlobState, Properties
from storage.errors import ActRefused, BlobChanged, BlobConflict, BlobVanished
from storage.open_actions import OpenStores
from storage.open_source import SourceOptions
from tests.storage.fake_blobs import FakeBlobs
from tests.storage.test_source_contract import ODD_NAMES


class World(Protocol):
    """Somewhere images can be put, and the store that changes them."""

    store: BlobActions
    place: str

    def uri(self, name: str) -> str: ...
    def put(self, name: str, content: bytes) -> None: ...
    def content(self, uri: str) -> bytes | None: ...


class FolderWorld:
    def __init__(self, root: Path) -> None:
        self._root = root / "photos"
        self.store = OpenStores(SourceOptions()).of(str(self._root / "a.jpg"))
        self.place = str(root / "quarantine")

    def uri(self, name: str) -> str:
        return str(self._root / name)

    def put(self, name: str, content: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o640)

    def content(self, uri: str) -> bytes | None:
        path = Path(uri)
        return path.read_bytes() if path.exists() else None


class AzureWorld:
    def __init__(self, connection_string: str) -> None:
        self._service = BlobServiceClient.from_connection_string(connection_string)
        name = uuid.uuid4().hex
        self._client = self._service.create_container(f"acts-{name}")
        account = self._service.account_name
        self._root = f"az://{account}/acts-{name}"
        self.place = f"az://{account}/quarantine-{name}"
        options = SourceOptions(
            connection_string=connection_string, max_requests_per_second=1000, read_deadline=10
        )
        self.store = OpenStores(options).of(f"{self._root}/a.jpg")

    def uri(self, name: str) -> str:
        return f"{self._root}/{name}"

    def put(self, name: str, content: bytes) -> None:
        self._client.upload_blob(
            name,
            content,
            overwrite=True,
            content_settings=ContentSettings(
                content_type="image/jpeg",
                cache_control="max-age=60",
                content_language="de",
                content_disposition="inline",
            ),
            metadata={"photographer": "me"},
            tags={"year": "2020", "a b": "c/d"},
            standard_blob_tier=StandardBlobTier.COOL,
        )

    def content(self, uri: str) -> bytes | None:
        container, _, name = uri.removeprefix("az://").partition("/")[2].partition("/")
        blob = self._service.get_blob_client(container, name)
        return blob.download_blob().readall() if blob.exists() else None


class FakeWorld:
    def __init__(self, store: FakeBlobs) -> None:
        self._fake = store
        self.store: BlobActions = store
        self.place = "az://account/quarantine"

    def uri(self, name: str) -> str:
        return f"az://account/photos/{name}"

    def put(self, name: str, content: bytes) -> None:
        properties = Properties(
            headers={"content_type": "image/jpeg"},
            metadata={"photographer": "me"},
            tags={"year": "2020"},
            tier="Cool",
        )
        self._fake.put(self.uri(name), content, properties)

    def content(self, uri: str) -> bytes | None:
        stored = self._fake.blobs.get(uri)
        return None if stored is None else stored.content


CLOUD = ("azure", "soft delete", "versions")


@pytest.fixture(params=["folder", *CLOUD])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    built: World
    match request.param:
        case "folder":
            built = FolderWorld(tmp_path)
        case "azure":
            built = AzureWorld(request.getfixturevalue("azurite"))
        case "soft delete":
            built = FakeWorld(FakeBlobs(soft_delete=True))
        case _:
            built = FakeWorld(FakeBlobs(versioning=True))
    yield built
    built.store.close()


only_cloud = pytest.mark.parametrize("world", CLOUD, indirect=True)
only_undoable = pytest.mark.parametrize("world", ["soft delete", "versions"], indirect=True)


def present(world: World, name: str) -> BlobState:
    """The blob with its properties; it must be there."""
    state = world.store.stat(world.uri(name), with_properties=True)
    assert state is not None
    return state


def quarantined(world: World, name: str) -> str:
    """Where it goes, in a place that is ready."""
    world.store.prepare_quarantine(world.place)
    return world.store.quarantine_uri(world.place, "run-1", world.uri(name))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_blob_with_an_odd_name_is_moved_to_the_quarantine_and_back_with_all_it_has(world, name):
    world.put(name, b"picture")
    before, target = present(world, name), quarantined(world, name)
    move(world.store, before, target)
    assert world.store.stat(before.uri) is None
    assert world.content(target) == b"picture"
    moved = world.store.stat(target, with_properties=True)
    move(world.store, moved, before.uri)
    world.store.set_properties(before.uri, before.properties)
    after = present(world, name)
    assert world.content(before.uri) == b"picture"
    assert after.properties == before.properties
    assert world.store.stat(target) is None


def move(store: BlobActions, state: BlobState, target: str) -> None:
    """By renaming, else by a copy."""
    if not store.rename(state, target):
        copied = store.copy(state, target)
        assert store.digest(copied) == store.digest(state)
        assert store.delete([state]) == [None]


def test_properties_are_told_when_they_are_asked_for(world):
    world.put("a.jpg", b"12345")
    properties = present(world, "a.jpg").properties
    assert Properties.from_json(properties.as_json()) == properties
    assert properties.as_json()
    assert world.store.stat(world.uri("a.jpg")).properties is None


def test_the_digest_is_that_of_the_content_at_its_etag(world):
    world.put("a.jpg", b"12345")
    world.put("empty.jpg", b"")
    state = present(world, "a.jpg")
    world.store.probe(state)
    world.store.probe(present(world, "empty.jpg"))
    assert world.store.digest(state) == sha256(b"12345").digest()
    assert world.store.digest(present(world, "empty.jpg")) == sha256(b"").digest()
    world.put("a.jpg", b"123456")
    for reading in (world.store.digest, world.store.probe):
        with pytest.raises(BlobChanged, match=r"a\.jpg"):
            reading(state)


def test_what_is_gone_cannot_be_read(world):
    world.put("a.jpg", b"12345")
    state = present(world, "a.jpg")
    assert world.store.delete([state]) == [None]
    assert world.store.stat(state.uri) is None
    for reading in (world.store.digest, world.store.probe):
        with pytest.raises(BlobVanished, match=r"a\.jpg"):
            reading(state)


def test_of_many_blobs_those_that_changed_are_not_deleted(world):
    names = [f"{number} ü.jpg" for number in range(12)]
    for name in names:
        world.put(name, b"old")
    states = [present(world, name) for name in names]
    world.put(names[3], b"newer")
    gone = states[5]
    assert world.store.delete([gone]) == [None]
    outcomes = world.store.delete(states)
    assert [type(outcome) for outcome in outcomes] == [
        BlobChanged if number == 3 else type(None) for number in range(12)
    ]
    left = [name for name in names if world.content(world.uri(name)) is not None]
    assert left == [names[3]]
    assert world.content(world.uri(names[3])) == b"newer"


def test_a_blob_that_changed_is_neither_moved_nor_copied(world):
    world.put("a.jpg", b"old")
    state, target = present(world, "a.jpg"), quarantined(world, "a.jpg")
    world.put("a.jpg", b"newer")
    with pytest.raises(BlobChanged):
        move(world.store, state, target)
    assert world.content(state.uri) == b"newer"
    assert world.store.stat(target) is None


def test_nothing_is_ever_written_over(world):
    world.put("a.jpg", b"one")
    world.put("b.jpg", b"two")
    state = present(world, "a.jpg")
    with pytest.raises(BlobConflict, match=r"b\.jpg"):
        move(world.store, state, world.uri("b.jpg"))
    with pytest.raises(BlobConflict, match=r"b\.jpg"):
        world.store.copy(state, world.uri("b.jpg"))
    assert world.content(world.uri("a.jpg")) == b"one"
    assert world.content(world.uri("b.jpg")) == b"two"


def test_a_copy_is_whole_and_leaves_the_original(world):
    content = bytes(range(256)) * 4000
    world.put("a.jpg", content)
    state = present(world, "a.jpg")
    copied = world.store.copy(state, world.uri("copies/b.jpg"))
    assert copied.is_complete
    assert copied.size == len(content)
    assert world.content(world.uri("copies/b.jpg")) == content
    assert world.store.stat(copied.uri, with_properties=True).properties == state.properties
    assert present(world, "a.jpg").etag == state.etag


def test_properties_that_differ_are_set_back(world):
    world.put("a.jpg", b"picture")
    before = present(world, "a.jpg")
    wanted = before.properties
    if wanted.mode is not None:
        Path(before.uri).chmod(0o600)
    else:
        world.store.set_properties(before.uri, Properties(tags={"x": "y"}))
    assert present(world, "a.jpg").properties != wanted
    world.store.set_properties(before.uri, wanted)
    assert present(world, "a.jpg").properties == wanted
    assert world.content(before.uri) == b"picture"


def test_setting_properties_that_are_set_changes_nothing(world):
    world.put("a.jpg", b"picture")
    before = present(world, "a.jpg")
    world.store.set_properties(before.uri, before.properties)
    assert present(world, "a.jpg") == before


def test_what_is_not_there_has_no_properties_to_set(world):
    with pytest.raises(BlobVanished):
        world.store.set_properties(world.uri("never.jpg"), Properties(tags={"a": "b"}))


@only_cloud
def test_tags_are_replaced_and_the_etag_stays(world):
    world.put("a.jpg", b"picture")
    before = present(world, "a.jpg")
    world.store.set_tags(before.uri, {"dedup": "delete"})
    after = present(world, "a.jpg")
    assert after.properties.tags == {"dedup": "delete"}
    assert after.etag == before.etag
    with pytest.raises(BlobVanished):
        world.store.set_tags(world.uri("never.jpg"), {"dedup": "delete"})


@only_cloud
def test_blobs_have_no_links(world):
    world.put("a.jpg", b"picture")
    state = present(world, "a.jpg")
    assert world.store.cannot(Action.LINK)
    with pytest.raises(ActRefused):
        world.store.link(state, state, "hard")


@pytest.mark.parametrize("world", ["folder", "azure"], indirect=True)
def test_a_store_that_keeps_nothing_says_so_and_restores_nothing(world):
    world.put("a.jpg", b"picture")
    state = present(world, "a.jpg")
    assert not world.store.keeps_deleted(state.uri)
    assert world.store.delete([state]) == [None]
    assert not world.store.restore(state.uri, "")
    assert world.content(state.uri) is None


@only_undoable
def test_a_deleted_blob_comes_back(world):
    world.put("a.jpg", b"picture")
    state = present(world, "a.jpg")
    assert world.store.keeps_deleted(state.uri)
    assert world.store.delete([state]) == [None]
    assert world.store.restore(state.uri, state.version_id)
    world.store.set_properties(state.uri, state.properties)
    assert world.content(state.uri) == b"picture"
    assert present(world, "a.jpg").properties == state.properties
    assert world.store.restore(state.uri, state.version_id)


def test_two_blobs_of_one_name_in_two_folders_have_two_places_in_the_quarantine(world):
    assert quarantined(world, "x/a.jpg") != quarantined(world, "y/a.jpg")
    assert quarantined(world, "x/a.jpg").startswith(f"{world.place}/run-1/")
