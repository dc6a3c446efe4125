"""Going through delete.csv: check, write to the journal, act, write to the journal.

Rows are taken a batch at a time, and each line of the journal that a batch needs is synced in one
go: syncing for each blob would take longer than deleting it.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from resolve.apply.facts import IndexFacts
from resolve.apply.journal import Journal, State, run_name
from resolve.apply.plan import (
    KEEPER_CHANGED,
    KEEPER_GONE,
    KEEPER_IS_LINK_TO_LISTED,
    Rules,
    Skip,
    Task,
    plan_row,
    quarantine_place,
    why_not_now,
)
from resolve.apply.rows import DeleteList, Row
from resolve.apply.steps import Act, carry_out, take_back
from storage.actions import Action, BlobActions, BlobState, LinkKind, Properties
from storage.errors import CredentialsError, DedupError, SourceUnavailable, UsageError
from storage.open_actions import Stores

BATCH = 64
THREADS = 16
_KEEPERS_IN_MEMORY = 100_000
_EXAMPLES = 20
OTHER_CONTENT = "its content is not what was indexed, though its ETag is"
KEEPER_OTHER_CONTENT = "its keeper's content is not what was indexed, though its ETag is"


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How rows are acted on.

    Attributes:
        action: what is done.
        quarantine: the place; "" for the default container of each account.
        link: the kind of link.
        tag: name and value.
        checks_digests: read the copy and the keeper once more and compare them with the index;
            otherwise ETags and one byte of the keeper must do.
        needs_undo: refuse to delete where nothing keeps what is deleted.
    """

    action: Action
    link: LinkKind = LinkKind.HARD
    tag: tuple[str, str] = ("dedup", "delete")
    checks_digests: bool = True
    needs_undo: bool = True


