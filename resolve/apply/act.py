"""Going through delete.csv: check, write to the journal, act, write to the journal.

Rows are taken a batch at a time, and each line of the journal that a batch needs is synced in one
go: syncing for each blob would take longer than deleting it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from resolve.apply.check import ApplyOptions, Checker
from resolve.apply.facts import IndexFacts
from resolve.apply.journal import Journal, State, run_name
from resolve.apply.plan import Rules, Skip, Task, plan_row
from resolve.apply.reasons import reason_of
from resolve.apply.rows import DeleteList, Row
from resolve.apply.steps import Act, carry_out
from storage.actions import Action, BlobActions
from storage.errors import CredentialsError, DedupError, SourceUnavailable, UsageError
from storage.open_actions import Stores

BATCH = 64
THREADS = 16
_EXAMPLES = 3
_FAILURES = 20
# What stores say may hold a number or a name; a list of millions must not fill memory with it.
_REASONS = 200
OTHER_REASONS = "other reasons"


@dataclass(slots=True)
class ApplyReport:
    """What came of the rows: rows = acted + acted_before + the sum of `skipped` + failed.

    Attributes:
        acted: done; in a dry run, what would be. acted_before: by an earlier try of the same.
        bytes_acted: of both.
        skipped: why, to how many. failed: not done for a fault that may pass.
        examples: some of those skipped, at most a few for each why.
        failures: some of those failed, each with why.
    """

    rows: int = 0
    acted: int = 0
    acted_before: int = 0
    bytes_acted: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: list[Skip] = field(default_factory=list)
    failures: list[Skip] = field(default_factory=list)

    def skip(self, uri: str, reason: str) -> None:
        """Count one that was skipped."""
        is_counted = reason in self.skipped or len(self.skipped) < _REASONS
        reason = reason if is_counted else OTHER_REASONS
        self.skipped[reason] += 1
        if self.skipped[reason] <= _EXAMPLES:
            self.examples.append(Skip(uri, reason))

    def fail(self, uri: str, reason: str) -> None:
        """Count one that failed."""
        self.failed += 1
        if len(self.failures) < _FAILURES:
            self.failures.append(Skip(uri, reason))


class ApplyListener(Protocol):
    """Is told how far it is."""

    def on_progress(self, report: ApplyReport, total: int) -> None:
        """After each batch."""


class Applier:
    """Acts on a list, for as long as index and stores are open.

    Args:
        facts: of the index.
        stores: where the blobs are.
        rules: for every row.
        listener: told after each batch.
    """

    def __init__(
        self,
        facts: IndexFacts,
        stores: Stores,
        rules: Rules,
        options: ApplyOptions,
        listener: ApplyListener,
    ) -> None:
        self._facts = facts
        self._stores = stores
        self._rules = rules
        self._options = options
        self._listener = listener

    def dry_run(self, rows: DeleteList) -> ApplyReport:
        """What would be done with things as they are now. Reads no content and writes nothing.

        Raises:
            UsageError: the list is none, or needs a quarantine that was not named.
            CredentialsError, SourceUnavailable, IndexStorageError
        """
        return self._run(rows, None)

    def apply(self, rows: DeleteList, journal: Journal) -> ApplyReport:
        """Do it, or carry on with it.

        Raises:
            UsageError: also when nothing keeps what is to be deleted.
            CredentialsError, SourceUnavailable, IndexStorageError: the same again carries on.
        """
        return self._run(rows, journal)

    def _run(self, rows: DeleteList, journal: Journal | None) -> ApplyReport:
        action = self._options.action
        if action is Action.QUARANTINE and not self._rules.quarantine and rows.has_files:
            raise UsageError(
                f"{rows.path} lists files, and no quarantine for them was named.",
                "Name a folder with --quarantine DIR, best on the same disk.",
            )
        if action is Action.DELETE and self._options.needs_undo and rows.has_files:
            raise UsageError(
                f"{rows.path} lists files, and a file that is deleted cannot be brought back.",
                "Use --action quarantine, or say --no-undo-needed.",
            )
        report = ApplyReport()
        # In a dry run, only as long as one would be.
        run = journal.header.run if journal is not None else run_name(0.0)
        checker = Checker(self._stores, self._rules, self._options, run)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="apply") as pool:
            for batch in _batches(rows, BATCH):
                report.rows += len(batch)
                self._batch(batch, rows, journal, report, checker, pool)
                self._listener.on_progress(report, rows.rows)
        return report

    def _batch(
        self,
        batch: Sequence[Row],
        rows: DeleteList,
        journal: Journal | None,
        report: ApplyReport,
        checker: Checker,
        pool: ThreadPoolExecutor,
    ) -> None:
        begun, tasks, skips = self._sorted(batch, journal, report)
        failures: dict[str, DedupError] = {}
        acts: list[Act] = []
        is_dry = journal is None
        outcomes = pool.map(lambda task: checker.checked(task, rows, is_dry=is_dry), tasks)
        for task, outcome in zip(tasks, outcomes, strict=True):
            if isinstance(outcome, Act):
                acts.append(outcome)
            elif isinstance(outcome, Skip):
                skips[outcome.uri] = outcome.reason
            else:
                failures[task.row.path] = outcome
        if journal is not None:
            keepers = {act.keep: act for act in acts}
            still = dict(
                zip(keepers, pool.map(checker.why_not_still, keepers.values()), strict=True)
            )
            acts = _staying(acts, [still[act.keep] for act in acts], skips, failures)
            journal.begin(acts)
            given_up: dict[str, str] = {}
            begun = _staying(begun, pool.map(checker.why_let_go, begun), given_up, failures)
            acts = begun + acts
            done, refused = self._carry_out(acts, failures, pool)
            given_up |= refused
            journal.note(State.DONE, dict.fromkeys(done, ""))
            journal.note(State.GIVEN_UP, given_up)
            journal.note(State.SKIPPED, skips)
            skips |= given_up
            acts = [act for act in acts if act.uri in done]
        report.acted += len(acts)
        report.bytes_acted += sum(act.size for act in acts)
        for uri, reason in skips.items():
            report.skip(uri, reason)
        _report_failures(failures, len(batch), report)

    def _sorted(
        self, batch: Sequence[Row], journal: Journal | None, report: ApplyReport
    ) -> tuple[list[Act], list[Task], dict[str, str]]:
        """The acts that a kill cut off, what may be begun, and what may not, with why.

        What is done already is counted.
        """
        begun: list[Act] = []
        tasks: list[Task] = []
        skips: dict[str, str] = {}
        for row in batch:
            state = journal.state(row.path) if journal is not None else None
            if journal is not None and state is State.BEGUN:
                begun.append(journal.act(row.path))
            elif state is State.DONE:
                report.acted_before += 1
                report.bytes_acted += row.size
            else:
                planned = plan_row(row, self._facts.of(row.path, row.keep), self._rules)
                if isinstance(planned, Skip):
                    skips[planned.uri] = planned.reason
                else:
                    tasks.append(planned)
        return begun, tasks, skips

    def _carry_out(
        self, acts: Sequence[Act], failures: dict[str, DedupError], pool: ThreadPoolExecutor
    ) -> tuple[set[str], dict[str, str]]:
        """Those that were done, and those that were not and are left as they are, with why."""
        done: set[str] = set()
        given_up: dict[str, str] = {}
        errors = self._errors(acts, pool)
        for act, error in zip(acts, errors, strict=True):
            if error is None:
                done.add(act.uri)
            elif isinstance(error, (SourceUnavailable, CredentialsError)):
                failures[act.uri] = error
            else:
                given_up[act.uri] = reason_of(error, act.uri, act.keep, act.target)
        return done, given_up

    def _errors(self, acts: Sequence[Act], pool: ThreadPoolExecutor) -> Iterable[DedupError | None]:
        if self._options.action is not Action.DELETE:
            return list(pool.map(self._tried, acts))
        # Deletions go to their store together, for it may do many in one request.
        by_store: dict[BlobActions, list[int]] = {}
        for place, act in enumerate(acts):
            by_store.setdefault(self._stores.of(act.uri), []).append(place)
        found: dict[int, DedupError | None] = {}
        for store, places in by_store.items():
            states = [acts[place].state for place in places]
            found |= dict(zip(places, store.delete(states), strict=True))
        return [found[place] for place in range(len(acts))]

    def _tried(self, act: Act) -> DedupError | None:
        try:
            carry_out(act, self._stores.of(act.uri))
        except DedupError as error:
            return error
        return None


def _staying(
    acts: Sequence[Act],
    outcomes: Iterable[str | DedupError],
    reasons: dict[str, str],
    failures: dict[str, DedupError],
) -> list[Act]:
    """The acts of which no outcome speaks; the others go to `reasons` and `failures`."""
    staying = []
    for act, outcome in zip(acts, outcomes, strict=True):
        if isinstance(outcome, DedupError):
            failures[act.uri] = outcome
        elif outcome:
            reasons[act.uri] = outcome
        else:
            staying.append(act)
    return staying


def _report_failures(failures: dict[str, DedupError], tried: int, report: ApplyReport) -> None:
    """Count them; raise what stops the run.

    One blob that does not answer is passed over; a service that answers nothing is not asked on.
    """
    for uri, error in failures.items():
        report.fail(uri, reason_of(error, uri))
    for error in failures.values():
        if not isinstance(error, SourceUnavailable) or len(failures) == tried > 1:
            raise error


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch
