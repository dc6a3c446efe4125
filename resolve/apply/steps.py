"""One act on one blob, and its undoing: both can be cut off anywhere and done again.

Nothing is removed before what takes its place was looked at, and nothing is written over.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from storage.actions import Action, BlobActions, BlobState, LinkKind, Properties
from storage.errors import (
    ActRefused,
    BlobChanged,
    BlobConflict,
    BlobVanished,
    DedupError,
)


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be done to one blob, with all that undoing it takes. The journal holds these.

    Attributes:
        action: what.
        uri, etag, size: of the blob, as it was indexed and found.
        digest: SHA-256 of its content, hex, from the index.
        keep: what stays in its place. keep_etag: as it was found.
        target: where it goes when quarantined; "" otherwise.
        link: the kind of link; "" when none is made.
        tag: name and value; empty when none is set.
        version_id: of the blob, where the store keeps versions.
        is_digest_checked: the content was, or is to be, compared with the digest on the way.
        properties: of the blob, to be brought back.
    """

    action: Action
    uri: str
    etag: str
    size: int
    digest: str
    keep: str
    keep_etag: str
    target: str = ""
    link: str = ""
    tag: tuple[str, str] | tuple[()] = ()
    version_id: str = ""
    is_digest_checked: bool = True
    properties: Properties = field(default_factory=Properties)

    def as_json(self) -> dict[str, Any]:
        """For the journal."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["properties"] = self.properties.as_json()
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Act:
        """The inverse. Raises KeyError, TypeError or ValueError for what is no act."""
        changed = {
            "action": Action(values["action"]),
            "tag": tuple(values["tag"]),
            "properties": Properties.from_json(values["properties"]),
        }
        return cls(**(values | changed))

    @property
    def state(self) -> BlobState:
        """The blob as it was found."""
        return BlobState(self.uri, self.size, self.etag, properties=self.properties)


def carry_out(act: Act, store: BlobActions) -> None:
    """Do it; what an earlier try has done of it already, is not done again.

    Raises:
        BlobVanished, BlobChanged, BlobConflict, ActRefused: the blob is where and what it was.
        CredentialsError, SourceUnavailable: it is to be tried again.
    """
    match act.action:
        case Action.TAG:
            _tag(act, store)
        case Action.QUARANTINE:
            _quarantine(act, store)
        case Action.DELETE:
            for error in store.delete([act.state]):
                if error is not None:
                    raise error
        case Action.LINK:
            keeper = BlobState(act.keep, 0, act.keep_etag)
            store.link(act.state, keeper, LinkKind(act.link))
    _settle(act, store)


def take_back(act: Act, store: BlobActions) -> None:
    """Undo it, whether it was done, half done or not begun; and done before, it is not done again.

    Afterwards the blob has its name, its content, compared with the digest, and its properties.

    Raises:
        BlobVanished: it cannot be brought back, for the store has it no more.
        BlobConflict: something else has its name now; nothing was changed.
        BlobChanged: what would be brought back has other content; nothing was changed.
        ActRefused, CredentialsError, SourceUnavailable
    """
    match act.action:
        case Action.TAG:
            _untag(act, store)
            return
        case Action.QUARANTINE:
            _bring_back(act, store)
        case Action.DELETE:
            _undelete(act, store)
        case Action.LINK:
            store.unlink(act.uri, act.keep, bytes.fromhex(act.digest), act.properties)
    store.set_properties(act.uri, act.properties)
    _settle(act, store)


def _settle(act: Act, store: BlobActions) -> None:
    store.settle(act.uri)
    if act.target:
        store.settle(act.target)


def _tag(act: Act, store: BlobActions) -> None:
    state = _present(act, store)
    now = dict(state.properties.tags) if state.properties else {}
    name, value = act.tag or ("", "")
    if now.get(name) != value:
        store.set_tags(act.uri, now | {name: value})


def _untag(act: Act, store: BlobActions) -> None:
    state = store.stat(act.uri, with_properties=True)
    if state is None or state.properties is None:
        raise BlobVanished(f"{act.uri} is gone.", "A lifecycle rule may have deleted it.")
    name, value = act.tag or ("", "")
    now = dict(state.properties.tags)
    if now.get(name) != value:
        return
    # Tags that somebody has set meanwhile stay.
    wanted = {key: text for key, text in now.items() if key != name}
    if name in act.properties.tags:
        wanted[name] = act.properties.tags[name]
    if wanted != now:
        store.set_tags(act.uri, wanted)


def _quarantine(act: Act, store: BlobActions) -> None:
    state, there = store.stat(act.uri), store.stat(act.target)
    if state is None:
        if there is None or not _has_digest(act, there, store):
            raise BlobVanished(f"{act.uri} is gone, and not in the quarantine.", "Index again.")
        return
    if state.etag != act.etag:
        _discard(there, state, store)
        raise BlobChanged(f"{act.uri} has changed since it was indexed.", "Index again.")
    state = replace(state, properties=act.properties)
    if not store.moves_by_copying and store.rename(state, act.target):
        return
    if there is not None and not (there.is_complete and _has_digest(act, there, store)):
        # The name holds the number of this run: it is what a cut-off copy of ours has left.
        _discard(there, state, store)
        there = None
    copied = there or _copied(state, act.target, store)
    if not _is_good(act, state, copied, store):
        _discard(copied, state, store)
        raise BlobChanged(f"The copy of {act.uri} in the quarantine has other content.")
    (error,) = store.delete([state])
    if error is not None:
        if isinstance(error, (BlobChanged, ActRefused)):
            _discard(copied, state, store)
        raise error


def _copied(state: BlobState, target: str, store: BlobActions) -> BlobState:
    try:
        return store.copy(state, target)
    except BlobConflict:
        # A request that was repeated, for its answer was lost.
        there = store.stat(target)
        if there is None:
            raise
        return there


def _is_good(act: Act, state: BlobState, copied: BlobState, store: BlobActions) -> bool:
    if copied.size != act.size or not copied.is_complete:
        return False
    if state.content_md5 and copied.content_md5 and state.content_md5 != copied.content_md5:
        return False
    return not act.is_digest_checked or _has_digest(act, copied, store)


def _bring_back(act: Act, store: BlobActions) -> None:
    there, kept = store.stat(act.uri), store.stat(act.target)
    if kept is None:
        if there is None:
            raise BlobVanished(f"{act.uri} is not in the quarantine any more ({act.target}).")
        _require_own(act, there, store)
        return
    is_one_file = there is not None and there.object_id and there.object_id == kept.object_id
    if there is not None and not there.is_complete:
        _discard(there, kept, store)
        there = None
    if there is not None and not is_one_file:
        _require_own(act, there, store)
        _discard(kept, there, store)
        return
    if not _has_digest(act, kept, store):
        raise BlobChanged(f"{act.target} has other content than what was put there.")
    if not store.moves_by_copying and store.rename(kept, act.uri):
        return
    copied = _copied(replace(kept, properties=act.properties), act.uri, store)
    if not _has_digest(act, copied, store):
        raise BlobChanged(f"{act.uri} was copied back with other content; {act.target} is whole.")
    _discard(kept, copied, store)


def _undelete(act: Act, store: BlobActions) -> None:
    there = store.stat(act.uri)
    if there is None:
        if not store.restore(act.uri, act.version_id):
            raise BlobVanished(
                f"{act.uri} cannot be brought back: the store has it no more.",
                f"A copy of the picture is {act.keep}.",
            )
        there = store.stat(act.uri)
    if there is None:
        raise BlobVanished(f"{act.uri} went away again as soon as it was back.")
    _require_own(act, there, store)


def _require_own(act: Act, there: BlobState, store: BlobActions) -> None:
    """That what has the name of the blob has its bytes."""
    if there.size != act.size or not _has_digest(act, there, store):
        raise BlobConflict(f"{act.uri} is another picture now.", "Nothing was changed there.")


def _present(act: Act, store: BlobActions) -> BlobState:
    state = store.stat(act.uri, with_properties=True)
    if state is None:
        raise BlobVanished(f"{act.uri} is gone.", "Index again.")
    if state.etag != act.etag:
        raise BlobChanged(f"{act.uri} has changed since it was indexed.", "Index again.")
    return state


def _has_digest(act: Act, state: BlobState, store: BlobActions) -> bool:
    return store.digest(state).hex() == act.digest


def _discard(state: BlobState | None, stays: BlobState, store: BlobActions) -> None:
    """Remove a second copy, of which `stays` is the other; never the same file under two names."""
    if state is None or (state.object_id and state.object_id == stays.object_id):
        return
    errors: list[DedupError | None] = store.delete([state])
    if errors[0] is not None:
        raise errors[0]
