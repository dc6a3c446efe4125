"""Blobs known by their size and MD5 only: both of a pair are read before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from resolve.apply.check import KEEPER_OTHER_CONTENT, OTHER_CONTENT
from storage.actions import Action
from tests.resolve.apply.worlds import Copy, OneStore, World
from tests.storage.fake_blobs import FakeBlobs

ROOT = "az://account/photos"
KEEPER, COPY, UNREAD, OTHER = (f"{ROOT}/{n}.jpg" for n in ("keeper", "copy", "unread", "other"))
ACTIONS = [Action.TAG, Action.QUARANTINE, Action.DELETE]
BELIEVED = {
    KEEPER: b"the content of the picture",
    COPY: b"the content of the picture",
    UNREAD: b"the content of the picture",
    OTHER: b"a lesser copy of it",
}


def _world(base: Path, *, unread: str, really: bytes | None = None, keep: str = KEEPER):
    store = FakeBlobs(soft_delete=True)
    for uri, content in BELIEVED.items():
        store.put(uri, really if uri == unread and really is not None else content)
    world = World(base, OneStore(store))
    world.index(BELIEVED, ROOT, unread=[unread])
    copies = [uri for uri in BELIEVED if uri != keep]
    world.list_copies(BELIEVED, [Copy(uri, keep) for uri in copies])
    store.calls.clear()
    return world, store


@pytest.mark.parametrize("action", ACTIONS)
def test_an_unread_copy_and_its_keeper_are_read_whatever_is_checked(tmp_path, action):
    world, store = _world(tmp_path, unread=UNREAD)
    assert world.apply(action, checks_digests=False).acted == 3
    reads = [uri for operation, uri in store.calls if operation == "read"]
    # What is moved by copying is read where it was copied to.
    assert len(reads) == 2
    assert KEEPER in reads
    assert reads[0 if reads[1] == KEEPER else 1].endswith("unread.jpg")


@pytest.mark.parametrize("action", ACTIONS)
def test_an_unread_copy_with_other_content_stays(tmp_path, action):
    world, store = _world(tmp_path, unread=UNREAD, really=b"another picture altogether")
    report = world.apply(action, checks_digests=False)
    assert report.acted == 2
    assert store.blobs[UNREAD].content == b"another picture altogether"
    assert store.blobs[UNREAD].properties.tags == {}
    if action is not Action.QUARANTINE:
        assert report.skipped == {OTHER_CONTENT: 1}


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_goes_for_an_unread_keeper_with_other_content(tmp_path, action):
    world, store = _world(
        tmp_path, unread=UNREAD, keep=UNREAD, really=b"another one altogether...."
    )
    report = world.apply(action, checks_digests=False)
    assert (report.acted, report.skipped) == (0, {KEEPER_OTHER_CONTENT: 3})
    assert len(store.blobs) == 4


def test_an_unread_keeper_that_is_what_it_was_taken_for_is_read_once(tmp_path):
    world, store = _world(tmp_path, unread=UNREAD, keep=UNREAD)
    assert world.apply(Action.TAG, checks_digests=False).acted == 3
    reads = [uri for operation, uri in store.calls if operation == "read"]
    assert sorted(reads) == sorted([KEEPER, COPY, UNREAD, OTHER])
