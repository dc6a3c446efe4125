"""Whatever is not certain is left alone, and said."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from resolve.apply import plan
from resolve.apply.facts import Known, RowFacts
from resolve.apply.plan import Rules, Skip, Task, plan_row, why_not_now
from resolve.apply.rows import Row
from resolve.preferences import Prefixes
from storage.actions import Action, BlobState
from storage.records import BlobEntry, BlobStatus
from verify.verdict import Relation, Verdict

KEEPER_DIGEST, COPY_DIGEST = sha256(b"keeper").digest(), sha256(b"copy").digest()
ROW = Row("/p/a.jpg", "/p/b.jpg", Relation.RESIZED, 0.998, 12, KEEPER_DIGEST.hex()[:16])
EXACT = replace(ROW, relation=Relation.EXACT, score=1.0)
VERDICT = Verdict(Relation.RESIZED, 0.99801, a_covers_b=True, b_covers_a=False)
TAG = Rules(Action.TAG, Prefixes(()))


def known(uri: str, digest: bytes, size: int = 12) -> Known:
    return Known(
        BlobEntry(uri, size, f"etag of {uri}", 1.0, "", "/p", BlobStatus.INDEXED, 1), digest
    )


COPY, KEEPER = known(ROW.path, COPY_DIGEST), known(ROW.keep, KEEPER_DIGEST, size=99)
FACTS = RowFacts(COPY, KEEPER, verdict=VERDICT)
SAME = RowFacts(known(ROW.path, KEEPER_DIGEST), KEEPER)


def unreadable(known_blob: Known) -> Known:
    return Known(replace(known_blob.entry, status=BlobStatus.UNREADABLE), b"")


def test_a_row_that_list_and_index_agree_on_may_be_acted_on():
    task = plan_row(ROW, FACTS, TAG)
    assert task == Task(
        ROW, "etag of /p/a.jpg", "etag of /p/b.jpg", COPY_DIGEST.hex(), KEEPER_DIGEST.hex()
    )
    assert isinstance(plan_row(EXACT, SAME, TAG), Task)


@pytest.mark.parametrize(
    ("row", "facts", "reason"),
    [
        (ROW, RowFacts(None, KEEPER), plan.NOT_INDEXED),
        (ROW, RowFacts(COPY, None), plan.KEEPER_NOT_INDEXED),
        (ROW, replace(FACTS, copy=unreadable(COPY)), plan.UNREADABLE),
        (ROW, replace(FACTS, keeper=unreadable(KEEPER)), plan.KEEPER_UNREADABLE),
        (ROW, replace(FACTS, is_in_reference=True), plan.IN_REFERENCE),
        (ROW, replace(FACTS, is_wanted=True), plan.DECIDED_KEEP),
        (ROW, replace(FACTS, is_apart=True), plan.DECIDED_APART),
        (replace(ROW, size=13), FACTS, plan.OTHER_SIZE),
        (replace(ROW, group="0123456789abcdef"), FACTS, plan.OTHER_GROUP),
        (replace(ROW, group=""), FACTS, plan.OTHER_GROUP),
        (EXACT, FACTS, plan.NOT_EXACT),
        (ROW, replace(FACTS, verdict=None), plan.NO_VERDICT),
        (ROW, replace(FACTS, verdict=replace(VERDICT, score=0.5)), plan.OTHER_VERDICT),
        (
            ROW,
            replace(FACTS, verdict=replace(VERDICT, relation=Relation.CROPPED)),
            plan.OTHER_VERDICT,
        ),
        (ROW, replace(FACTS, verdict=VERDICT.reversed()), plan.OTHER_VERDICT),
    ],
)
def test_what_list_and_index_do_not_agree_on_is_skipped(row, facts, reason):
    assert plan_row(row, facts, TAG) == Skip(ROW.path, reason)


@pytest.mark.parametrize("who", ["copy", "keeper"])
def test_what_is_known_by_size_and_md5_must_be_read(who):
    copy, keeper = known("/p/a.jpg", KEEPER_DIGEST), known("/p/b.jpg", KEEPER_DIGEST)
    facts = RowFacts(copy, keeper)
    task = plan_row(EXACT, facts, TAG)
    assert isinstance(task, Task)
    assert not task.must_be_read
    read = getattr(facts, who)
    unread = replace(read, entry=replace(read.entry, is_unread=True))
    task = plan_row(EXACT, replace(facts, **{who: unread}), TAG)
    assert isinstance(task, Task)
    assert task.must_be_read


def test_what_is_protected_is_skipped():
    rules = Rules(Action.TAG, Prefixes(("/p",)))
    assert plan_row(ROW, FACTS, rules) == Skip(ROW.path, plan.PROTECTED)


def test_only_the_same_bytes_are_linked():
    rules = Rules(Action.LINK, Prefixes(()))
    assert plan_row(ROW, FACTS, rules) == Skip(ROW.path, plan.LINK_INEXACT)
    assert isinstance(plan_row(EXACT, SAME, rules), Task)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/elsewhere", ""),
        ("/p2", ""),
        ("/p", plan.IN_QUARANTINE),
        ("/p/quarantine", plan.IN_QUARANTINE),
        ("az://account/dedup-quarantine", plan.OTHER_STORE),
        ("", plan.OTHER_STORE),
    ],
)
def test_a_quarantine_is_in_the_same_store_and_not_in_the_source(place, reason):
    planned = plan_row(ROW, FACTS, Rules(Action.QUARANTINE, Prefixes(()), place))
    assert (planned.reason if isinstance(planned, Skip) else "") == reason


def test_blobs_have_a_quarantine_in_their_account_by_default():
    uri = "az://account/photos/a.jpg"
    facts = replace(
        FACTS, copy=Known(replace(COPY.entry, source="az://account/photos"), COPY_DIGEST)
    )
    row = replace(ROW, path=uri)
    assert isinstance(plan_row(row, facts, Rules(Action.QUARANTINE, Prefixes(()))), Task)
    assert plan.quarantine_place("", uri) == "az://account/dedup-quarantine"


STATE = BlobState(ROW.path, 12, "etag of /p/a.jpg", object_id="1:2")
KEEPER_STATE = BlobState(ROW.keep, 99, "etag of /p/b.jpg", object_id="1:3")


@pytest.mark.parametrize(
    ("state", "keeper", "reason"),
    [
        (STATE, KEEPER_STATE, ""),
        (None, KEEPER_STATE, plan.GONE),
        (STATE, None, plan.KEEPER_GONE),
        (replace(STATE, etag="new"), KEEPER_STATE, plan.CHANGED),
        (STATE, replace(KEEPER_STATE, etag="new"), plan.KEEPER_CHANGED),
        (replace(STATE, refusal="leased"), KEEPER_STATE, "it is leased"),
        (STATE, replace(KEEPER_STATE, object_id="1:2"), plan.SAME_OBJECT),
        (replace(STATE, is_complete=False), KEEPER_STATE, "it is being copied to"),
    ],
)
def test_what_is_not_any_more_as_it_was_indexed_is_skipped(state, keeper, reason):
    task = plan_row(ROW, FACTS, TAG)
    assert isinstance(task, Task)
    assert why_not_now(state, keeper, task) == reason