@dataclass(slots=True)
class ApplyReport:
    """What came of the rows: rows = acted + acted_before + the sum of `skipped` + failed.

    Attributes:
        acted: done; in a dry run, what would be. acted_before: by an earlier try of the same.
        bytes_acted: of both.
        skipped: why, to how many. failed: not done for a fault that may pass.
        examples: some of those skipped or failed, each with why.
    """

    rows: int = 0
    acted: int = 0
    acted_before: int = 0
    bytes_acted: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: list[Skip] = field(default_factory=list)

    def skip(self, uri: str, reason: str) -> None:
        """Count one that was skipped."""
        self.skipped[reason] += 1
        self._example(uri, reason)

    def fail(self, uri: str, reason: str) -> None:
        """Count one that failed."""
        self.failed += 1
        self._example(uri, reason)

    def _example(self, uri: str, reason: str) -> None:
        if len(self.examples) < _EXAMPLES:
            self.examples.append(Skip(uri, reason))


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
        self._good_keepers: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._guard = threading.Lock()
        self._prepared: set[str] = set()
        self._run_name = ""

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
        self._run_name = journal.header.run if journal is not None else run_name(0.0)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="apply") as pool:
            for batch in _batches(rows, BATCH):
                report.rows += len(batch)
                self._batch(batch, rows, journal, report, pool)
                self._listener.on_progress(report, rows.rows)
        return report

    def _batch(
        self,
        batch: Sequence[Row],
        rows: DeleteList,
        journal: Journal | None,
        report: ApplyReport,
        pool: ThreadPoolExecutor,
    ) -> None:
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
        failures: dict[str, DedupError] = {}
        acts: list[Act] = []
        for task, checked in zip(
            tasks,
            pool.map(lambda task: self._checked(task, rows, is_dry=journal is None), tasks),
            strict=True,
        ):
            if isinstance(checked, Act):
                acts.append(checked)
            elif isinstance(checked, Skip):
                skips[checked.uri] = checked.reason
            else:
                failures[task.row.path] = checked
        if journal is not None:
            journal.begin(acts)
            given_up = self._let_go(begun, failures, pool)
            stays = failures.keys() | given_up.keys()
            acts = [act for act in begun if act.uri not in stays] + acts
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

    def _checked(self, task: Task, rows: DeleteList, *, is_dry: bool) -> Act | Skip | DedupError:
        """The act on a row, when blob and keeper are what they were and can be read."""
        row = task.row
        try:
            return self._act_of(task, rows, is_dry=is_dry)
        except (SourceUnavailable, CredentialsError, UsageError) as error:
            return error
        except DedupError as error:
            return Skip(row.path, error.message)

    def _act_of(self, task: Task, rows: DeleteList, *, is_dry: bool) -> Act | Skip:
        row, options = task.row, self._options
        store, keepers = self._stores.of(row.path), self._stores.of(row.keep)
        cannot = store.cannot(options.action)
        if cannot:
            return Skip(row.path, cannot)
        state = store.stat(row.path, with_properties=not is_dry)
        keeper = keepers.stat(row.keep)
        reason = why_not_now(state, keeper, task)
        if reason or state is None or keeper is None:
            return Skip(row.path, reason)
        if keeper.resolved and rows.has(keeper.resolved):
            return Skip(row.path, KEEPER_IS_LINK_TO_LISTED)
        run = self._run_name if options.action is Action.QUARANTINE else ""
        place = quarantine_place(self._rules.quarantine, row.path)
        act = Act(
            action=options.action,
            uri=row.path,
            etag=state.etag,
            size=state.size,
            digest=task.digest,
            keep=row.keep,
            keep_etag=keeper.etag,
            target=store.quarantine_uri(place, run, row.path) if run else "",
            link=options.link.value if options.action is Action.LINK else "",
            tag=options.tag if options.action is Action.TAG else (),
            version_id=state.version_id,
            is_digest_checked=options.checks_digests,
            properties=state.properties or Properties(),
        )
        if is_dry:
            return act
        self._prepare(store, act, place)
        return self._why_not_content(task, state, keeper, store, keepers) or act

    def _why_not_content(
        self,
        task: Task,
        state: BlobState,
        keeper: BlobState,
        store: BlobActions,
        keepers: BlobActions,
    ) -> Skip | None:
        key = (keeper.uri, keeper.etag)
        with self._guard:
            is_known = key in self._good_keepers
        if not is_known:
            if not self._options.checks_digests:
                keepers.probe(keeper)
            elif keepers.digest(keeper).hex() != task.keep_digest:
                return Skip(task.row.path, KEEPER_OTHER_CONTENT)
            with self._guard:
                self._good_keepers[key] = None
                while len(self._good_keepers) > _KEEPERS_IN_MEMORY:
                    self._good_keepers.popitem(last=False)
        # Of what is moved by copying, the copy is read instead.
        is_read_later = self._options.action is Action.QUARANTINE and store.moves_by_copying
        if not self._options.checks_digests or is_read_later:
            return None
        if store.digest(state).hex() != task.digest:
            return Skip(task.row.path, OTHER_CONTENT)
        return None

    def _prepare(self, store: BlobActions, act: Act, place: str) -> None:
        """Once for each place: make the quarantine; find out whether deletion can be undone."""
        if act.action is Action.QUARANTINE:
            with self._guard:
                if place not in self._prepared:
                    store.prepare_quarantine(place)
                    self._prepared.add(place)
            return
        needs_proof = act.action is Action.DELETE and self._options.needs_undo
        if needs_proof and not store.keeps_deleted(act.uri):
            raise UsageError(
                f"Deleting {act.uri} could not be undone: nothing keeps what is deleted there.",
                "Switch on soft delete or versioning, or use --action quarantine, or say "
                "--no-undo-needed.",
            )

    def _let_go(
        self, begun: Sequence[Act], failures: dict[str, DedupError], pool: ThreadPoolExecutor
    ) -> dict[str, str]:
        """Of the acts that a kill cut off, those whose keeper is not what it was then are taken
        back; why, by URI."""
        given_up = {}
        for act, outcome in zip(begun, pool.map(self._why_let_go, begun), strict=True):
            if isinstance(outcome, DedupError):
                failures[act.uri] = outcome
            elif outcome:
                given_up[act.uri] = outcome
        return given_up

    def _why_let_go(self, act: Act) -> str | DedupError:
        store = self._stores.of(act.keep)
        try:
            keeper = store.stat(act.keep)
            if keeper is not None and keeper.etag == act.keep_etag:
                store.probe(keeper)
                return ""
            take_back(act, self._stores.of(act.uri))
        except DedupError as error:
            return error
        return KEEPER_GONE if keeper is None else KEEPER_CHANGED

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
                given_up[act.uri] = error.message
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


def _report_failures(failures: dict[str, DedupError], tried: int, report: ApplyReport) -> None:
    """Count them; raise what stops the run.

    One blob that does not answer is passed over; a service that answers nothing is not asked on.
    """
    for uri, error in failures.items():
        report.fail(uri, error.message)
    for error in failures.values():
        if not isinstance(error, SourceUnavailable) or len(failures) == tried > 1:
            raise error


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch
