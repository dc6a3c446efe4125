"""The report and the review of a large result: size, time to write, time to the first group.

    python -m benchmarks.report [--groups 100000] [--out DIR]

Needs a Chromium on the PATH; times are of that browser, headless, from asking for the page to the
first group on the screen with its pictures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report.result import InventedImages, write_result
from resolve.page.groups_file import open_groups
from resolve.report import ReportOptions, write_report_of
from resolve.review.decisions_file import DecisionsFile
from resolve.review.server import ReviewServer
from resolve.review.session import Decided, ReviewSession

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_SEEN = """() => {
  const images = [...document.querySelectorAll('article:first-of-type .side img')];
  return images.length > 1 && images.every((image) => image.complete && image.naturalWidth > 0);
}"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report")
    parser.add_argument("--groups", type=int, default=100_000)
    parser.add_argument("--out", type=Path, help="where it is written; default: a folder in /tmp")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium on the PATH", file=sys.stderr)
        return 2
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="dedup-report-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        figures = measure(arguments.groups, folder, chromium)
    finally:
        if arguments.out is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures, indent=2))
    return 0


def measure(groups: int, folder: Path, chromium: str) -> dict[str, Any]:
    """Figures by name; seconds and MB."""
    from playwright.sync_api import sync_playwright

    summary = write_result(folder, groups)
    images = InventedImages()
    started = time.monotonic()
    page = write_report_of(folder, images, summary, ReportOptions())
    written = time.monotonic() - started
    parts = list(folder.glob("report-files-*/*"))
    figures: dict[str, Any] = {
        "groups": groups,
        "images": summary.images,
        "groups_jsonl_mb": _megabytes([folder / "groups.jsonl"]),
        "report_write_s": round(written, 1),
        "report_html_mb": _megabytes([page]),
        "report_parts": len(parts),
        "report_parts_mb": _megabytes(parts),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        figures |= _report(browser, page.as_uri())
        figures |= _review(browser, folder, images)
        browser.close()
    return figures


def _report(browser: Browser, url: str) -> dict[str, float]:
    with _page(browser) as page:
        first = _seconds(page, lambda: page.goto(url), _SEEN)
        page.select_option("[name=order]", "uncertain")
        sort = _seconds(
            page,
            lambda: page.select_option("[name=order]", "bytes"),
            "() => document.querySelector('article h3') !== window.before",
        )
        last = _seconds(
            page,
            lambda: _to_the_last_page(page),
            "() => document.querySelector('article h3') !== window.before",
        )
        return {
            "report_first_group_s": first,
            "report_sort_s": sort,
            "report_last_page_s": last,
            "report_heap_mb": _heap(page),
        }


def _to_the_last_page(page: Page) -> None:
    page.fill("#page", page.get_attribute("#page", "max") or "1")
    page.press("#page", "Enter")


def _review(browser: Browser, folder: Path, images: InventedImages) -> dict[str, float]:
    started = time.monotonic()
    with DecisionsFile.open(folder / "decisions.jsonl") as decisions:
        decided = Decided(decisions.known)
        with open_groups(folder, decided.saw) as groups:
            session = ReviewSession(groups, images, decisions, decided, 0)
            opened = time.monotonic() - started
            with ReviewServer(session) as server, _page(browser) as page:
                thread = threading.Thread(target=server.serve_forever, args=(0.05,))
                thread.start()
                first = _seconds(page, lambda: page.goto(server.url), _SEEN)
                steps = [
                    _seconds(
                        page,
                        lambda: page.keyboard.press("n"),
                        "() => document.querySelector('article h2') !== window.before",
                    )
                    for _ in range(30)
                ]
                decide = _seconds(
                    page,
                    lambda: page.keyboard.press("x"),
                    "() => document.getElementById('said').textContent.startsWith('Saved')",
                )
                server.shutdown()
                thread.join()
    return {
        "review_open_s": round(opened, 2),
        "review_first_group_s": first,
        "review_next_median_s": sorted(steps)[len(steps) // 2],
        "review_next_worst_s": max(steps),
        "review_decide_s": decide,
    }


@contextmanager
def _page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def _seconds(page: Page, act: Any, until: str) -> float:
    page.evaluate("() => { window.before = document.querySelector('article h2, article h3'); }")
    started = time.monotonic()
    act()
    # Not `wait_for_function`: the page's policy forbids what that does.
    while not page.evaluate(until):
        if time.monotonic() - started > 60:
            raise TimeoutError(until)
        time.sleep(0.005)
    return round(time.monotonic() - started, 3)


def _heap(page: Page) -> float:
    return round(float(page.evaluate("performance.memory.usedJSHeapSize")) / 1e6, 1)


def _megabytes(paths: list[Path]) -> float:
    return round(sum(path.stat().st_size for path in paths) / 1e6, 1)


if __name__ == "__main__":
    sys.exit(main())
