"""Is everything, at this moment, as it was when the list was made? Asked before each act.

What the plan allows by list and index is compared with the stores: ETags, contents, and whether
the keeper can be read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

from resolve.apply.plan import (
    KEEPER_CHANGED,
    KEEPER_GONE,
    KEEPER_IS_LINK_TO_LISTED,
    Rules,
    Skip,
    Task,
    quarantine_place,
    why_not_now,
)
from resolve.apply.reasons import reason_of
from resolve.apply.rows import DeleteList
from resolve.apply.steps import Act, take_back
from storage.actions import Action, BlobActions, BlobState, LinkKind, Properties
from storage.errors import CredentialsError, DedupError, SourceUnavailable, UsageError
from storage.open_actions import Stores

_KEEPERS_IN_MEMORY = 100_000
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
            otherwise ETags and one byte of the keeper must do, but of contents that nobody has
            read yet.
        needs_undo: refuse to delete where nothing keeps what is deleted.
    """

    action: Action
    link: LinkKind = LinkKind.HARD
    tag: tuple[str, str] = ("dedup", "delete")
    checks_digests: bool = True
    needs_undo: bool = True


class Checker:
    """Checks blobs and keepers, for as long as the stores are open. Safe in several threads.

    Args:
        stores: where the blobs are.
        rules: for every row.
        run_name: of this run, for its folder in the quarantine.
    """

    def __init__(self, stores: Stores, rules: Rules, options: ApplyOptions, run_name: str) -> None:
        self._stores = stores
        self._rules = rules
        self._options = options
        self._run_name = run_name
        self._keepers: OrderedDict[tuple[str, str, bool], Future[str]] = OrderedDict()
        self._guard = threading.Lock()
        self._prepared: set[str] = set()

    def checked(self, task: Task, rows: DeleteList, *, is_dry: bool) -> Act | Skip | DedupError:
        """The act on a row, when blob and keeper are what they were and can be read."""
        row = task.row
        try:
            return self._act_of(task, rows, is_dry=is_dry)
        except (SourceUnavailable, CredentialsError, UsageError) as error:
            return error
        except DedupError as error:
            return Skip(row.path, reason_of(error, row.path, row.keep))

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
            is_digest_checked=self._is_read(task),
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
        is_read = self._is_read(task)
        reason = self._why_not_keeper(keeper, task.keep_digest, keepers, is_read=is_read)
        if reason:
            return Skip(task.row.path, reason)
        # Of what is moved by copying, the copy is read instead.
        is_read_later = self._options.action is Action.QUARANTINE and store.moves_by_copying
        if not is_read or is_read_later:
            return None
        if store.digest(state).hex() != task.digest:
            return Skip(task.row.path, OTHER_CONTENT)
        return None

    def _is_read(self, task: Task) -> bool:
        return self._options.checks_digests or task.must_be_read

    def _why_not_keeper(
        self, keeper: BlobState, digest: str, keepers: BlobActions, *, is_read: bool
    ) -> str:
        """Why a keeper cannot be relied on. It is read once, however many copies ask at a time."""
        key = (keeper.uri, keeper.etag, is_read)
        with self._guard:
            known = self._keepers.get(key)
            if known is None:
                answer = self._keepers[key] = Future()
                while len(self._keepers) > _KEEPERS_IN_MEMORY:
                    self._keepers.popitem(last=False)
        if known is not None:
            return known.result()
        try:
            reason = ""
            if not is_read:
                keepers.probe(keeper)
            elif keepers.digest(keeper).hex() != digest:
                reason = KEEPER_OTHER_CONTENT
            answer.set_result(reason)
        except BaseException as error:
            with self._guard:
                self._keepers.pop(key, None)
            answer.set_exception(error)
            raise
        return reason

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

    def why_not_still(self, act: Act) -> str | DedupError:
        """Why the keeper of an act cannot be relied on any more; "" when it can.

        To be asked when all that takes time is done, such as reading contents.
        """
        try:
            return self._why_keeper_changed(act)
        except DedupError as error:
            return error

    def why_let_go(self, act: Act) -> str | DedupError:
        """The same of an act that a kill cut off; it is taken back when there is a why."""
        try:
            reason = self._why_keeper_changed(act, is_probed=True)
            if reason:
                take_back(act, self._stores.of(act.uri))
        except DedupError as error:
            return error
        return reason

    def _why_keeper_changed(self, act: Act, *, is_probed: bool = False) -> str:
        store = self._stores.of(act.keep)
        keeper = store.stat(act.keep)
        if keeper is None:
            return KEEPER_GONE
        if keeper.etag != act.keep_etag:
            return KEEPER_CHANGED
        if is_probed:
            store.probe(keeper)
        return ""
