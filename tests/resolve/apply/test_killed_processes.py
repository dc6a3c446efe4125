"""kill -9 of real processes that act on real files, and on the blobs of the emulator."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContentSettings, StandardBlobTier

from storage.actions import Action
from storage.open_actions import OpenStores
from storage.open_source import SourceOptions
from tests.resolve.apply.worlds import World, groups, snapshot, write_files

PROJECT = Path(__file__).resolve().parents[3]
GROUPS = 70
KILLS = 25


class Runner:
    """Processes that are started ahead, for starting one takes longer than what it does.

    Args:
        base: of the world.
        arguments: the action and the quarantine.
        environment: added to this process's.
    """

    def __init__(self, base: Path, arguments: list[str], environment: dict[str, str]) -> None:
        self._base = base
        self._arguments = arguments
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}

    def start(self, command: str) -> subprocess.Popen[str]:
        """A process that waits to be told to begin."""
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.resolve.apply.run_alone",
                str(self._base),
                command,
                *self._arguments,
            ],
            cwd=PROJECT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, command: str) -> tuple[list[int], float]:
        """What it says it did, and the seconds that took."""
        process = self.start(command)
        begun = _begin(process)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        return [int(word) for word in out.split()], time.monotonic() - begun

    def kill(self, command: str, after: float) -> bool:
        """Kill it after so many seconds of work; whether it was still at work."""
        process = self.start(command)
        begun = _begin(process)
        while time.monotonic() - begun < after and process.poll() is None:
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        return process.returncode == -signal.SIGKILL


def _begin(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    begun = time.monotonic()
    process.stdin.write("go\n")
    process.stdin.flush()
    return begun


def make_folder_world(base: Path) -> tuple[World, Path]:
    """Files with a list of those that may go."""
    photos = base / "photos"
    contents, copies = groups(str(photos), GROUPS)
    write_files(contents)
    world = World(base, OpenStores(SourceOptions()))
    world.index(contents, str(photos))
    world.list_copies(contents, copies)
    return world, photos


def without_run(seen: dict[str, Any], quarantine: Path) -> dict[str, Any]:
    """The snapshot of a quarantine without the name of the run."""
    return {name.removeprefix(str(quarantine)).split("/", 2)[2]: it for name, it in seen.items()}


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another device than the temporary one."""
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one device only")
    folder = shared_memory / f"dedup-test-{uuid.uuid4().hex}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("how", "kills"), [("quarantine", KILLS), ("quarantine on another disk", 8), ("link", 8)]
)
def test_files_end_as_if_undisturbed_whenever_apply_and_undo_are_killed(
    tmp_path, how, kills, request
):
    action = how.partition(" ")[0]
    world, photos = make_folder_world(tmp_path / "world")
    quarantine = tmp_path / "quarantine"
    if how.endswith("disk"):
        quarantine = request.getfixturevalue("other_disk") / "quarantine"
    place = str(quarantine) if action == "quarantine" else ""
    runner = Runner(world.base, [action, place], {})
    before = snapshot(photos)
    counts, apply_seconds = runner.finish("apply")
    acted = 2 * GROUPS if action == "quarantine" else GROUPS
    assert counts == [acted, 0, 2 * GROUPS - acted, 0]
    after = snapshot(photos)
    moved = without_run(snapshot(quarantine), quarantine) if place else {}
    assert len(after) + len(moved) == 3 * GROUPS
    counts, undo_seconds = runner.finish("undo")
    assert counts == [acted, 0, 0, 0]
    assert snapshot(photos) == before
    assert not list(quarantine.rglob("*.jpg"))
    rng = random.Random(7)
    killed = killed_undoing = 0
    while min(killed, killed_undoing) < kills:
        for journal in world.list_path.parent.glob("apply-*"):
            journal.unlink()
        killed += runner.kill("apply", rng.uniform(0, 1.1 * apply_seconds))
        counts, _ = runner.finish("apply")
        assert counts[0] + counts[1] == acted
        assert snapshot(photos) == after
        if place:
            assert without_run(snapshot(quarantine), quarantine) == moved
        killed_undoing += runner.kill("undo", rng.uniform(0, 1.1 * undo_seconds))
        counts, _ = runner.finish("undo")
        assert counts[0] + counts[1] == acted
        assert snapshot(photos) == before
        assert not list(quarantine.rglob("*")) or place


