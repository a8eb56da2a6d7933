"""A browser, and pages for it.

Invariant: a page is looked at as it is served: over a socket, with its policy, logged in through its own form. Where no
Chromium can be had, the tests are skipped and the run says why.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.async_api import Browser, Page, StorageState, async_playwright

from deploy.local.processes import free_port
from tests.dashboards import app_of, both_cases, many_cases
from tests.saying import say
from tests.served import serving_app
from tests.webapp import settings

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_GIVEN = os.environ.get("DUGNAD_CHROMIUM")
"""Read before tests get an environment of their own."""
_FIRST_PORT = 8290
Open = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
async def chromium(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    """Headless, from this machine."""
    path = _GIVEN or next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        why = "no Chromium on this machine: install it, or set DUGNAD_CHROMIUM to one"
        say(request.config, f"NOT RUN: tests in a browser: {why}")
        pytest.skip(why)
    async with async_playwright() as driver:
        # Chromium refuses its sandbox to root, who runs tests in containers.
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = await driver.chromium.launch(executable_path=path, args=sandbox)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def sites() -> Iterator[Callable[[str], str]]:
    """Addresses of reporting with `cases`, `many` or `nothing` in it; each is served once."""
    made: dict[str, Callable[[], Mapping[str, Mapping[str, Any]]]] = {
        "cases": both_cases,
        "many": many_cases,
        "nothing": dict,
    }
    running: dict[str, str] = {}
    with ExitStack() as stack:

        def site(name: str) -> str:
            if name not in running:
                port = free_port(_FIRST_PORT)
                stack.enter_context(serving_app(app_of(made[name](), settings()), port))
                running[name] = f"http://127.0.0.1:{port}"
            return running[name]

        yield site


@pytest.fixture(scope="session")
def logged_in() -> dict[str, StorageState]:
    """The cookies of an analyst, by site: one login is enough for all tests."""
    return {}


@pytest.fixture
async def opened(
    chromium: Browser, sites: Callable[[str], str], logged_in: dict[str, StorageState]
) -> AsyncIterator[Open]:
    """Opens a path of a site as an analyst, in a language and at a width."""
    contexts = []

    async def opened(path: str = "/", *, site: str = "cases", language: str = "nb", width: int = 1280) -> Page:
        context = await chromium.new_context(
            viewport={"width": width, "height": 900},
            locale=language,
            base_url=sites(site),
            storage_state=logged_in.get(site),
        )
        contexts.append(context)
        page = await context.new_page()
        if site not in logged_in:
            await page.goto("/login")
            await page.check("#persona-analyst")
            await page.click("main button[type=submit]")
            await page.wait_for_url(sites(site) + "/")
            logged_in[site] = await context.storage_state()
        # Also where the answer is an error: its page is looked at like any other.
        await page.goto(path)
        return page

    yield opened
    for context in contexts:
        await context.close()
