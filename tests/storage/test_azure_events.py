"""Names of blobs in the events that Event Grid and the change feed write."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.azure_events import changed_names, events_in

TOPIC = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acme"
# As documented by Microsoft for the subscription of a storage account.
CREATED = {
    "topic": TOPIC,
    "subject": "/blobServices/default/containers/photos/blobs/2024/a b.jpg",
    "eventType": "Microsoft.Storage.BlobCreated",
    "eventTime": "2024-05-01T18:41:00.9584103Z",
    "id": "831e1650-001e-001b-66ab-eeb76e069631",
    "data": {
        "api": "PutBlockList",
        "clientRequestId": "6d79dbfb-0e37-4fc4-981f-442c9ca65760",
        "requestId": "831e1650-001e-001b-66ab-eeb76e000000",
        "eTag": "0x8D4BCC2E4835CD0",
        "contentType": "image/jpeg",
        "contentLength": 524288,
        "blobType": "BlockBlob",
        "url": "https://acme.blob.core.windows.net/photos/2024/a%20b.jpg",
        "sequencer": "00000000000004420000000000028963",
        "storageDiagnostics": {"batchId": "b68529f3-68cd-4744-baa4-3c0498ec19f0"},
    },
    "dataVersion": "",
    "metadataVersion": "1",
}
CLOUD_EVENT = {
    "specversion": "1.0",
    "source": TOPIC,
    "subject": "/blobServices/default/containers/photos/blobs/a.jpg",
    "type": "Microsoft.Storage.BlobDeleted",
    "id": "1",
    "data": {"api": "DeleteBlob"},
}


def event(subject: str = "", **data: str) -> dict[str, object]:
    return {"subject": subject, "data": data}


def test_an_event_of_event_grid_names_its_blob():
    assert changed_names(CREATED) == ("az://acme/photos/2024/a b.jpg",)


def test_an_event_without_an_address_takes_the_account_from_its_source():
    assert changed_names(CLOUD_EVENT) == ("az://acme/photos/a.jpg",)


def test_a_name_with_percent_signs_is_read_both_ways():
    found = changed_names(
        event(
            "/blobServices/default/containers/photos/blobs/100%25.jpg",
            url="https://acme.blob.core.windows.net/photos/100%2525.jpg",
        )
    )
    assert set(found) == {"az://acme/photos/100%25.jpg", "az://acme/photos/100%.jpg"}


@pytest.mark.parametrize("name", ["a#b.jpg", "a?b.jpg", "line\nbreak/a.jpg", "ü+&.jpg", "/a.jpg"])
def test_odd_names_come_from_the_subject_as_they_are(name):
    found = changed_names(
        event(
            f"/blobServices/default/containers/photos/blobs/{name}",
            url="https://acme.blob.core.windows.net/photos/x",
        )
    )
    assert found[0] == f"az://acme/photos/{name}"


def test_of_a_rename_both_ends_have_changed():
    found = changed_names(
        event(
            "/blobServices/default/containers/photos/blobs/new.jpg",
            sourceUrl="https://acme.dfs.core.windows.net/photos/old.jpg",
            destinationUrl="https://acme.dfs.core.windows.net/photos/new.jpg",
        )
    )
    assert set(found) == {"az://acme/photos/new.jpg", "az://acme/photos/old.jpg"}


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"data": "text"},
        {"subject": 7, "data": {"url": 7}},
        {"subject": "/blobServices/default/containers/photos", "topic": TOPIC},
        {"subject": "/something/else", "data": {"url": "ftp://x"}},
        {"data": {"url": "https://acme.blob.core.windows.net/"}},
    ],
)
def test_an_event_about_something_else_names_nothing(other):
    assert changed_names(other) == ()


@pytest.mark.parametrize("is_encoded", [False, True])
@pytest.mark.parametrize("written", [CREATED, [CREATED, CLOUD_EVENT]])
def test_messages_are_json_in_base64_or_as_it_is(written, is_encoded):
    text = json.dumps(written)
    message = base64.b64encode(text.encode()).decode() if is_encoded else text
    assert events_in(message) == (written if isinstance(written, list) else [written])


@pytest.mark.parametrize("text", ["", "hello", "7", "[]", "[1]", "null", "aGVsbG8=", "/w=="])
def test_a_message_of_something_else_has_no_events(text):
    assert events_in(text) == []


@given(st.text())
def test_no_message_breaks_the_reader(text):
    for one in events_in(text):
        changed_names(one)
