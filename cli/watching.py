"""`dedup index --watch`: what it is made of, and what each look says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.config import Settings
from cli.errors import print_error
from cli.output import as_plain, bytes_text, plural, seconds_text
from cli.results import WatchLook

if TYPE_CHECKING:
    from indexer.run_report import IndexReport
    from storage.changes import ChangeSource
    from storage.errors import DedupError


def require_watching(settings: Settings) -> None:
    """Options that mean nothing without --watch are refused.

    Raises:
        UsageError: naming them.
    """
    from storage.errors import UsageError

    if not settings.watch and (settings.event_queue or settings.change_feed):
        option = "--event-queue" if settings.event_queue else "--change-feed"
        raise UsageError(
            f"{option} tells --watch what has changed; without --watch everything is listed.",
            "Add --watch, or leave it out.",
        )


def open_change_sources(
    locations: Sequence[str], settings: Settings, stack: ExitStack
) -> list[ChangeSource]:
    """The queues and change feeds of the settings, asked once whether they are there.

    Raises:
        UsageError, SourceNotFound, CredentialsError, SourceUnavailable
    """
    from cli.loading import source_options
    from storage.open_changes import open_changes

    return open_changes(
        locations,
        source_options(settings),
        event_queues=settings.event_queue,
        has_change_feed=settings.change_feed,
        since=datetime.now(UTC),
        stack=stack,
    )


def watch(
    list_all: Callable[[], IndexReport],
    look_at: Callable[[Sequence[str]], IndexReport],
    changes: Sequence[ChangeSource],
    settings: Settings,
) -> None:
    """Look until Ctrl-C.

    Raises:
        DedupError: as `indexer.watch.Watch.run`.
    """
    from indexer.watch import Watch

    Watch(
        list_all,
        look_at,
        changes,
        settings.interval,
        settings.relist_interval,
        WatchDisplay(is_json=settings.json),
    ).run()


class WatchDisplay:
    """One line for each look."""

    def __init__(self, *, is_json: bool) -> None:
        self._is_json = is_json

    def on_report(self, report: IndexReport, reason: str) -> None:
        """What the look brought."""
        if self._is_json:
            look = WatchLook(**as_plain(report), at=_now(), reason=reason)
            print(json.dumps(as_plain(look)), flush=True)
            return
        counts = (
            (report.new_images, "new"),
            (report.aliased, "with a content known already"),
            (report.unreadable, "unreadable"),
            (report.removed + report.vanished, "gone"),
            (report.excluded + report.older, "left out"),
        )
        parts = [f"{count:,} {words}" for count, words in counts if count] or ["nothing new"]
        print(
            f"{_now()} {reason}: {plural(report.listed, 'file')}, {', '.join(parts)}; "
            f"{plural(report.images, 'different image')} in the index, "
            f"{bytes_text(report.bytes_read)} read, {seconds_text(report.wall_seconds)}",
            flush=True,
        )

    def on_error(self, error: DedupError) -> None:
        """Why the look failed; there will be another."""
        print_error(error)

    def on_ignored(self, what: str, messages: int) -> None:
        """Somebody else's messages are no reason to stop, but to say so."""
        print(
            f"dedup: {plural(messages, 'message')} in {what} are no events of blobs and were left "
            "there. The queue should be for this watcher alone.",
            file=sys.stderr,
        )


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
