"""From settings to whatever tells which blobs have changed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime

from storage.azure_address import is_azure
from storage.changes import ChangeSource
from storage.errors import UsageError
from storage.open_source import SourceOptions


def open_changes(
    locations: Sequence[str],
    options: SourceOptions,
    *,
    event_queues: Sequence[str],
    has_change_feed: bool,
    since: datetime,
    stack: ExitStack,
) -> list[ChangeSource]:
    """The queues, and the change feed of each account that one of the locations is in.

    Args:
        since: from when on changes are of interest.
        stack: closes them.

    Raises:
        UsageError: there is no account, no such queue can be, or a package is not installed.
        CredentialsError: no way in.
    """
    found: list[ChangeSource] = []
    if event_queues:
        from storage.azure_queue import EventQueue

        for url in event_queues:
            queue = EventQueue(url, options.connection_string)
            stack.callback(queue.close)
            found.append(queue)
    if has_change_feed:
        found += _feeds([one for one in locations if is_azure(one)], options, since, stack)
    return found


def _feeds(
    locations: Sequence[str], options: SourceOptions, since: datetime, stack: ExitStack
) -> list[ChangeSource]:
    if not locations:
        raise UsageError(
            "A change feed is kept by a storage account, and no source is in one.",
            "Leave --change-feed out: folders are listed.",
        )
    from storage.azure_account import connect
    from storage.azure_changefeed import ChangeFeed

    feeds: dict[str, ChangeSource] = {}
    for location in locations:
        container = connect(
            location, account_url=options.account_url, connection_string=options.connection_string
        )
        stack.callback(container.service.close)
        if container.account not in feeds:
            feeds[container.account] = ChangeFeed(container, since)
    return list(feeds.values())
