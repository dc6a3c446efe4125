"""Which blobs a run looks at."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.selection import Choice, Selection, compile_pattern
from storage.blob import Blob
from storage.errors import UsageError

ROOT = "az://acme/photos"


def chosen(name: str, **selection) -> Choice:
    return Selection(**selection).choose(Blob(f"{ROOT}/{name}", 1, "e", 100.0), ROOT)


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("*.jpg", "a.jpg", True),
        ("*.jpg", "deep/er/a.jpg", True),
        ("*.jpg", "a.JPG", False),
        ("*.jpg", "a.jpg/b.png", False),
        ("/*.jpg", "a.jpg", True),
        ("/*.jpg", "deep/a.jpg", False),
        ("2024/*.jpg", "2024/a.jpg", True),
        ("2024/*.jpg", "old/2024/a.jpg", False),
        ("2024/*.jpg", "2024/05/a.jpg", False),
        ("2024/**", "2024/05/a.jpg", True),
        ("2024/**/a.jpg", "2024/a.jpg", True),
        ("2024/**/a.jpg", "2024/05/06/a.jpg", True),
        ("**/thumbs/**", "thumbs/a.jpg", True),
        ("**/thumbs/**", "x/y/thumbs/a.jpg", True),
        ("**/thumbs/**", "x/my-thumbs/a.jpg", False),
        ("thumbs/", "thumbs/x/a.jpg", True),
        ("thumbs/", "x/thumbs/a.jpg", False),
        ("scan-??.tif", "scan-07.tif", True),
        ("scan-??.tif", "scan-7.tif", False),
        ("?.jpg", "/.jpg", False),
        ("[a-c]1.jpg", "b1.jpg", True),
        ("[!a-c]1.jpg", "b1.jpg", False),
        ("[]]1.jpg", "]1.jpg", True),
        ("[--9]1.jpg", "51.jpg", True),
        ("[+--]1.jpg", ",1.jpg", True),
        ("[a&&b~~c||d]1.jpg", "~1.jpg", True),
        ("a.jpg", "aXjpg", False),
        ("line\nbreak*", "x/line\nbreak\n.jpg", True),
        ("*", "anything\n.jpg", True),
        ("(a|b)+.jpg", "(a|b)+.jpg", True),
        ("[a", "[a", True),
    ],
)
def test_a_pattern_matches_as_it_is_documented(pattern, name, is_match):
    assert bool(compile_pattern(pattern).fullmatch(name)) is is_match


@pytest.mark.filterwarnings("error")
@given(st.text("ab/.[]!*?-&~|\n", min_size=1, max_size=8))
def test_any_pattern_is_an_expression_or_is_refused(pattern):
    try:
        compile_pattern(pattern).fullmatch("a/b.a")
    except UsageError as error:
        assert repr(pattern) in error.message


@given(st.text("ab.*?", min_size=1, max_size=8), st.text("ab.", max_size=6))
def test_without_slashes_it_is_what_shells_do(pattern, name):
    expected = fnmatch.fnmatchcase(name, pattern.replace("**", "*"))
    assert bool(compile_pattern(pattern).fullmatch(name)) is expected


@pytest.mark.parametrize("pattern", ["", "/", "a//b", "[z-a].jpg"])
def test_a_pattern_that_can_match_nothing_is_refused(pattern):
    with pytest.raises(UsageError, match="pattern"):
        Selection(include=(pattern,))


def test_without_any_condition_everything_is_looked_at():
    assert chosen("a.jpg") is Choice.LOOK


def test_what_is_excluded_is_left_out_even_when_it_is_included():
    both = {"include": ("2024/**",), "exclude": ("*.png",)}
    assert chosen("2024/a.jpg", **both) is Choice.LOOK
    assert chosen("2024/a.png", **both) is Choice.EXCLUDED
    assert chosen("2023/a.jpg", **both) is Choice.EXCLUDED


def test_one_of_several_patterns_is_enough():
    several = {"include": ("*.jpg", "*.tif")}
    assert chosen("a.tif", **several) is Choice.LOOK
    assert chosen("a.png", **several) is Choice.EXCLUDED


def test_names_are_those_below_the_source():
    at_root = Selection(include=("photos/*",))
    assert at_root.choose(Blob("/photos/a.jpg", 1, "e", 1.0), "/") is Choice.LOOK
    assert at_root.choose(Blob("/photos/a.jpg", 1, "e", 1.0), "/photos") is Choice.EXCLUDED


def test_what_was_modified_at_that_moment_is_looked_at():
    assert chosen("a.jpg", since=100.0) is Choice.LOOK
    assert chosen("a.jpg", since=100.1) is Choice.OLDER


def test_scopes_differ_when_the_selections_do():
    selections = [
        Selection(),
        Selection(include=("a",)),
        Selection(exclude=("a",)),
        Selection(since=1.0),
        Selection(include=("a", "b")),
    ]
    assert len({selection.scope for selection in selections}) == len(selections)
    assert Selection(include=("a",)).scope == Selection(include=("a",)).scope
