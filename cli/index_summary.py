"""What `dedup index` shows while it runs and says at its end."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import option_text
from cli.output import bytes_text, plural, printable, seconds_text
from cli.progress import Display

if TYPE_CHECKING:
    from indexer.run_report import IndexProgress, IndexReport

# The rate shown is that of the last seconds: one over the whole run hides a source gone slow.
_WINDOW_SECONDS = 20.0


class IndexDisplay:
    """Tells a display how far the pass is.

    Args:
        display: where it is shown; None shows nothing.
    """

    def __init__(self, display: Display | None) -> None:
        self._display = display
        self._window: deque[tuple[float, int]] = deque()

    def on_progress(self, progress: IndexProgress) -> None:
        """Show counts, rate, bytes and errors."""
        if self._display is None:
            return
        counts = progress.counts
        self._window.append((progress.seconds, counts.done))
        while progress.seconds - self._window[0][0] > _WINDOW_SECONDS:
            self._window.popleft()
        first_seconds, first_done = self._window[0]
        spent = progress.seconds - first_seconds
        rate = (counts.done - first_done) / spent if spent > 0 else 0.0
        words = [f"{rate:.1f} images/s", f"{bytes_text(progress.bytes_read)} read"]
        if counts.unchanged:
            words.append(f"{counts.unchanged:,} unchanged")
        words.append(f"{counts.unreadable:,} unreadable")
        if not progress.is_listed:
            words.append("still listing")
        total = counts.listed if progress.is_listed else None
        self._display.update(counts.done, total, ", ".join(words))


def print_summary(report: IndexReport, index: Path) -> None:
    """Counts that add up to what was listed, the time per stage, the peak memory."""
    listed = (
        (report.new_images, "new"),
        (report.aliased - report.unread, "with a content known already"),
        (report.unread, "with the size and MD5 of a content known already, not read"),
        (report.unchanged, "unchanged, not read"),
        (report.excluded, "left out by --include and --exclude"),
        (report.older, "left out by --since"),
        (report.unreadable, "unreadable"),
        (report.vanished, "vanished meanwhile"),
    )
    parts = ", ".join(f"{count:,} {words}" for count, words in listed if count)
    print(f"{plural(report.listed, 'file')} listed{': ' if parts else ''}{parts}")
    if report.left_known:
        changed = f"; {report.left_changed:,} of them changed since" if report.left_changed else ""
        print(
            f"{plural(report.left_known, 'file')} of those left out stay in the index as they were"
            + changed
        )
    if report.carried_names:
        begun = datetime.fromtimestamp(report.carried_from).astimezone()
        print(
            f"{plural(report.carried_names, 'file')} listed by a run that was begun at "
            f"{begun:%Y-%m-%d %H:%M} and did not finish: what came there since, the next run sees"
        )
    for source in report.covered:
        print(f"listed as part of another source: {printable(source)}")
    if report.removed:
        print(f"{plural(report.removed, 'file')} gone since last time, taken out of the index")
    for folder in report.unlisted:
        print(f"not looked into: {printable(folder)}")
    print(f"{plural(report.images, 'different image')} in the index {printable(str(index))}")
    rate = report.listed / report.wall_seconds if report.wall_seconds else 0.0
    print(f"{seconds_text(report.wall_seconds)}, {rate:.1f} files/s")
    print(traffic_text(report))
    stages = ", ".join(f"{stage} {seconds_text(spent)}" for stage, spent in report.seconds.items())
    print(f"time by stage, which run side by side: {stages}")
    print(f"peak memory {bytes_text(report.peak_memory_bytes)}")
    if report.worker_restarts:
        print(f"{plural(report.worker_restarts, 'decoder')} crashed or hung and started again")
    if report.images:
        print(f"To find the copies: dedup resolve{option_text('--index', index, 'index')}")


def traffic_text(report: IndexReport) -> str:
    """What was asked of the sources, altogether and for a blob that was read."""
    text = f"{plural(report.list_requests, 'request')} to list, {report.read_requests:,} to read"
    contents = report.contents_read
    if contents:
        text += (
            f" {plural(contents, 'file')} ({report.read_requests / contents:.2f} each), "
            f"{bytes_text(report.bytes_read)} read "
            f"({bytes_text(report.bytes_read // contents)} each)"
        )
    elif report.bytes_read:
        text += f", {bytes_text(report.bytes_read)} read"
    return text + (f", {report.retries:,} repeated" if report.retries else "")
