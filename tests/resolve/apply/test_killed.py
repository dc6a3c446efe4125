"""Killed before and after every single change of the store: nothing twice, nothing lost.

On an account in memory every moment can be tried; `test_killed_processes.py` kills real processes.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from resolve.apply.journal import Journal, State
from storage.actions import Action
from storage.errors import ActRefused, CredentialsError, SourceUnavailable, UsageError
from tests.resolve.apply.worlds import OneStore, World, groups
from tests.storage.fake_blobs import FakeBlobs, Killed, Stored

ROOT = "az://account/photos"
QUARANTINE = "az://account/dedup-quarantine"
ACTIONS = [Action.TAG, Action.QUARANTINE, Action.DELETE]
CHANGES = ("tag", "copy", "delete", "restore", "set properties")


def make_world(base: Path, *, versioning: bool = False, count: int = 2) -> tuple[World, FakeBlobs]:
    """Some groups of blobs in an account that keeps what is deleted."""
    store = FakeBlobs(soft_delete=not versioning, versioning=versioning)
    contents, copies = groups(ROOT, count)
    for number, (uri, content) in enumerate(contents.items()):
        store.put(uri, content)
        store.set_tags(uri, {"number": str(number)})
    base.mkdir(parents=True, exist_ok=True)
    world = World(base, OneStore(store))
    world.index(contents, ROOT)
    world.list_copies(contents, copies)
    store.calls.clear()
    return world, store


def pictures(store: FakeBlobs) -> dict[str, tuple[object, ...]]:
    """What anybody can see: names without the number of the run, contents, properties."""
    return {
        _without_run(uri): (stored.content, stored.properties.as_json())
        for uri, stored in store.blobs.items()
    }


def _without_run(uri: str) -> str:
    if not uri.startswith(QUARANTINE):
        return uri
    return QUARANTINE + "/RUN/" + uri.removeprefix(QUARANTINE).split("/", 2)[2]


def kill_at(store: FakeBlobs, number: int, operations: tuple[str, ...] = CHANGES) -> None:
    """The process dies at that moment, and does nothing from then on."""
    seen = 0

    def hook(operation: str, uri: str, moment: str) -> None:
        nonlocal seen
        if operation in operations or seen > number:
            seen += 1
        if seen > number:
            raise Killed

    store.hook = hook


def until_it_ends(store: FakeBlobs, run: Callable[[], object], number: int) -> bool:
    """Runs it with a kill at that moment, and again without; False when the kill never came."""
    kill_at(store, number)
    try:
        run()
    except Killed:
        store.hook = lambda *_: None
        run()
        return True
    finally:
        store.hook = lambda *_: None
    return False


@pytest.mark.parametrize("versioning", [False, True], ids=["soft delete", "versions"])
@pytest.mark.parametrize("action", ACTIONS)
def test_apply_and_undo_killed_at_any_moment_end_as_if_undisturbed(tmp_path, action, versioning):
    world, store = make_world(tmp_path / "undisturbed", versioning=versioning)
    before = pictures(store)
    report = world.apply(action)
    assert (report.acted, report.skipped.total(), report.failed) == (4, 0, 0)
    after = pictures(store)
    assert after != before
    kills = 0
    for number in range(200):
        world, store = make_world(tmp_path / str(number), versioning=versioning)
        was_killed = until_it_ends(store, lambda w=world: w.apply(action), number)
        assert pictures(store) == after
        kills += was_killed
        was_killed_undoing = until_it_ends(store, world.undo, number)
        assert pictures(store) == before
        shutil.rmtree(tmp_path / str(number))
        if not was_killed and not was_killed_undoing:
            break
    assert kills >= 8


@pytest.mark.parametrize("action", ACTIONS)
def test_an_apply_that_was_killed_can_be_undone_as_it_is(tmp_path, action):
    for number in range(0, 40, 3):
        world, store = make_world(tmp_path / str(number))
        before = pictures(store)
        kill_at(store, number)
        try:
            world.apply(action)
        except Killed:
            store.hook = lambda *_: None
            world.undo()
            assert pictures(store) == before
        else:
            break
    assert number > 6


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_is_done_twice(tmp_path, action):
    world, store = make_world(tmp_path)
    world.apply(action)
    changes = [call for call in store.calls if call[0] in CHANGES]
    report = world.apply(action)
    assert (report.acted, report.acted_before) == (0, 4)
    assert [call for call in store.calls if call[0] in CHANGES] == changes
    assert len(changes) == len(set(changes))


def test_each_act_is_in_the_journal_before_the_store_is_touched(tmp_path):
    world, store = make_world(tmp_path)

    def hook(operation: str, uri: str, moment: str) -> None:
        if operation in CHANGES and moment == "before" and not uri.startswith(QUARANTINE):
            lines = world.journal_path().read_text().splitlines()
            assert any(State.BEGUN.value in line and _in_json(uri) in line for line in lines)

    store.hook = hook
    assert world.apply(Action.QUARANTINE).acted == 4


def _in_json(uri: str) -> str:
    return uri.encode("ascii", "backslashreplace").decode().replace("\\xfc", "\\u00fc")


@pytest.mark.parametrize("operation", ["read", "stat", "probe", *CHANGES[:3]])
@pytest.mark.parametrize("action", ACTIONS)
def test_faults_that_pass_leave_the_rest_to_the_next_run(tmp_path, action, operation):
    world, store = make_world(tmp_path / "undisturbed", count=6)
    world.apply(action)
    after = pictures(store)
    world, store = make_world(tmp_path / "faulty", count=6)
    asked = 0

    def hook(name: str, uri: str, moment: str) -> None:
        nonlocal asked
        if name == operation and moment == "before":
            asked += 1
            if asked % 5 == 1:
                raise SourceUnavailable(f"{uri} did not answer.")

    store.hook = hook
    report = world.apply(action)
    assert report.failed == 12 - report.acted
    assert (asked > 0) == (report.failed > 0)
    store.hook = lambda *_: None
    assert world.apply(action).failed == 0
    assert pictures(store) == after


def test_a_service_that_answers_nothing_is_not_asked_on(tmp_path):
    world, store = make_world(tmp_path, count=70)

    def hook(name: str, uri: str, moment: str) -> None:
        raise SourceUnavailable(f"{uri} did not answer.")

    store.hook = hook
    with pytest.raises(SourceUnavailable):
        world.apply(Action.TAG)
    assert len(store.calls) <= 64


def test_refused_credentials_stop_the_run_and_the_next_carries_on(tmp_path):
    world, store = make_world(tmp_path)

    def hook(name: str, uri: str, moment: str) -> None:
        if name == "delete":
            raise CredentialsError(f"Changing {uri} is refused.")

    store.hook = hook
    with pytest.raises(CredentialsError):
        world.apply(Action.QUARANTINE)
    store.hook = lambda *_: None
    assert world.apply(Action.QUARANTINE).acted == 4


def test_a_blob_that_changes_after_the_check_stays_and_leaves_no_copy_behind(tmp_path):
    world, store = make_world(tmp_path)
    victim = f"{ROOT}/000/exact ü.jpg"

    def hook(operation: str, uri: str, moment: str) -> None:
        if operation == "delete" and uri == victim and moment == "before":
            store.hook = lambda *_: None
            store.put(victim, b"somebody's new picture")

    store.hook = hook
    report = world.apply(Action.QUARANTINE)
    assert (report.acted, report.skipped.total()) == (3, 1)
    assert store.blobs[victim].content == b"somebody's new picture"
    assert not [uri for uri in store.blobs if uri.startswith(QUARANTINE) and uri.endswith(victim)]
    assert len([uri for uri in store.blobs if uri.startswith(QUARANTINE)]) == 3


def test_a_copy_with_other_content_is_removed_and_the_original_stays(tmp_path):
    world, store = make_world(tmp_path)

    def hook(operation: str, uri: str, moment: str) -> None:
        if operation == "copy" and moment == "after":
            stored = store.blobs[uri]
            store.blobs[uri] = Stored(b"?" * len(stored.content), stored.etag, stored.properties)

    before = pictures(store)
    store.hook = hook
    report = world.apply(Action.QUARANTINE)
    assert (report.acted, report.skipped.total()) == (0, 4)
    assert pictures(store) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_a_killed_act_whose_keeper_changed_meanwhile_is_taken_back(tmp_path, action):
    for number in range(10):
        world, store = make_world(tmp_path / str(number), count=1)
        before = pictures(store)
        kill_at(store, number)
        try:
            world.apply(action)
        except Killed:
            store.hook = lambda *_: None
            store.put(f"{ROOT}/000/keeper.jpg", b"another picture")
            report = world.apply(action)
            with Journal.open(world.journal_path()) as journal:
                done = {uri: store.blobs.get(uri) for uri in journal.uris(State.DONE)}
            kept = {uri: seen for uri, seen in before.items() if not uri.endswith("keeper.jpg")}
            now = pictures(store)
            assert {uri for uri in kept if now.get(uri) != kept[uri]} == set(done)
            assert report.acted == 0
        else:
            break
    assert number >= 4


@pytest.mark.parametrize("becomes", ["another picture", "nothing"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_keeper_that_changes_after_it_was_found_good_still_protects_its_copies(
    tmp_path, action, becomes
):
    world, store = make_world(tmp_path)
    keeper, before = f"{ROOT}/000/keeper.jpg", pictures(store)

    def hook(operation: str, uri: str, moment: str) -> None:
        if (operation, uri, moment) == ("read", keeper, "after") and keeper in store.blobs:
            if becomes == "nothing":
                del store.blobs[keeper]
            else:
                store.put(keeper, b"another picture")

    store.hook = hook
    report = world.apply(action)
    assert report.acted == 2
    assert report.skipped.total() == 2
    assert all(reason.startswith("its keeper") for reason in report.skipped)
    now = pictures(store)
    assert {uri for uri in before if "/000" in uri and now.get(uri) != before[uri]} == {keeper}


def test_a_leased_blob_stays(tmp_path):
    world, store = make_world(tmp_path)
    store.lease(f"{ROOT}/000/exact ü.jpg")
    report = world.apply(Action.DELETE)
    assert (report.acted, dict(report.skipped)) == (3, {"it is leased: somebody is using it": 1})
    assert f"{ROOT}/000/exact ü.jpg" in store.blobs


def test_deleting_is_refused_where_nothing_is_kept(tmp_path):
    world, store = make_world(tmp_path)
    store._soft_delete = False
    before = pictures(store)
    with pytest.raises(UsageError, match="soft delete or versioning"):
        world.apply(Action.DELETE)
    assert pictures(store) == before
    assert world.apply(Action.DELETE, needs_undo=False).acted == 4
    report = world.undo()
    assert (report.undone, report.failed) == (0, 4)


def test_undo_says_what_is_gone_for_good_and_brings_back_the_rest(tmp_path):
    world, store = make_world(tmp_path)
    before = pictures(store)
    world.apply(Action.DELETE)
    lost = f"{ROOT}/000/exact ü.jpg"
    del store.deleted[lost]
    report = world.undo()
    assert (report.undone, report.failed) == (3, 1)
    assert report.examples[0].uri == lost
    assert "keeper.jpg" in report.examples[0].reason
    assert pictures(store) == {uri: seen for uri, seen in before.items() if uri != lost}


def test_undo_does_not_write_over_what_has_the_name_now(tmp_path):
    world, store = make_world(tmp_path)
    world.apply(Action.QUARANTINE)
    taken = f"{ROOT}/000/exact ü.jpg"
    store.put(taken, b"somebody's new picture")
    report = world.undo()
    assert (report.undone, report.failed) == (3, 1)
    assert store.blobs[taken].content == b"somebody's new picture"
    assert len([uri for uri in store.blobs if uri.startswith(QUARANTINE)]) == 1
    # Once it is out of the way, the same command brings back the last one.
    del store.blobs[taken]
    report = world.undo()
    assert (report.undone, report.undone_before, report.failed) == (1, 3, 0)


def test_undo_leaves_tags_that_somebody_set_meanwhile(tmp_path):
    world, store = make_world(tmp_path)
    uri = f"{ROOT}/000/exact ü.jpg"
    number = store.blobs[uri].properties.tags["number"]
    world.apply(Action.TAG)
    assert store.blobs[uri].properties.tags == {"number": number, "dedup": "delete"}
    store.set_tags(uri, {"dedup": "delete", "looked-at": "yes"})
    world.undo()
    assert store.blobs[uri].properties.tags == {"looked-at": "yes"}


def test_undo_refuses_a_quarantined_copy_that_was_tampered_with(tmp_path):
    world, store = make_world(tmp_path)
    world.apply(Action.QUARANTINE)
    hidden = next(uri for uri in store.blobs if uri.startswith(QUARANTINE))
    store.put(hidden, b"other bytes")
    report = world.undo()
    assert (report.undone, report.failed) == (3, 1)
    assert "other content" in report.examples[0].reason


def test_what_was_undone_can_be_done_again_with_a_journal_of_its_own(tmp_path):
    world, store = make_world(tmp_path)
    before = pictures(store)
    world.apply(Action.TAG)
    after = pictures(store)
    first = world.journal_path()
    world.undo()
    written = first.read_bytes()
    assert world.apply(Action.TAG).acted == 4
    assert pictures(store) == after
    assert first.read_bytes() == written
    second = first.with_name(f"{first.stem}-2.jsonl")
    assert world.undo(second).undone == 4
    assert pictures(store) == before


def test_an_undo_that_did_not_end_is_finished_before_anything_is_done_again(tmp_path):
    world, store = make_world(tmp_path)
    world.apply(Action.DELETE)
    (lost, kept) = next(iter(store.deleted.items()))
    del store.deleted[lost]
    assert world.undo().failed == 1
    with pytest.raises(UsageError, match="undone"):
        world.apply(Action.DELETE)
    store.deleted[lost] = kept
    assert world.undo().undone == 1
    assert world.apply(Action.DELETE).acted_before == 0


def test_a_batch_in_which_some_cannot_be_deleted_is_reported_blob_by_blob(tmp_path):
    world, store = make_world(tmp_path, count=6)

    def hook(operation: str, uri: str, moment: str) -> None:
        if operation == "delete" and moment == "before" and "/lesser/" in uri:
            raise ActRefused(f"{uri} stays as it is: it has snapshots.")

    store.hook = hook
    report = world.apply(Action.DELETE)
    assert report.acted == 6
    assert report.skipped == {"it stays as it is: it has snapshots": 6}
    assert len(store.blobs) == 12
    assert all("/lesser/" in uri or "keeper" in uri for uri in store.blobs)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_dry_run_says_the_same_and_changes_nothing(tmp_path, action):
    world, store = make_world(tmp_path)
    before = pictures(store)
    report = world.apply(action, is_dry=True)
    assert (report.acted, report.skipped.total(), report.failed) == (4, 0, 0)
    assert {name for name, _ in store.calls} == {"stat"}
    assert pictures(store) == before
    assert not list(world.list_path.parent.glob("*.jsonl"))
    assert world.apply(action).bytes_acted == report.bytes_acted


def test_the_keeper_of_many_copies_is_read_once(tmp_path):
    world, store = make_world(tmp_path)

    def hook(operation: str, uri: str, moment: str) -> None:
        # As a download does: it takes long enough for the other copy to ask too.
        if operation == "read" and moment == "before":
            time.sleep(0.05)

    store.hook = hook
    world.apply(Action.TAG)
    reads = [uri for operation, uri in store.calls if operation == "read"]
    assert sorted(reads) == sorted(set(reads))
    assert len(reads) == 6


def test_with_etags_trusted_a_byte_of_the_keeper_is_all_that_is_read(tmp_path):
    world, store = make_world(tmp_path)
    assert world.apply(Action.QUARANTINE, checks_digests=False).acted == 4
    assert [call for call in store.calls if call[0] == "read"] == []
    assert len([call for call in store.calls if call[0] == "probe"]) == 2
