"""What the review writes is what resolve reads; undo touches nothing that others wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolve.decisions import read_decisions
from resolve.review.decisions_file import Apart, DecisionsFile, Kept
from storage.errors import IndexLocked, IndexStorageError

ONE, TWO, THREE = "11" * 32, "22" * 32, "33" * 32


def test_a_decision_is_in_the_file_when_add_returns(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    with DecisionsFile.open(path) as file:
        assert file.add([Apart(TWO, ONE), Kept(THREE)], "group") == 2
        read = read_decisions(path)
        assert read == file.known
        assert read.not_same == {(bytes.fromhex(ONE), bytes.fromhex(TWO))}
        assert read.keep == {bytes.fromhex(THREE)}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row["by"] for row in rows} == {"dedup review"}
    assert {row["group"] for row in rows} == {"group"}


def test_what_is_known_is_not_written_again(tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"digest": ONE, "decision": "keep"}) + "\n")
    with DecisionsFile.open(tmp_path / "decisions.jsonl", [other]) as file:
        assert file.add([Kept(ONE)], "") == 0
        assert file.add([Apart(ONE, TWO)], "") == 1
        assert file.add([Apart(TWO, ONE)], "") == 0
        assert not file.can_undo or file.undo() == ""
    assert other.read_text().count("\n") == 1


def test_undo_takes_back_one_entry_at_a_time_and_says_where(tmp_path: Path) -> None:
    with DecisionsFile.open(tmp_path / "decisions.jsonl") as file:
        file.add([Kept(ONE)], "first")
        file.add([Kept(TWO), Kept(THREE)], "second")
        assert file.undo() == "second"
        assert file.known.keep == {bytes.fromhex(ONE)}
        assert file.undo() == "first"
        assert file.undo() is None
        assert not file.can_undo


@settings(deadline=None)
@given(st.lists(st.sampled_from(["keep", "apart", "undo"]), max_size=12), st.booleans())
def test_undo_leaves_the_lines_of_others_letter_by_letter(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], ends_its_line: bool
) -> None:
    path = tmp_path_factory.mktemp("decisions") / "decisions.jsonl"
    by_hand = f' {{"decision":"keep",  "digest":"{"ab" * 32}","who":"m\u00e9"}}\n\n'
    by_hand += f'{{"digest":"{"cd" * 32}", "decision":"keep"}}' + "\n" * ends_its_line
    path.write_text(by_hand, encoding="utf-8")
    with DecisionsFile.open(path) as file:
        for number, step in enumerate(steps):
            if step == "undo":
                file.undo()
            else:
                digest = f"{number:064x}"
                file.add([Kept(digest) if step == "keep" else Apart(digest, ONE)], "")
            assert file.known == read_decisions(path)
        while file.undo() is not None:
            pass
    assert path.read_text(encoding="utf-8").removesuffix("\n") == by_hand.removesuffix("\n")


def test_one_review_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    with (
        DecisionsFile.open(path),
        pytest.raises(IndexLocked, match="Another review"),
        DecisionsFile.open(path),
    ):
        pass
    with DecisionsFile.open(path):
        pass


def test_a_folder_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(IndexStorageError, match="Decisions cannot be written"),
        DecisionsFile.open(tmp_path / "none" / "decisions.jsonl"),
    ):
        pass
