"""The report: one page that asks for nothing and escapes everything, or a folder beside it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from resolve.lists import write_lists
from resolve.page.parts import PartOptions
from resolve.report import ReportOptions, write_report
from resolve.resolution import ResolveOptions
from resolve.resolve import resolve
from resolve.summary import Summary
from storage.catalog import Catalog
from storage.errors import UsageError
from tests.browser import SCHEMES, tab, until
from tests.cli.helpers import ROOT
from tests.resolve.invented import ToldVerdicts, candidates, copy, image, record, unreadable
from verify.verdict import Relation, Verdict

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Make = Callable[..., Catalog]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
_VOID = {"meta", "link", "img", "input", "br", "hr"}
IN_FOLDER = ReportOptions(images_in_one_file=0, parts=PartOptions(groups=3))


class _Page(HTMLParser):
    """Elements with their attributes, text, data by id, and whether tags are balanced."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.data: dict[str, Any] = {}
        self._open: list[str] = []
        self._data_id: str | None = None
        self.feed(path.read_text("utf-8"))
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._data_id = attributes.get("id") if "type" in attributes and tag == "script" else None
        # What SVG closes in its own tag has no end.
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self._data_id = None

    def handle_data(self, data: str) -> None:
        if self._data_id is not None:
            self.data[self._data_id] = json.loads(data)
        elif not self._open or self._open[-1] not in ("script", "style"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def cards(self) -> list[dict[str, Any]]:
        return [card for name, cards in self.data.items() if name != "index" for card in cards]


def _lists(catalog: Catalog, told: dict[tuple[int, int], Verdict], out: Path) -> Summary:
    resolution = resolve(catalog, candidates(told), ToldVerdicts(told), ResolveOptions())
    return write_lists(resolution, catalog, out)


def _page(catalog: Catalog, told: dict[tuple[int, int], Verdict], out: Path) -> _Page:
    return _Page(write_report(out, catalog, _lists(catalog, told, out)))


def _many(
    invented: Make, scores: Sequence[float]
) -> tuple[Catalog, dict[tuple[int, int], Verdict]]:
    """Pairs with these scores, in the folders /p/0, /p/1 …, of 1000 bytes, 2000 bytes …"""
    catalog = invented(
        *(image(f"/p/{n // 2}/{n}.jpg", record_=record(str(n), width=1000 - n % 2 * 500))
          for n in range(2 * len(scores)))
    )  # fmt: skip
    return catalog, {(2 * n + 1, 2 * n + 2): copy(score=score) for n, score in enumerate(scores)}


def test_a_group_has_its_reasons_relations_scores_and_dates(invented: Make, tmp_path: Path) -> None:
    catalog = invented(image("/p/whole.jpg", "/q/whole.jpg"), image("/p/crop.jpg"))
    told = {
        (1, 2): copy(
            b_covers_a=False, relation=Relation.CROPPED, score=0.987, frame_share_a=0.5,
            reason="shows 50 % of the frame",
        )
    }  # fmt: skip
    page = _page(catalog, told, tmp_path)
    (card,) = page.cards
    assert any("shows the whole frame" in reason for reason in card["keeper"]["reasons"])
    assert [(each["path"], each["relation"], each["score"]) for each in card["copies"]] == [
        ("/p/crop.jpg", "cropped", 0.987),
        ("/q/whole.jpg", "exact", 1.0),
    ]
    assert card["copies"][0]["reason"] == "shows 50 % of the frame"
    assert card["keeper"]["modified"] == 0.0
    assert card["keeper"]["facts"] == ["JPEG quality 90"]
    assert "Of 3 files, 2 are copies that may go" in page.text
    index = page.data["index"]
    found = {index["relations"][n] for n in range(16) if index["relationsOf"][0] & 1 << n}
    assert found == {"cropped", "exact"}


def test_previews_are_in_the_page_and_small(invented: Make, tmp_path: Path) -> None:
    page = _page(invented(image("/p/a.jpg"), image("/p/b.jpg")), {(1, 2): copy()}, tmp_path)
    (card,) = page.cards
    for each in (card["keeper"], *card["copies"]):
        kind, _, data = each["preview"].partition(",")
        assert kind == "data:image/jpeg;base64"
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        assert pixels.shape == (240, 320, 3)


def test_the_plots_count_what_the_lists_hold(invented: Make, tmp_path: Path) -> None:
    catalog = invented(
        image("/p/a.jpg"), image("/p/b.jpg"), image("/p/c.jpg"), unreadable("/p/x.jpg", "/p/y.jpg")
    )
    page = _page(catalog, {(1, 2): copy(score=0.97)}, tmp_path)
    plots = [svg["aria-label"] for svg in page.all("svg")]
    assert plots == [
        "Files that may go, by relation to what stays. reencoded: 1",
        "Bytes to free, by relation. reencoded: 1.0 kB",
        "Files that stay, and why. stands for its copies: 1; no copies found: 1",
        "Groups, by number of files. 2: 1",
        "Copies, by how sure the verdict is. 95 to 98 %: 1",
        "Files that could not be read, by kind. not an image: 2",
    ]


def test_the_page_asks_the_network_for_nothing(invented: Make, tmp_path: Path) -> None:
    page = _page(invented(image("/p/a.jpg"), image("/p/b.jpg")), {(1, 2): copy()}, tmp_path)
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "poster"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#"))
    (policy,) = [meta["content"] or "" for meta in page.all("meta") if "http-equiv" in meta]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    text = (tmp_path / "report.html").read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|url\(|innerHTML|eval\(", text)


HOSTILE = [
    "<script>alert(1)</script>.jpg",
    '"><img src=x onerror=alert(1)>.jpg',
    "</script><!--.jpg",
    "/*SCRIPT*/<!--DATA-->.jpg",
    "\u202egpj.exe",
    "\udcff\udcfe.jpg",
    "line\nfeed\u2028.jpg",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_reasons_cannot_get_out_of_their_place(
    invented: Make, tmp_path: Path, name: str
) -> None:
    catalog = invented(image(f"/p/{name}"), image("/p/b.jpg", f"/q/{name}"))
    page = _page(catalog, {(1, 2): copy(reason="<b>like</b> the other")}, tmp_path)
    assert [script.get("id") for script in page.all("script")] == ["index", "part-0", None]
    assert page.all("img") == page.all("b") == []
    assert not any("onerror" in attributes for _, attributes in page.elements)
    (card,) = page.cards
    paths = [card["keeper"]["path"], *(each["path"] for each in card["copies"])]
    assert not any(letter in "".join(paths) for letter in "\u202e\udcff\n\u2028")


def test_without_lists_there_is_no_report(invented: Make, tmp_path: Path) -> None:
    catalog = invented(image("/p/a.jpg"))
    summary = _lists(catalog, {}, tmp_path)
    with pytest.raises(UsageError, match=r"groups\.jsonl"):
        write_report(tmp_path / "elsewhere", catalog, summary)


def test_the_same_result_gives_the_same_page(invented: Make, tmp_path: Path) -> None:
    catalog, told = _many(invented, [0.9] * 7)
    summary = _lists(catalog, told, tmp_path)
    for options in (ReportOptions(), IN_FOLDER):
        first = write_report(tmp_path, catalog, summary, options).read_bytes()
        assert write_report(tmp_path, catalog, summary, options).read_bytes() == first


def test_a_large_result_has_its_groups_in_one_folder_which_the_next_report_replaces(
    invented: Make, tmp_path: Path
) -> None:
    catalog, told = _many(invented, [0.99, 0.91, 0.95, 0.97])
    summary = _lists(catalog, told, tmp_path)
    page = _Page(write_report(tmp_path, catalog, summary, IN_FOLDER))
    folder = tmp_path / page.data["index"]["folder"]
    assert page.cards == []
    assert page.data["index"]["scores"] == [0.91, 0.95, 0.97, 0.99]
    assert sorted(path.name for path in folder.iterdir()) == ["00000.js", "00001.js"]
    other = ReportOptions(images_in_one_file=0, parts=PartOptions(groups=2, sharp_side=64))
    again = (
        tmp_path / _Page(write_report(tmp_path, catalog, summary, other)).data["index"]["folder"]
    )
    assert (folder.exists(), again.exists()) == (False, True)
    write_report(tmp_path, catalog, summary)
    assert not [path for path in tmp_path.iterdir() if "report-files" in path.name]


@pytest.mark.parametrize("options", [ReportOptions(), IN_FOLDER], ids=["one file", "a folder"])
def test_groups_are_sorted_filtered_and_walked_by_keyboard_from_a_file(
    browser: Browser, invented: Make, tmp_path: Path, options: ReportOptions
) -> None:
    scores = [0.90 + n / 1000 for n in range(45)]
    catalog, told = _many(invented, scores)
    write_report(tmp_path, catalog, _lists(catalog, told, tmp_path), options)
    with tab(browser) as page:
        page.goto((tmp_path / "report.html").as_uri())
        page.wait_for_selector("html[data-ready]")
        assert page.inner_text("#status").startswith("45 groups")
        assert page.locator("article").count() == 20
        assert page.locator("article h3").first.inner_text().endswith("90.0 % sure")
        for _ in range(21):
            page.keyboard.press("n")
            until(page, "document.activeElement.closest('article') !== null")
        page.wait_for_selector("#of:has-text('of 3')")
        until(page, "document.getElementById('page').value === '2'")
        page.select_option("[name=order]", "certain")
        until(page, "document.querySelector('article h3').textContent.endsWith('94.4 % sure')")
        page.fill("[name=folder]", "/p/7/")
        until(page, "document.querySelectorAll('article').length === 1")
        assert page.inner_text("figure.keep .path") == "/p/7/14.jpg"
        page.fill("[name=folder]", "")
        page.fill("[name=most]", "90.2")
        until(page, "document.querySelectorAll('article').length === 3")
        page.keyboard.press("Tab")
        page.locator("article h3").first.focus()
        page.keyboard.press("4")
        assert page.locator("article .stack").first.is_visible()


@pytest.mark.parametrize("name", HOSTILE[:4])
def test_hostile_names_are_text_in_the_browser_too(
    browser: Browser, invented: Make, tmp_path: Path, name: str
) -> None:
    catalog = invented(image(f"/p/{name}"), image(f"/q/{name}"))
    summary = _lists(catalog, {(1, 2): copy(reason=name)}, tmp_path)
    write_report(tmp_path, catalog, summary)
    with tab(browser) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        page.goto((tmp_path / "report.html").as_uri())
        page.wait_for_selector("article")
        assert name in page.inner_text("article")


def test_a_folder_that_was_left_behind_is_missed_in_words(
    browser: Browser, invented: Make, tmp_path: Path
) -> None:
    catalog, told = _many(invented, [0.9])
    path = write_report(tmp_path, catalog, _lists(catalog, told, tmp_path), IN_FOLDER)
    alone = tmp_path / "alone" / "report.html"
    alone.parent.mkdir()
    path.rename(alone)
    with tab(browser, may_miss=True) as page:
        page.goto(alone.as_uri())
        page.wait_for_selector("#fault:has-text('belongs beside this page')")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_wrong_with_the_report(
    browser: Browser, invented: Make, tmp_path: Path, scheme: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here: npm ci installs it")
    catalog, told = _many(invented, [0.9 + n / 1000 for n in range(25)])
    write_report(tmp_path, catalog, _lists(catalog, told, tmp_path))
    # Only axe needs to pass by the policy: it is put into the page from outside.
    with tab(browser, scheme, bypass_csp=True) as page:
        page.goto((tmp_path / "report.html").as_uri())
        page.wait_for_selector("html[data-ready]")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
