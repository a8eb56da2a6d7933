"""Reporting's page on paper: no cell of any table is clipped, and no table stands without its head."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import pypdf
import pytest
from playwright.async_api import Page

from tests.browser.conftest import Open

POINTS_PER_PIXEL = 0.75
PAPER = (595, 842)
"""A4 in points, but for what a driver rounds."""
WIDTH_OF_TEXT = 695
"""CSS pixels between the margins of 13 mm."""
NARROW = 0.5
"""What a letter is wide at least, in parts of its height, on the average of a few."""
CLIPPED = """() => [...document.querySelectorAll('table')].flatMap(table => {
    const found = [];
    for (let each = table; each; each = each.parentElement) {
        const style = getComputedStyle(each);
        if (each !== document.documentElement && each !== document.body && style.overflowX !== 'visible')
            found.push(`${each.className} hides what does not fit`);
    }
    const room = table.closest('.wide').getBoundingClientRect();
    for (const cell of table.querySelectorAll('th, td, caption')) {
        const words = document.createRange();
        words.selectNodeContents(cell);
        for (const box of words.getClientRects())
            if (box.right > room.right + 0.5 || box.left < room.left - 0.5) found.push(cell.textContent);
    }
    return found;
})"""
ROWS = """() => [...document.querySelectorAll('table')].map(table => [table.caption.textContent,
    ...[...table.rows].map(row => [...row.cells].map(cell => cell.textContent).join(''))])"""


@dataclass(frozen=True)
class Words:
    """Words on a sheet, in points from its lower left corner."""

    text: str
    x: float
    y: float
    size: float


def words_of(sheet: pypdf.PageObject) -> list[Words]:
    """In the order in which they are drawn."""
    found: list[Words] = []

    def seen(text: str, page: list[float], line: list[float], _font: Any, size: float) -> None:
        if text.strip():
            x = page[0] * line[4] + page[2] * line[5] + page[4]
            y = page[1] * line[4] + page[3] * line[5] + page[5]
            found.append(Words(text.strip(), x, y, abs(size * page[0])))

    sheet.extract_text(visitor_text=seen)
    return found


def packed(text: str) -> str:
    """Without the spaces, of which a line break may have eaten some, and with the letters of a ligature apart."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


async def printed(page: Page) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(await page.pdf(prefer_css_page_size=True)))


@pytest.mark.parametrize("language", ["nb", "en"])
@pytest.mark.parametrize("site", ["cases", "many"])
async def test_every_row_of_every_table_is_on_paper_and_within_its_edges(
    opened: Open, site: str, language: str
) -> None:
    page = await opened(site=site, language=language)
    tables: list[list[str]] = await page.evaluate(ROWS)
    assert len(tables) >= 9
    document = await printed(page)
    sheets = [words_of(sheet) for sheet in document.pages]
    everything = packed("".join(words.text for sheet in sheets for words in sheet))
    place = 0
    for rows in tables:
        for row in rows:
            found = everything.find(packed(row), place)
            assert found >= 0, f"{row!r} is not on paper"
            place = found + len(packed(row))
    for sheet, all_words in zip(document.pages, sheets, strict=True):
        box = sheet.cropbox
        assert (round(float(box.width)), round(float(box.height))) == PAPER
        for words in all_words:
            assert float(box.left) <= words.x, words
            assert words.x + NARROW * words.size * len(words.text) <= float(box.right), words
            assert float(box.bottom) <= words.y <= float(box.top) - words.size, words


@pytest.mark.parametrize("language", ["nb", "en"])
@pytest.mark.parametrize("site", ["cases", "many"])
async def test_no_table_is_wider_than_the_paper_and_nothing_hides_what_does_not_fit(
    opened: Open, site: str, language: str
) -> None:
    page = await opened(site=site, language=language)
    await page.emulate_media(media="print")
    await page.set_viewport_size({"width": WIDTH_OF_TEXT, "height": 1000})
    assert await page.evaluate(CLIPPED) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= WIDTH_OF_TEXT


async def test_a_table_that_goes_on_over_the_page_has_its_head_there_too(opened: Open) -> None:
    page = await opened(site="many")
    sheets = [packed("".join(words.text for words in words_of(sheet))) for sheet in (await printed(page)).pages]
    head = "ÅrKjennetegnAnsatteialtAntallAndelBasisårEndringiandelEndringiantall"
    of_the_first = [sheet for sheet in sheets if re.search(r"20\d\dInnvandrerbakgrunn123\d{4}", sheet)]
    assert len(of_the_first) >= 2, "the table of fifteen years fits one sheet"
    assert all(head in sheet for sheet in of_the_first)


async def test_the_form_and_the_menu_stay_on_the_screen(opened: Open) -> None:
    page = await opened("/?region=3312&from=2025")
    first = words_of((await printed(page)).pages[0])
    told = " ".join(words.text for words in first)
    assert "Utvalg: Lier, 2025–" in told
    assert "Velg utvalg" not in told
    assert "Logg ut" not in told
