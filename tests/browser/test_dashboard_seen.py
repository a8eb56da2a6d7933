"""Reporting's page in Chromium: for everybody, at any width, without a mouse and without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.browser.conftest import Open

NOTHING_MATCHES = "/?region=Bodø&from=2021"
WRONG = "/?region=Våler&from=x&to=2025M13&measure=holiday&intermediary=bank&org_number=12"
SEEN = {
    "both cases": ("cases", "/"),
    "many cases": ("many", "/"),
    "nothing recorded": ("nothing", "/"),
    "a filter that nothing matches": ("cases", NOTHING_MATCHES),
    "what cannot be asked": ("cases", WRONG),
    "no such page": ("cases", "/nothing-here"),
    "login": ("cases", "/login"),
}
WIDER_THAN_SEEN = """() => [...document.querySelectorAll('.chart text, .chart rect, .chart line')]
    .map(each => [each.textContent, each.getBoundingClientRect()])
    .filter(([, box]) => box.right > document.documentElement.clientWidth + 0.5 || box.left < -0.5)
    .map(([words, box]) => `${words} ${box.left}-${box.right}`)"""
SMALL_TEXT = """() => [...document.querySelectorAll('main *')]
    .filter(each => [...each.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()))
    .filter(each => parseFloat(getComputedStyle(each).fontSize) < 12)
    .map(each => each.outerHTML)"""
OVERLAPPING_WORDS = """() => [...document.querySelectorAll('.chart')].flatMap(chart => {
    const boxes = [...chart.querySelectorAll('text')].map(each => [each.textContent, each.getBoundingClientRect()]);
    return boxes.flatMap(([one, a], index) => boxes.slice(index + 1)
        .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4)
        .map(([other]) => `${one} / ${other}`));
})"""


async def violations(page: Page) -> list[str]:
    """What axe finds, a line each."""
    found: list[dict[str, Any]] = (await Axe().run(page)).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("language", ["nb", "en"])
@pytest.mark.parametrize("width", [320, 1280])
async def test_axe_finds_nothing_and_no_page_is_wider_than_the_screen(
    opened: Open, width: int, language: str, seen: str
) -> None:
    site, path = SEEN[seen]
    page = await opened(path, site=site, language=language, width=width)
    assert await page.get_attribute("html", "lang") == language
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert await page.evaluate(WIDER_THAN_SEEN) == []
    assert await page.evaluate(SMALL_TEXT) == []
    assert await page.evaluate(OVERLAPPING_WORDS) == []


async def test_axe_is_able_to_find_something(opened: Open) -> None:
    page = await opened(width=320)
    await page.evaluate("document.querySelector('.chart').removeAttribute('aria-labelledby')")
    await page.evaluate("document.querySelector('.chart title').remove()")
    await page.evaluate("document.querySelector('label[for=region]').remove()")
    assert {each.split(":")[0] for each in await violations(page)} >= {"svg-img-alt", "label"}


async def test_every_chart_has_the_table_with_its_numbers_below_it(opened: Open) -> None:
    page = await opened(site="many")
    charts = await page.locator(".chart").all()
    assert len(charts) >= 10
    for chart in charts:
        table = chart.locator("xpath=following-sibling::div[contains(@class,'wide')][1]/table")
        cells = " ".join(await table.locator("th, td").all_inner_texts())
        for words in await chart.locator(".value:not(.missing)").all_text_contents():
            number = words.rpartition(": ")[2].partition(" (")[0]
            assert number in cells, words


async def test_the_filter_is_used_with_the_keyboard_alone_and_its_address_can_be_shared(opened: Open) -> None:
    page = await opened()
    await page.focus("#region")
    await page.keyboard.type("lier")
    await page.keyboard.press("Tab")
    await page.keyboard.type("2025K1")
    await page.keyboard.press("Tab")
    await page.keyboard.type("2025M06")
    for control in ("measure", "intermediary", "org_number"):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.id") == control
    await page.keyboard.press("Tab")
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert "region=lier&from=2025K1&to=2025M06" in page.url
    assert await page.inner_text(".selection") == "Utvalg: Lier, 2025K1–2025M06"
    assert await page.locator("#ventetid ~ .tiles dd").first.inner_text() == "100,0\u00a0%\n1 av 1 plasser"
    shared = await opened(page.url)
    assert await shared.inner_text("main") == await page.inner_text("main")


async def test_what_is_wrong_is_linked_to_its_field(opened: Open) -> None:
    page = await opened(WRONG, width=320)
    links = page.locator(".errors a")
    assert await links.count() == 6
    for link in await links.all():
        field = page.locator(str(await link.get_attribute("href")))
        assert await field.get_attribute("aria-invalid") == "true"
        described = str(await field.get_attribute("aria-describedby")).split()[-1]
        assert (await page.inner_text(f"#{described}")) in await link.inner_text()
    assert await page.locator("table").count() == 0


async def test_scrolled_tables_can_be_reached_without_a_mouse(opened: Open) -> None:
    page = await opened(site="many", width=320)
    for region in await page.locator(".wide").all():
        assert await region.get_attribute("tabindex") == "0"
        assert await region.get_attribute("aria-label")


async def test_nothing_is_refused_by_the_policy_and_nothing_is_run(opened: Open) -> None:
    page = await opened("/login")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    answer = await page.goto("/")
    assert answer is not None
    assert (await answer.all_headers())["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
    assert said == []
    assert await page.locator("script, [style], style").count() == 0
    colour = "getComputedStyle(document.querySelector('.chart .full')).fill"
    assert await page.evaluate(colour) == "rgb(23, 92, 60)"
