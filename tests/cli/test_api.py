"""The example of docs/python.md, run as it stands."""

from __future__ import annotations

import doctest
import os
from pathlib import Path

import pytest

from cli import api
from storage.errors import UsageError
from tests.cli.helpers import ROOT, clean_environment, fill_gallery


def test_the_documented_example_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_gallery(tmp_path / "gallery")
    monkeypatch.chdir(tmp_path)
    wanted = clean_environment()
    for name in set(os.environ) - set(wanted):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DEDUP_RUNTIME", wanted["DEDUP_RUNTIME"])
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    example = doctest.DocTestParser().get_doctest(text, {}, "python.md", "docs/python.md", 0)
    assert len(example.examples) > 10
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert result.failed == 0, "".join(said)


def test_a_setting_that_does_not_exist_is_said_with_what_was_probably_meant(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="strictness"):
        api.resolve(tmp_path, out=tmp_path, strictnes="safe")
    with pytest.raises(UsageError, match="no end"):
        api.index(tmp_path, into=tmp_path / "index", watch=True)
    with pytest.raises(UsageError, match="resolve"):
        next(api.iterate_groups(tmp_path))
