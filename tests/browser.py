"""A headless Chromium, where the system has one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCHEMES = ("light", "dark")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless; skips the test where there is none."""
    path = next((found for found in map(shutil.which, _NAMES) if found), None)
    if path is None:
        pytest.skip("no Chromium here: install it (apt install chromium) to run this")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Containers run tests as root, for whom Chromium has no sandbox; pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def tab(
    browser: Browser, scheme: str = "light", *, may_miss: bool = False, **options: object
) -> Iterator[Page]:
    """A tab of its own; fails when a script of the page does, or the page is refused something.

    Args:
        may_miss: it is about something that is not there.
    """
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": 1280, "height": 900},
        reduced_motion="reduce",
        **options,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert said == [] or may_miss


def until(page: Page, expression: str, argument: object = None) -> None:
    """Waits until JavaScript says so.

    Playwright's own `wait_for_function` evaluates in the page, which the page's policy forbids.
    """
    deadline = time.monotonic() + 10
    while not page.evaluate(expression, argument):
        assert time.monotonic() < deadline, f"never came true: {expression}"
        time.sleep(0.02)
