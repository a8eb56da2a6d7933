"""The names of employers in the live tables: texts alone, never codes, and never in what is published."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from io import StringIO

import httpx

from services.reporting.domain import workforce
from services.reporting.domain.workforce import YearFigures
from services.reporting.pxweb.labels import told_apart
from services.reporting.pxweb.router import LIVE, PUBLIC
from tests.dashboards import Employers
from tests.tables import app_of
from tests.webapp import token

FIRST, SECOND, THIRD = "311122339", "315486890", "889640782"
NAMES = {FIRST: "Blomster AS", SECOND: "Direktoratet"}


async def answer(path: str, called: Mapping[str, str]) -> httpx.Response:
    told = {**dict.fromkeys(workforce.CHARACTERISTICS), "head_count": 100}
    reported = [YearFigures(number, 2024, told) for number in (FIRST, SECOND, THIRD)]
    cube = workforce.cube(reported, updated=datetime(2026, 1, 15, tzinfo=UTC), complete_to={})
    assert cube is not None
    transport = httpx.ASGITransport(app_of([cube], employers=Employers(called)))
    async with httpx.AsyncClient(transport=transport, base_url="http://tables") as http:
        found = await http.get(path, headers={"Authorization": f"Bearer {token('analyst')}"})
    assert found.status_code == 200, found.text
    return found


async def labels(path: str, called: Mapping[str, str]) -> Mapping[str, str]:
    told: Mapping[str, str] = (await answer(path, called)).json()["dimension"]["Virksomhet"]["category"]["label"]
    return told


async def test_live_employers_have_their_names_as_texts_and_their_number_where_none_comes() -> None:
    for path in ("metadata", "data?valueCodes[Virksomhet]=*&valueCodes[ContentsCode]=head_count&valueCodes[Aar]=2024"):
        found = await labels(f"{LIVE}/tables/arbeidsstyrke/{path}", NAMES)
        assert found == {FIRST: "Blomster AS", SECOND: "Direktoratet", THIRD: THIRD}
    assert await labels(f"{LIVE}/tables/arbeidsstyrke/metadata", {}) == {each: each for each in (FIRST, SECOND, THIRD)}


async def test_employers_are_chosen_by_their_numbers_and_text_formats_write_their_names() -> None:
    path = f"{LIVE}/tables/arbeidsstyrke/data?valueCodes[Virksomhet]={FIRST}&valueCodes[ContentsCode]=head_count"
    rows = list(csv.reader(StringIO((await answer(f"{path}&valueCodes[Aar]=*&outputFormat=csv", NAMES)).text)))
    assert rows[1][0] == "Blomster AS"
    both = await answer(f"{path}&valueCodes[Aar]=*&outputFormat=csv&outputFormatParams=UseCodesAndTexts", NAMES)
    assert list(csv.reader(StringIO(both.text)))[1][0] == f"{FIRST} Blomster AS"


async def test_published_tables_tell_numbers_alone() -> None:
    assert set((await labels(f"{PUBLIC}/tables/arbeidsstyrke/metadata", NAMES)).values()) == {FIRST, SECOND, THIRD}


async def test_a_name_that_two_employers_bear_goes_with_its_number_whatever_is_chosen() -> None:
    twice = {FIRST: "Barnehagen", SECOND: "BARNEHAGEN ", THIRD: "Direktoratet"}
    apart = {FIRST: f"Barnehagen ({FIRST})", SECOND: f"BARNEHAGEN ({SECOND})", THIRD: "Direktoratet"}
    path = f"{LIVE}/tables/arbeidsstyrke/data?valueCodes[ContentsCode]=head_count&valueCodes[Aar]=2024"
    assert await labels(f"{path}&valueCodes[Virksomhet]=*", twice) == apart
    assert await labels(f"{path}&valueCodes[Virksomhet]={FIRST}", twice) == {FIRST: apart[FIRST]}
    assert told_apart({FIRST: " "}) == {}, "a label is never empty"
