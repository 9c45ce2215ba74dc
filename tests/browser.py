"""Finds a browser for the tests of pages: the system's Chromium or Chrome, or Playwright's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
NONE = f"no browser: none of {', '.join(NAMES)} is installed, and Playwright has downloaded none"


def find_browser() -> str | None:
    """Return the path of a browser, None where there is none."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser without a window; the test is skipped where there is none."""
    path = find_browser()
    if path is None:
        pytest.skip(NONE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def quiet(tab: Page) -> Iterator[None]:
    """Fail at the end on a console message, an error, or a request to a network by a page."""
    heard: list[str] = []
    listeners = {
        "console": lambda message: heard.append(f"console: {message.text}"),
        "pageerror": lambda error: heard.append(f"error: {error}"),
        "request": lambda request: (
            None if request.url.startswith("file://") else heard.append(request.url)
        ),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)  # type: ignore[call-overload]
    yield
    assert tab.evaluate("window.hurt") is None
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    assert heard == []
