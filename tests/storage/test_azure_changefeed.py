"""The change feed of an account, read by the SDK from a feed made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from storage.azure_account import connect
from storage.azure_changefeed import ChangeFeed
from storage.errors import CredentialsError, SourceNotFound, SourceUnavailable
from tests.storage.feed_server import FeedServer, feed_server

SINCE = datetime(2024, 5, 1, 18, 20, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feed_server() as running:
        yield running


@pytest.fixture
def feed(server: FeedServer) -> Iterator[ChangeFeed]:
    location = f"{server.url}/photos?sv=2024-11-04&sig=any"
    opened = ChangeFeed(connect(location, account_url="", connection_string=""), SINCE)
    yield opened
    opened.close()


def names(feed: ChangeFeed) -> list[str]:
    """All that it has to tell, confirmed."""
    found: list[str] = []
    while (changes := feed.poll()).events:
        found += changes.names
        feed.confirm(changes)
    return [name.removeprefix("az://acme/photos/") for name in found]


def test_what_happened_since_then_is_told_once(server, feed):
    server.add("2024/05/01/1700", ["the hour before.jpg"], at="17:59:00Z")
    server.add("2024/05/01/1800", ["before.jpg"], at="18:14:00.0000000Z")
    # The two clocks may differ by a few minutes.
    server.add("2024/05/01/1800", ["just before.jpg"], at="18:18:00.0000000Z")
    server.add("2024/05/01/1800", ["b.jpg", "c d.jpg"])
    assert sorted(names(feed)) == ["b.jpg", "c d.jpg", "just before.jpg"]
    assert names(feed) == []


def test_what_is_appended_and_what_a_new_hour_brings_is_told_next(server, feed):
    server.add("2024/05/01/1800", ["a.jpg"])
    assert names(feed) == ["a.jpg"]
    server.add("2024/05/01/1800", ["b.jpg"])
    assert names(feed) == ["b.jpg"]
    server.add("2024/05/01/1900", ["c.jpg"])
    assert names(feed) == ["c.jpg"]
    assert names(feed) == []


def test_all_shards_are_read(server, feed):
    for shard in range(3):
        server.add("2024/05/01/1800", [f"{shard}-{number}.jpg" for number in range(5)], shard)
    assert len(set(names(feed))) == 15
    server.add("2024/05/01/1800", ["late.jpg"], 1)
    assert names(feed) == ["late.jpg"]


def test_many_events_come_in_stretches(server, feed, monkeypatch):
    monkeypatch.setattr("storage.azure_changefeed._MOST_EVENTS", 7)
    server.add("2024/05/01/1800", [f"{number}.jpg" for number in range(20)])
    assert feed.poll().events == 7
    assert sorted(names(feed), key=lambda name: int(name[:-4])) == [f"{n}.jpg" for n in range(20)]


def test_what_is_not_confirmed_is_told_again(server, feed):
    server.add("2024/05/01/1800", ["a.jpg"])
    first = feed.poll()
    assert feed.poll().names == first.names
    feed.confirm(first)
    assert feed.poll().events == 0


def test_a_feed_without_events_yet_has_nothing(server, feed):
    assert names(feed) == []
    server.add("2024/05/01/1800", ["a.jpg"])
    assert names(feed) == ["a.jpg"]


def test_an_account_without_a_feed_is_said_with_what_to_do(server, feed):
    server.files = None
    with pytest.raises(SourceNotFound, match="keeps no change feed") as raised:
        feed.poll()
    assert "--change-feed" in raised.value.remedy


@pytest.mark.parametrize(("status", "error"), [(403, CredentialsError), (503, SourceUnavailable)])
def test_a_refusal_says_what_it_is(server, feed, status, error):
    server.refusal = status
    with pytest.raises(error, match="acme"):
        feed.poll()


def test_a_fault_within_the_feed_is_tried_again_later(server, feed):
    server.add("2024/05/01/1800", ["a.jpg"])
    chunk = server.files.pop("log/00/2024/05/01/1800/00000.avro")
    segment = server.files.pop("idx/segments/2024/05/01/1800/meta.json")
    server.files["idx/segments/2024/05/01/1800/meta.json"] = b"{"
    with pytest.raises(SourceUnavailable):
        feed.poll()
    server.files["idx/segments/2024/05/01/1800/meta.json"] = segment
    server.files["log/00/2024/05/01/1800/00000.avro"] = chunk
    assert names(feed) == ["a.jpg"]