class EmulatorWorld:
    """Blobs with everything a blob can have, in a container of their own."""

    def __init__(self, base: Path, connection_string: str, count: int) -> None:
        self._service = BlobServiceClient.from_connection_string(connection_string)
        self._name = uuid.uuid4().hex
        self._photos = self._service.create_container(f"photos-{self._name}")
        account = self._service.account_name
        root = f"az://{account}/photos-{self._name}"
        self.quarantine = f"az://{account}/quarantine-{self._name}"
        contents, copies = groups(root, count)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._put, enumerate(contents.items())))
        base.mkdir()
        options = SourceOptions(connection_string=connection_string, max_requests_per_second=2000)
        stores = OpenStores(options)
        self.world = World(base, stores)
        self.world.index(contents, root)
        self.world.list_copies(contents, copies)

    def _put(self, numbered: tuple[int, tuple[str, bytes]]) -> None:
        number, (uri, content) = numbered
        self._photos.upload_blob(
            uri.removeprefix("az://").split("/", 2)[2],
            content,
            content_settings=ContentSettings(
                content_type="image/jpeg", cache_control=f"max-age={number}", content_language="de"
            ),
            metadata={"number": str(number)},
            tags={"number": str(number), "kind": "test/a b"},
            standard_blob_tier=StandardBlobTier.COOL if number % 2 else StandardBlobTier.HOT,
        )

    def seen(self, container: str) -> dict[str, tuple[Any, ...]]:
        """Everything of every blob in `photos` or `quarantine`, by name without the run."""
        client = self._service.get_container_client(f"{container}-{self._name}")
        if not client.exists():
            return {}
        found = {}
        for one in client.list_blobs(include=["metadata", "tags"]):
            blob = client.get_blob_client(one.name)
            name = one.name if container == "photos" else one.name.split("/", 1)[1]
            with contextlib.suppress(KeyError):
                one.metadata.pop("hdi_isfolder")
            found[name] = (
                blob.download_blob().readall(),
                dict(one.content_settings),
                dict(one.metadata),
                dict(one.tags or {}),
                one.blob_tier,
            )
        return found


@pytest.mark.parametrize("action", [Action.TAG, Action.QUARANTINE])
def test_blobs_end_as_if_undisturbed_whenever_apply_and_undo_are_killed(tmp_path, azurite, action):
    emulated = EmulatorWorld(tmp_path / "world", azurite, count=10)
    place = emulated.quarantine if action is Action.QUARANTINE else ""
    environment = {"AZURE_STORAGE_CONNECTION_STRING": azurite}
    runner = Runner(emulated.world.base, [action.value, place], environment)
    before = emulated.seen("photos")
    counts, apply_seconds = runner.finish("apply")
    assert counts == [20, 0, 0, 0]
    after, moved = emulated.seen("photos"), emulated.seen("quarantine")
    assert (len(moved) == 20) == (action is Action.QUARANTINE)
    assert after != before
    counts, undo_seconds = runner.finish("undo")
    assert counts == [20, 0, 0, 0]
    assert emulated.seen("photos") == before
    assert emulated.seen("quarantine") == {}
    for share in (0.3, 0.5, 0.8):
        for journal in emulated.world.list_path.parent.glob("apply-*"):
            journal.unlink()
        if action is Action.QUARANTINE:
            _index_again(emulated)
        runner.kill("apply", share * apply_seconds)
        counts, _ = runner.finish("apply")
        assert counts[0] + counts[1] == 20
        assert (emulated.seen("photos"), emulated.seen("quarantine")) == (after, moved)
        runner.kill("undo", share * undo_seconds)
        counts, _ = runner.finish("undo")
        assert counts[0] + counts[1] == 20
        assert emulated.seen("photos") == before
        assert emulated.seen("quarantine") == {}


def _index_again(emulated: EmulatorWorld) -> None:
    """What was copied back has another ETag."""
    contents = {
        f"{emulated.quarantine.replace('/quarantine-', '/photos-')}/{name}": seen[0]
        for name, seen in emulated.seen("photos").items()
    }
    source = emulated.quarantine.replace("/quarantine-", "/photos-")
    emulated.world.index(contents, source)
