"""Going through a journal backwards and taking everything back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from resolve.apply.act import BATCH, THREADS
from resolve.apply.journal import Journal, State
from resolve.apply.plan import Skip
from resolve.apply.steps import Act, take_back
from storage.errors import CredentialsError, DedupError, SourceUnavailable
from storage.open_actions import Stores

# What may have been done and is not undone yet.
_OPEN = (State.BEGUN, State.DONE, State.UNDOING, State.NOT_UNDONE)
_EXAMPLES = 20


@dataclass(slots=True)
class UndoReport:
    """What came of the acts of a journal.

    Attributes:
        total: acts to take back. undone: those that were. undone_before: by an earlier try.
        bytes_undone: of the blobs brought back, or freed of their tag or link.
        failed: not taken back; `examples` has some of them, each with why.
    """

    total: int = 0
    undone: int = 0
    undone_before: int = 0
    bytes_undone: int = 0
    failed: int = 0
    examples: list[Skip] = field(default_factory=list)


class UndoListener(Protocol):
    """Is told how far it is."""

    def on_progress(self, report: UndoReport, total: int) -> None:
        """After each batch."""


def undo(journal: Journal, stores: Stores, listener: UndoListener) -> UndoReport:
    """Take back everything that a journal says was done or begun, the last first.

    It can be cut off anywhere and run again. What cannot be brought back is left as it is, and
    tried again the next time.

    Raises:
        CredentialsError, SourceUnavailable: nothing is answered any more.
        UsageError: the journal is damaged.
        IndexStorageError: it cannot be written.
    """
    uris = journal.uris(*_OPEN)
    report = UndoReport(total=len(uris), undone_before=journal.count(State.UNDONE))
    with ThreadPoolExecutor(THREADS, thread_name_prefix="undo") as pool:
        for start in range(0, len(uris), BATCH):
            acts = [journal.act(uri) for uri in uris[start : start + BATCH]]
            _undo_batch(acts, journal, stores, report, pool)
            listener.on_progress(report, report.total)
    for place in _quarantines(journal, stores):
        stores.of(place).tidy_quarantine(place)
    return report


def _undo_batch(
    acts: Sequence[Act],
    journal: Journal,
    stores: Stores,
    report: UndoReport,
    pool: ThreadPoolExecutor,
) -> None:
    def tried(act: Act) -> DedupError | None:
        try:
            take_back(act, stores.of(act.uri))
        except DedupError as error:
            return error
        return None

    journal.note(State.UNDOING, {act.uri: "" for act in acts})
    errors = {act.uri: error for act, error in zip(acts, pool.map(tried, acts), strict=True)}
    journal.note(State.UNDONE, {uri: "" for uri, error in errors.items() if error is None})
    failures = {uri: error for uri, error in errors.items() if error is not None}
    journal.note(State.NOT_UNDONE, {uri: error.message for uri, error in failures.items()})
    report.undone += len(acts) - len(failures)
    report.bytes_undone += sum(act.size for act in acts if errors[act.uri] is None)
    report.failed += len(failures)
    for uri, error in failures.items():
        if len(report.examples) < _EXAMPLES:
            report.examples.append(Skip(uri, str(error)))
    for error in failures.values():
        is_down = isinstance(error, SourceUnavailable) and len(failures) == len(acts) > 1
        if isinstance(error, CredentialsError) or is_down:
            raise error


def _quarantines(journal: Journal, stores: Stores) -> Iterator[str]:
    """The folder of this run in its quarantine, when it has one that was named."""
    if journal.header.quarantine.startswith("/"):
        yield f"{journal.header.quarantine.rstrip('/')}/{journal.header.run}"
