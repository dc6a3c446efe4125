"""The rules of --prefer, and folders by whole path components."""

from __future__ import annotations

from pathlib import Path

import pytest

from resolve.preferences import Preference, PreferenceKind, Prefixes, parse_preferences
from storage.errors import UsageError


def test_rules_are_read_in_their_order() -> None:
    assert parse_preferences(("Folder: /a:b", "format:jpg", "OLDEST")) == (
        Preference(PreferenceKind.FOLDER, "/a:b"),
        Preference(PreferenceKind.FORMAT, "JPEG"),
        Preference(PreferenceKind.OLDEST),
    )


@pytest.mark.parametrize("rule", ["", "prettiest", "folder", "folder:", "format:doc", "oldest:x"])
def test_a_rule_that_is_none_is_an_error_with_the_remedy(rule: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_preferences((rule,))
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("prefix", "uri", "lies_under"),
    [
        ("/ref", "/ref/a.jpg", True),
        ("/ref/", "/ref/b/a.jpg", True),
        ("/ref", "/reference/a.jpg", False),
        ("/ref/a.jpg", "/ref/a.jpg", True),
        ("/", "/anything.jpg", True),
        ("az://account/container", "az://account/container/x.jpg", True),
        ("az://account/container/", "az://account/container/x/y.jpg", True),
        ("az://account/cont", "az://account/container/x.jpg", False),
    ],
)
def test_a_prefix_holds_whole_components(prefix: str, uri: str, lies_under: bool) -> None:
    assert Prefixes((prefix,)).match(uri) == (prefix if lies_under else None)


def test_a_relative_folder_and_one_behind_a_link_are_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    uri = str((tmp_path / "real").resolve() / "a.jpg")
    assert Prefixes(("link",)).match(uri) == "link"
    assert Prefixes(("./real",)).match(uri) == "./real"
