"""Events of the blob service, as Event Grid and the change feed write them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from storage.azure_address import blob_uri, parse_url
from storage.errors import DedupError

_SUBJECT = re.compile(r"/blobServices/[^/]+/containers/([^/]+)/blobs/(.+)", re.DOTALL)
_ACCOUNT = re.compile(r"/storageAccounts/([^/]+)", re.IGNORECASE)
# Of a rename both ends have changed.
_URLS = ("url", "blobUrl", "sourceUrl", "destinationUrl")


def events_in(message: str) -> list[Mapping[str, Any]]:
    """The events of a queue message: JSON, as it is or in Base64; none when it is something else.

    Event Grid writes them in its own schema or in that of CloudEvents 1.0.
    """
    for text in _readings(message):
        try:
            found = json.loads(text)
        except ValueError:
            continue
        events = found if isinstance(found, list) else [found]
        if events and all(isinstance(event, dict) for event in events):
            return events
    return []


def changed_names(event: Mapping[str, Any]) -> tuple[str, ...]:
    """URIs of the blobs that an event is about; none when it is about something else.

    Whether names are percent-encoded in it depends on who wrote it, so both readings of one with a
    percent sign are given: a name that is not there costs one request.
    """
    data = event.get("data")
    data = data if isinstance(data, Mapping) else {}
    urls = [str(data[key]) for key in _URLS if isinstance(data.get(key), str) and data[key]]
    places = [place for place in map(_place, urls) if place is not None]
    names = [blob_uri(account, container, name) for account, container, name in places if name]
    subject = _SUBJECT.fullmatch(str(event.get("subject", "")))
    account = places[0][0] if places else _account(event)
    if subject and account:
        container, name = subject[1], subject[2]
        names = [
            blob_uri(account, container, name),
            blob_uri(account, container, unquote(name)),
            *names,
        ]
    return tuple(dict.fromkeys(names))


def happened_before(event: Mapping[str, Any], moment: datetime) -> bool:
    """Whether the event says so of itself; one that does not say when it was may be recent."""
    try:
        found = datetime.fromisoformat(str(event.get("eventTime", "")))
    except ValueError:
        return False
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found < moment


def _readings(message: str) -> Iterator[str]:
    yield message
    try:
        yield base64.b64decode(message, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return


def _place(url: str) -> tuple[str, str, str] | None:
    """Account, container and name."""
    try:
        endpoint, path = parse_url(url.partition("?")[0])
    except DedupError:
        return None
    return endpoint.account, path.container, path.prefix


def _account(event: Mapping[str, Any]) -> str:
    for key in ("topic", "source"):
        found = _ACCOUNT.search(str(event.get(key, "")))
        if found:
            return found[1]
    return ""
