"""The journal survives being cut off, and is never taken for what it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resolve.apply.journal import Header, Journal, State
from resolve.apply.steps import Act
from storage.actions import Action, Properties
from storage.errors import IndexLocked, IndexStorageError, UsageError

HEADER = Header("run-1", "quarantine", "ab" * 32, "/lists/delete.csv", "/q", 1.5)


def act(uri: str) -> Act:
    properties = Properties(
        headers={"content_type": "image/jpeg"},
        metadata={"who": "me"},
        tags={"a": "b"},
        mode=0o640,
        modified_ns=1_500_000_000_123_456_789,
        attributes={"user.x": "eA=="},
    )
    return Act(
        Action.TAG, uri, "0x1", 5, "cd" * 32, "/k.jpg", "0x2", tag=("dedup", "delete"),
        properties=properties,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def written(path: Path) -> None:
    with Journal.create_or_open(path, HEADER) as journal:
        journal.begin([act("/a.jpg"), act("/b\udcff ü.jpg")])
        journal.note(State.DONE, {"/a.jpg": ""})


def test_what_was_written_is_read_again(path):
    written(path)
    with Journal.create_or_open(path, HEADER) as journal:
        assert journal.header == HEADER
        assert journal.state("/a.jpg") is State.DONE
        assert journal.state("/b\udcff ü.jpg") is State.BEGUN
        assert journal.state("/c.jpg") is None
        assert journal.act("/b\udcff ü.jpg") == act("/b\udcff ü.jpg")
        assert journal.uris(State.BEGUN, State.DONE) == ["/b\udcff ü.jpg", "/a.jpg"]


def test_cut_off_anywhere_it_holds_what_was_written_before(path):
    written(path)
    content = path.read_bytes()
    ends = [end for end in range(len(content)) if content[end : end + 1] == b"\n"]
    for cut in range(0, len(content), 7):
        path.write_bytes(content[:cut])
        with Journal.create_or_open(path, HEADER) as journal:
            lines = sum(end < cut for end in ends)
            states = [journal.state("/a.jpg"), journal.state("/b\udcff ü.jpg")]
            wanted = [None, None] if lines < 2 else [State.BEGUN, None]
            assert states == ([State.BEGUN, State.BEGUN] if lines == 3 else wanted)
            journal.begin([act("/c.jpg")])
        with Journal.open(path) as journal:
            assert journal.act("/c.jpg") == act("/c.jpg")


def torn(path: Path, at: int, size: int) -> None:
    """A stretch of the file is zeros: it was given its length, and the content was lost."""
    content = path.read_bytes()
    path.write_bytes(content[:at] + bytes(size) + content[at + size :])


def test_holes_in_what_was_added_last_are_what_a_loss_of_power_left_and_had_not_begun(path):
    written(path)
    start = path.stat().st_size
    with Journal.open(path) as journal:
        journal.begin([act(f"/late {n}.jpg") for n in range(5)])
    whole = path.read_bytes()
    for at in range(start, len(whole) - 300, 97):
        path.write_bytes(whole)
        torn(path, at, 300)
        with Journal.open(path) as journal:
            assert journal.state("/a.jpg") is State.DONE
            lines_before = whole[start:at].count(b"\n")
            assert journal.count(State.BEGUN) == 1 + lines_before
            journal.begin([act("/new.jpg")])
        with Journal.open(path) as journal:
            assert journal.state("/new.jpg") is State.BEGUN


def test_holes_in_what_was_added_before_are_damage(path):
    written(path)
    at = path.read_bytes().index(b'"/a.jpg"')
    torn(path, at, 4)
    with pytest.raises(UsageError, match="damaged"):
        Journal.open(path)


def test_what_an_earlier_version_wrote_is_read_and_added_to(path):
    written(path)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        line.pop("append", None)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Journal.open(path) as journal:
        journal.note(State.DONE, {"/b\udcff ü.jpg": ""})
    with Journal.open(path) as journal:
        assert journal.count(State.DONE) == 2


def test_a_damaged_line_is_an_error(path):
    written(path)
    path.write_bytes(path.read_bytes().replace(b'"begun"', b'"bogus"', 1))
    with pytest.raises(UsageError, match="damaged"):
        Journal.open(path)
    path.write_bytes(path.read_bytes().replace(b'{"state"', b'#"state"', 1))
    with pytest.raises(UsageError, match="damaged"):
        Journal.open(path)


@pytest.mark.parametrize("text", ["", "{}\n", "[]\n", "path,keep\n", '{"journal": 1}\n'])
def test_another_file_is_no_journal(path, text):
    path.write_text(text)
    with pytest.raises(UsageError, match="journal"):
        Journal.open(path)


def test_a_journal_of_a_newer_version_is_refused(path):
    path.write_text('{"journal": 2}\n')
    with pytest.raises(UsageError, match="layout 2"):
        Journal.open(path)


@pytest.mark.parametrize(
    "other",
    [
        Header("run-2", "quarantine", "ef" * 32, "/lists/delete.csv", "/q", 2.5),
        Header("run-2", "delete", "ab" * 32, "/lists/delete.csv", "", 2.5),
        Header("run-2", "quarantine", "ab" * 32, "/lists/delete.csv", "/other", 2.5),
    ],
    ids=["list", "action", "quarantine"],
)
def test_a_journal_of_something_else_is_not_added_to(path, other):
    written(path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="journal"):
        Journal.create_or_open(path, other)
    assert path.read_bytes() == before


def test_two_processes_do_not_share_a_journal(path):
    written(path)
    with Journal.open(path), pytest.raises(IndexLocked):
        Journal.open(path)


def test_secrets_in_reasons_are_not_written(path):
    with Journal.create_or_open(path, HEADER) as journal:
        journal.note(State.SKIPPED, {"/a.jpg": "https://x/y?sv=1&sig=AbC%2Fd&se=2 is refused"})
    assert "AbC" not in path.read_text()
    assert "REDACTED" in path.read_text()


def test_a_journal_that_cannot_be_written_stops_what_it_is_for(tmp_path):
    with pytest.raises(IndexStorageError, match="journal"):
        Journal.create_or_open(tmp_path / "nowhere" / "journal.jsonl", HEADER)
