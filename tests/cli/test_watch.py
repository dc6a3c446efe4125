"""`dedup index --watch` on the emulator, with hints in a queue, until Ctrl-C."""

from __future__ import annotations

import base64
import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.queue import QueueClient

from storage.catalog import Catalog
from storage.errors import ExitCode
from tests import azurite as emulator
from tests.cli.helpers import ROOT, Dedup, clean_environment, photograph
from tests.storage.fault_proxy import FaultProxy, fault_proxy

_PATIENCE = 60.0


@pytest.fixture
def container(azurite: str) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(azurite) as service:
        client = service.create_container(f"watch-{uuid.uuid4().hex}")
        client.upload_blob("rocket.jpg", photograph("rocket.jpg").read_bytes())
        yield client


@pytest.fixture
def proxy(azurite: str) -> Iterator[FaultProxy]:
    with fault_proxy(int(azurite.rpartition("127.0.0.1:")[2].partition("/")[0])) as running:
        yield running


@pytest.fixture
def events(tmp_path: Path) -> Iterator[QueueClient]:
    with emulator.running("queue", tmp_path) as endpoint:
        text = emulator.connection_string("queue", endpoint)
        with QueueClient.from_connection_string(text, "events") as client:
            client.create_queue()
            yield client


def send(events: QueueClient, container: ContainerClient, name: str) -> None:
    event = {
        "subject": f"/blobServices/default/containers/{container.container_name}/blobs/{name}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "data": {"url": f"{container.url}/{name}"},
    }
    events.send_message(base64.b64encode(json.dumps(event).encode()).decode())


@contextmanager
def watching(
    folder: Path, *arguments: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """The command, running, and its next line of standard output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "index", *arguments, "--watch", "--interval", "1"],
        cwd=folder,
        env=clean_environment(PYTHONPATH=str(ROOT), **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    output = process.stdout

    def read() -> None:
        for line in output:
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    try:
        yield process, lambda: lines.get(timeout=_PATIENCE)
    finally:
        process.kill()
        process.wait()


def listings(proxy: FaultProxy) -> int:
    return sum("comp=list" in seen.path for seen in proxy.seen)


def names_in(index: Path) -> set[str]:
    with Catalog.open_reader(index / "catalog.lmdb") as catalog:
        return {entry.uri.rpartition("/")[2] for entry in catalog.blobs()}


def test_hints_in_a_queue_bring_new_blobs_without_listing_until_ctrl_c(
    azurite: str,
    container: ContainerClient,
    proxy: FaultProxy,
    events: QueueClient,
    tmp_path: Path,
):
    port = re.search(r"127\.0\.0\.1:(\d+)", azurite)
    assert port is not None
    through = azurite.replace(port[1], str(proxy.server_address[1]))
    with watching(
        tmp_path,
        f"az://{container.container_name}",
        "--event-queue",
        events.url,
        AZURE_STORAGE_CONNECTION_STRING=through,
    ) as (process, next_line):
        assert "everything was listed: 1 file, 1 new" in next_line()
        before = listings(proxy)
        container.upload_blob("coffee.png", photograph("coffee.png").read_bytes())
        container.delete_blob("rocket.jpg")
        for name in ("coffee.png", "rocket.jpg"):
            send(events, container, name)
        said = next_line()
        while "gone" not in said:
            # The two may come in one look, or in two.
            said += next_line()
        assert "1 new" in said
        assert listings(proxy) == before
        deadline = time.monotonic() + _PATIENCE
        while events.get_queue_properties().approximate_message_count:
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGINT)
        assert process.wait(_PATIENCE) == ExitCode.INTERRUPTED
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert names_in(tmp_path / "dedup-index") == {"coffee.png"}


def test_a_folder_is_listed_at_each_interval(tmp_path: Path):
    folder = tmp_path / "gallery"
    folder.mkdir()
    (folder / "rocket.jpg").write_bytes(photograph("rocket.jpg").read_bytes())
    with watching(tmp_path, str(folder), "--json") as (process, next_line):
        first = json.loads(next_line())
        assert (first["reason"], first["new_images"]) == ("everything was listed", 1)
        (folder / "again.jpg").write_bytes((folder / "rocket.jpg").read_bytes())
        while not (look := json.loads(next_line()))["aliased"]:
            assert look["unchanged"] == look["listed"]
        process.send_signal(signal.SIGINT)
        assert process.wait(_PATIENCE) == ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--change-feed"], 2, "Add --watch"),
        (["--event-queue", "https://a.queue.core.windows.net/q"], 2, "Add --watch"),
        (["--watch", "--change-feed"], 2, "no source is in one"),
        (["--watch", "--interval", "0"], 2, "--interval"),
        (["--watch", "--event-queue", "queue"], 2, "not the URL of a storage account"),
    ],
)
def test_a_watch_that_cannot_be_is_refused(
    dedup: Dedup, tmp_path: Path, arguments: list[str], code: int, said: str
):
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "rocket.jpg").write_bytes(photograph("rocket.jpg").read_bytes())
    dedup("index", tmp_path / "gallery", *arguments).must_fail(code, said)
