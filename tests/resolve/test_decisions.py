"""Earlier decisions are read from decisions.jsonl, and never passed over in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resolve.decisions import Decisions, read_decisions
from storage.errors import IndexStorageError, UsageError

ONE, TWO = "11" * 32, "22" * 32


def _file(folder: Path, *lines: str) -> Path:
    path = folder / "decisions.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_both_kinds_are_read_and_other_keys_ignored(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        json.dumps({"a": TWO, "b": ONE, "decision": "not_same", "who": "me\u2028"}),
        "",
        json.dumps({"digest": ONE, "decision": "keep"}),
    )
    low, high = bytes.fromhex(ONE), bytes.fromhex(TWO)
    assert read_decisions(path) == Decisions(frozenset({(low, high)}), frozenset({low}))


def test_a_file_that_does_not_exist_holds_none(tmp_path: Path) -> None:
    assert len(read_decisions(tmp_path / "decisions.jsonl")) == 0


def test_several_files_are_taken_together(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    first = _file(tmp_path, json.dumps({"digest": ONE, "decision": "keep"}))
    second = _file(tmp_path / "x", json.dumps({"digest": TWO, "decision": "keep"}))
    assert len(read_decisions(first, second)) == 2


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"decision": "keep"}',
        '{"digest": "12", "decision": "keep"}',
        '{"digest": 12, "decision": "keep"}',
        json.dumps({"digest": ONE, "decision": "perhaps"}),
        json.dumps({"a": ONE, "b": ONE, "decision": "not_same"}),
        json.dumps({"a": ONE, "decision": "not_same"}),
    ],
)
def test_a_line_that_is_no_decision_is_an_error_with_its_number(tmp_path: Path, line: str) -> None:
    path = _file(tmp_path, json.dumps({"digest": ONE, "decision": "keep"}), line)
    with pytest.raises(UsageError, match="line 2"):
        read_decisions(path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IndexStorageError, match="decisions"):
        read_decisions(tmp_path)
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_decisions(tmp_path / "binary.jsonl")
