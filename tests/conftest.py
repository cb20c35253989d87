"""Tests run beside other work: torch's threads would wait for each other, busily, for minutes."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:  # noqa: F821
    """Debian's Chromium, without a window."""
    from chromium import CHROMIUM, PATIENCE
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as driver:
        expect.set_options(timeout=PATIENCE)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def troubles() -> list[str]:
    """Requests to other hosts, and errors, on any page of a test."""
    return []


@pytest.fixture
def come(browser, url, troubles) -> Iterator[Callable]:
    """Opens the page as a visitor of one's own: `come(DESK)`, with `end` at the address's end."""
    from chromium import PATIENCE

    contexts = []

    def note(asked: "playwright.Request") -> None:  # noqa: F821
        parts = urlsplit(asked.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(url).netloc:
            troubles.append(f"request to {asked.url}")

    def opened(device: dict, end: str = "") -> "playwright.Page":  # noqa: F821
        context = browser.new_context(reduced_motion="reduce", **device)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("request", note)
        page.on("console", lambda line: line.type == "error" and troubles.append(line.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(url + end)
        return page

    yield opened
    for context in contexts:
        context.close()
