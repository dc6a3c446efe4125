"""Event Grid's events in a real queue of the emulator."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.queue import QueueClient, QueueSasPermissions, generate_queue_sas

from storage.azure_queue import EventQueue
from storage.errors import CredentialsError, SourceNotFound, SourceUnavailable, UsageError
from tests import azurite as emulator


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator.running("queue", tmp_path_factory.mktemp("queues")) as running:
        yield running


@pytest.fixture
def client(endpoint: str) -> Iterator[QueueClient]:
    text = emulator.connection_string("queue", endpoint)
    with QueueClient.from_connection_string(text, f"events-{uuid.uuid4().hex}") as queue:
        queue.create_queue()
        yield queue


@pytest.fixture
def queue(client: QueueClient) -> Iterator[EventQueue]:
    opened = EventQueue(client.url)
    yield opened
    opened.close()


def send(client: QueueClient, name: str, is_encoded: bool = True) -> None:
    """As Event Grid delivers it."""
    text = json.dumps(
        {
            "subject": f"/blobServices/default/containers/photos/blobs/{name}",
            "eventType": "Microsoft.Storage.BlobCreated",
            "data": {"url": f"http://127.0.0.1:10000/{emulator.ACCOUNT}/photos/{name}"},
        }
    )
    client.send_message(base64.b64encode(text.encode()).decode() if is_encoded else text)


def waiting(client: QueueClient) -> int:
    return client.get_queue_properties().approximate_message_count or 0


def test_the_names_of_all_events_come_once_each(client, queue):
    for number in range(70):
        send(client, f"{number % 50}.jpg", is_encoded=number % 2 == 0)
    changes = queue.poll()
    assert changes.events == 70
    assert set(changes.names) == {
        f"az://{emulator.ACCOUNT}/photos/{number}.jpg" for number in range(50)
    }
    assert len(changes.names) == 50


def test_what_is_confirmed_is_taken_out_of_the_queue_and_the_rest_stays(client, queue):
    send(client, "a.jpg")
    changes = queue.poll()
    assert waiting(client) == 1
    assert queue.poll().events == 0
    queue.confirm(changes)
    assert waiting(client) == 0


def test_what_is_not_confirmed_is_told_again(client, queue, monkeypatch):
    monkeypatch.setattr("storage.azure_queue._HIDDEN_SECONDS", 1)
    send(client, "a.jpg")
    first = queue.poll()
    second = queue.poll()
    while not second.events:
        second = queue.poll()
    assert second.names == first.names
    # The first receipt is no longer good; the message is the second one's.
    queue.confirm(first)
    queue.confirm(second)
    assert waiting(client) == 0


def test_messages_that_are_no_events_of_blobs_are_counted_and_left_alone(client, queue):
    client.send_message("order 66")
    client.send_message(json.dumps({"subject": "/something/else", "data": {}}))
    send(client, "a.jpg")
    changes = queue.poll()
    assert (changes.events, changes.not_understood) == (1, 2)
    queue.confirm(changes)
    assert waiting(client) == 2


def test_an_empty_queue_has_nothing(queue):
    changes = queue.poll()
    assert (changes.names, changes.events, changes.not_understood) == ((), 0, 0)
    queue.confirm(changes)


def test_a_signature_that_permits_to_process_is_enough_and_is_not_shown(client):
    sas = generate_queue_sas(
        emulator.ACCOUNT,
        client.queue_name,
        emulator.KEY,
        permission=QueueSasPermissions(read=True, process=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    send(client, "a.jpg")
    queue = EventQueue(f"{client.url}?{sas}")
    queue.confirm(queue.poll())
    assert waiting(client) == 0
    assert "sig" not in queue.what


def test_a_queue_that_is_not_there_is_named(endpoint):
    queue = EventQueue(f"{endpoint}/{emulator.ACCOUNT}/nothing-here")
    with pytest.raises(SourceNotFound, match="nothing-here"):
        queue.poll()


def test_a_wrong_key_is_a_matter_of_credentials(client, endpoint):
    wrong = emulator.connection_string("queue", endpoint).replace("=Eby8", "=AAAA")
    queue = EventQueue(client.url, wrong)
    with pytest.raises(CredentialsError, match="Queue Data Message Processor") as raised:
        queue.poll()
    assert "AAAA" not in str(raised.value)


def test_a_queue_that_nobody_serves_is_asked_again_later(monkeypatch):
    queue = EventQueue(f"http://127.0.0.1:9/{emulator.ACCOUNT}/events")
    with pytest.raises(SourceUnavailable, match="again later"):
        queue.poll()


def test_an_address_below_a_queue_is_refused(endpoint):
    with pytest.raises(UsageError, match="more than a queue"):
        EventQueue(f"{endpoint}/{emulator.ACCOUNT}/events/messages")
