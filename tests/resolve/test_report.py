"""The report is one page that asks for nothing, escapes everything and shows the least certain."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from resolve import report
from resolve.lists import write_lists
from resolve.report import write_report
from resolve.resolve import Resolution, ResolveOptions, resolve
from storage.catalog import Catalog
from tests.resolve.invented import ToldVerdicts, candidates, copy, image
from verify.verdict import Relation, Verdict

Make = Callable[..., Catalog]
_VOID = {"meta", "link", "img", "input", "br", "hr"}


class _Page(HTMLParser):
    """Elements with their attributes, text by element, and whether tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def _resolution(catalog: Catalog, told: dict[tuple[int, int], Verdict]) -> Resolution:
    return resolve(catalog, candidates(told), ToldVerdicts(told), ResolveOptions())


def _page(catalog: Catalog, told: dict[tuple[int, int], Verdict], out: Path) -> _Page:
    return _Page(write_report(_resolution(catalog, told), catalog, out).read_text("utf-8"))


def test_a_group_stands_side_by_side_with_reasons_relations_and_scores(
    invented: Make, tmp_path: Path
) -> None:
    catalog = invented(image("/p/whole.jpg", "/q/whole.jpg"), image("/p/crop.jpg"))
    told = {
        (1, 2): copy(
            b_covers_a=False, relation=Relation.CROPPED, score=0.987, frame_share_a=0.5,
            reason="shows 50 % of the frame",
        )
    }  # fmt: skip
    page = _page(catalog, told, tmp_path)
    assert [figure["class"] for figure in page.all("figure")] == ["keep", "go"]
    for words in (
        "Goes: cropped, score 0.987", "shows 50 % of the frame", "/p/crop.jpg", "/q/whole.jpg",
        "shows the whole frame", "Of 3 files, 2 are copies that may go",
    ):  # fmt: skip
        assert words in page.text
    (article,) = page.all("article")
    assert article["data-relations"] == "cropped exact"
    buttons = [button["data-relation"] for button in page.all("button")]
    assert buttons == ["", "cropped"]


def test_previews_are_in_the_page_and_small(invented: Make, tmp_path: Path) -> None:
    page = _page(invented(image("/p/a.jpg"), image("/p/b.jpg")), {(1, 2): copy()}, tmp_path)
    sources = [img["src"] or "" for img in page.all("img")]
    assert len(sources) == 2
    for source in sources:
        kind, _, data = source.partition(",")
        assert kind == "data:image/jpeg;base64"
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        assert pixels.shape == (240, 320, 3)


def test_the_page_asks_the_network_for_nothing(invented: Make, tmp_path: Path) -> None:
    catalog = invented(image("/p/a.jpg"), image("/p/b.jpg"))
    page = _page(catalog, {(1, 2): copy()}, tmp_path)
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "poster"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#"))
    policy = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert "default-src 'none'" in (policy[0] or "")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert not re.search(r"https?://|@import|url\(", text)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>.jpg",
        '"><img src=x onerror=alert(1)>.jpg',
        "</script><!--.jpg",
        "/*SCRIPT*/<!--GROUPS-->.jpg",
        "\u202egpj.exe",
        "\udcff\udcfe.jpg",
        "line\nfeed.jpg",
    ],
)
def test_names_and_reasons_cannot_get_out_of_their_place(
    invented: Make, tmp_path: Path, name: str
) -> None:
    catalog = invented(image(f"/p/{name}"), image("/p/b.jpg", f"/q/{name}"))
    page = _page(catalog, {(1, 2): copy(reason="<b>like</b> the other")}, tmp_path)
    assert len(page.all("script")) == 1
    assert len(page.all("img")) == 2
    assert page.all("b") == []
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert not any(letter in page.text for letter in "\u202e\udcff")


def test_above_the_limit_the_least_certain_are_shown_and_it_says_so(
    invented: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "GROUPS_SHOWN", 2)
    catalog = invented(*(image(f"/p/{n}.jpg") for n in range(1, 9)))
    scores = {(1, 2): 0.99, (3, 4): 0.91, (5, 6): 0.98, (7, 8): 0.93}
    page = _page(catalog, {pair: copy(score=score) for pair, score in scores.items()}, tmp_path)
    assert "The 2 least certain of 4 groups are shown" in page.text
    assert re.findall(r"score (0\.\d+)", page.text) == ["0.910", "0.930"]


def test_without_copies_the_page_says_so(invented: Make, tmp_path: Path) -> None:
    page = _page(invented(image("/p/a.jpg")), {}, tmp_path)
    assert "No copies were found." in page.text


def test_the_counts_are_those_of_the_lists(invented: Make, tmp_path: Path) -> None:
    catalog = invented(image("/p/a.jpg"), image("/p/b.jpg"), image("/p/c.jpg"))
    resolution = _resolution(catalog, {(1, 2): copy()})
    summary = write_lists(resolution, catalog, tmp_path)
    given = write_report(resolution, catalog, tmp_path, summary).read_text("utf-8")
    counted = write_report(resolution, catalog, tmp_path).read_text("utf-8")
    assert given == counted
    assert f"Of {summary.blobs} files, {summary.delete} are copies" in given


def test_the_page_works_with_the_keyboard_and_in_the_dark(invented: Make, tmp_path: Path) -> None:
    page = _page(invented(image("/p/a.jpg"), image("/p/b.jpg")), {(1, 2): copy()}, tmp_path)
    (article,) = page.all("article")
    assert article["tabindex"] == "-1"
    assert all(
        button["type"] == "button" and "aria-pressed" in button for button in page.all("button")
    )
    assert all(img["alt"] for img in page.all("img"))
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "prefers-color-scheme: dark" in text
    assert ":focus-visible" in text
