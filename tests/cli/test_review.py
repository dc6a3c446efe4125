"""`dedup review` driven in a browser, on a real result; and the next resolve obeys."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import SCHEMES, tab, until
from tests.cli.helpers import (
    ROOT,
    Dedup,
    IndexedGallery,
    clean_environment,
    dedup_process,
    read_csv,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


@dataclass(frozen=True)
class Resolved:
    """An index and its lists."""

    index: Path
    lists: Path

    def resolve(self) -> None:
        dedup_process(
            ["resolve", "--index", self.index, "--out", self.lists], cwd=self.lists.parent
        ).must_succeed()

    def gone(self) -> dict[str, str]:
        """What may go, to what stays for it; names only."""
        return {
            Path(row["path"]).name: Path(row["keep"]).name
            for row in read_csv(self.lists / "delete.csv")
        }


@pytest.fixture
def resolved(own_index: IndexedGallery, tmp_path: Path) -> Resolved:
    """The gallery's index, resolved."""
    found = Resolved(own_index.index, tmp_path / "lists")
    found.resolve()
    return found


@contextmanager
def reviewing(resolved: Resolved) -> Iterator[str]:
    """`dedup review` in a process of its own; its address."""
    command = [sys.executable, "-m", "cli", "review", "--lists", resolved.lists]
    process = subprocess.Popen(
        [*map(str, command), "--index", str(resolved.index)],
        cwd=resolved.lists.parent,
        env=clean_environment(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = (line for line in process.stdout if line.startswith("open "))
        yield next(lines).removeprefix("open ").strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def _heading(page: Page) -> str:
    return page.inner_text("article h2").partition(":")[0]


def _walk_to(page: Page, name: str, copy: str = "") -> None:
    """By keyboard alone, from the first group on."""
    page.wait_for_selector("article")
    total = int(page.inner_text("#where").split(" of ")[1].split(",")[0])
    for place in range(total):
        until(
            page,
            "n => document.getElementById('where').textContent.startsWith(`Group ${n} of`)",
            place + 1,
        )
        if _heading(page) == name:
            break
        page.keyboard.press("n")
    assert _heading(page) == name
    for _ in range(10):
        if not copy or copy in page.inner_text("figure.go .path"):
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"{copy} is not in the group of {name}")


def _press_and_wait(page: Page, key: str, said: str) -> None:
    page.keyboard.press(key)
    until(page, "t => document.getElementById('said').textContent === t", said)


def test_what_is_decided_by_keyboard_survives_a_reload_and_the_next_resolve_obeys(
    browser: Browser, resolved: Resolved
) -> None:
    before = resolved.gone()
    assert before["chelsea-jpeg.jpg"] == "chelsea.png"
    assert before["coffee-flip.jpg"] == before["coffee-half.jpg"] == "coffee.png"
    with reviewing(resolved) as url:
        with tab(browser) as page:
            page.goto(url)
            _walk_to(page, "chelsea.png")
            _press_and_wait(page, "k", "Saved: this one stays.")
            page.goto(url)
            _walk_to(page, "coffee.png", "coffee-flip.jpg")
            _press_and_wait(page, "x", "Saved: not the same picture.")
            page.reload()
            page.wait_for_selector("article")
            assert _heading(page) == "coffee.png"
            assert "2 decided" in page.inner_text("#where")
            assert page.locator(".strip .mark:has-text('you: not the same')").count() == 1
            assert page.is_visible("#stale")
        lines = (resolved.index / "decisions.jsonl").read_text().splitlines()
        assert [json.loads(line)["decision"] for line in lines] == ["keep", "not_same"]
    resolved.resolve()
    after = resolved.gone()
    assert after["chelsea.png"] == "chelsea-jpeg.jpg"
    assert "chelsea-jpeg.jpg" not in after
    assert "coffee-flip.jpg" not in after
    assert after["coffee-half.jpg"] == "coffee.png"


def test_keeping_all_is_obeyed_and_undo_takes_it_back(browser: Browser, resolved: Resolved) -> None:
    before = resolved.gone()
    with reviewing(resolved) as url, tab(browser) as page:
        page.goto(url)
        _walk_to(page, "astronaut.png")
        _press_and_wait(page, "a", "Saved: all stay.")
        resolved.resolve()
        assert "astronaut-crop.jpg" not in resolved.gone()
        _press_and_wait(page, "u", "Taken back.")
        assert "0 decided" in page.inner_text("#where")
        _press_and_wait(page, "u", "There is nothing to take back.")
    resolved.resolve()
    assert resolved.gone() == before


def test_the_least_certain_group_comes_first_and_groups_can_be_chosen(
    browser: Browser, resolved: Resolved
) -> None:
    with reviewing(resolved) as url, tab(browser) as page:
        page.goto(url)
        page.wait_for_selector("article")
        scores = []
        for place in range(4):
            page.wait_for_selector(f"#where:has-text('Group {place + 1} of 4')")
            scores.append(float(page.inner_text("article h2").split(": ")[-1].split()[0]))
            page.keyboard.press("ArrowRight")
        assert scores == sorted(scores)
        page.select_option("[name=relation]", "cropped")
        page.wait_for_selector("#where:has-text('Group 1 of 1,')")
        assert _heading(page) == "astronaut.png"
        assert page.locator("figure.keep .outline polygon").count() == 2
        page.select_option("[name=relation]", "")
        page.fill("[name=folder]", "no such folder")
        page.wait_for_selector("#where:has-text('No group is like that')")


def test_a_copy_is_laid_on_the_keeper_where_it_belongs(
    browser: Browser, resolved: Resolved
) -> None:
    with reviewing(resolved) as url, tab(browser) as page:
        page.goto(url)
        _walk_to(page, "coffee.png", "coffee-flip.jpg")
        page.keyboard.press("4")
        page.wait_for_selector(".stack")
        until(page, "[...document.querySelectorAll('.stack img')].every((image) => image.complete)")
        # Mirrored where it should be, it differs from the keeper by little more than JPEG does.
        assert _mean_of(page.locator(".stack").screenshot()) < 40
        page.evaluate("document.querySelector('.stack .layer:last-child img').style.transform = ''")
        assert _mean_of(page.locator(".stack").screenshot()) > 80
        page.keyboard.press("2")
        assert page.locator(".handle").is_visible()
        page.keyboard.press("1")
        assert page.locator("figure.go img").is_visible()


def _mean_of(png: bytes) -> float:
    import cv2
    import numpy as np

    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return float(pixels.mean())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_wrong_with_the_page(
    browser: Browser, resolved: Resolved, scheme: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here: npm ci installs it")
    # Only axe needs to pass by the policy: it is put into the page from outside.
    with reviewing(resolved) as url, tab(browser, scheme, bypass_csp=True) as page:
        page.goto(url)
        _walk_to(page, "coffee.png")
        page.click("summary")
        for view in "1234":
            page.keyboard.press(view)
            page.evaluate(AXE.read_text(encoding="utf-8"))
            found = page.evaluate("axe.run()")
            assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


def test_a_second_review_of_the_same_index_is_refused(resolved: Resolved, dedup: Dedup) -> None:
    with reviewing(resolved):
        dedup("review", "--lists", resolved.lists, "--index", resolved.index).must_fail(
            8, "Another review"
        )


def test_without_lists_it_says_how_to_make_them(
    indexed: IndexedGallery, dedup: Dedup, tmp_path: Path
) -> None:
    dedup("review", "--lists", tmp_path, "--index", indexed.index).must_fail(
        2, "groups.jsonl", "dedup resolve"
    )
