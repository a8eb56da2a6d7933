"""An employer reports workforce figures on a page, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from chassis.settings import Settings
from tests.service.intake_helpers import World, running
from tests.service.test_intake_page import log_in, plain
from tests.service.test_intake_places import hidden

PATH = "/workforce"
EMPLOYER = "employer-nav"
TYPED = {"head_count": "14000", "immigrant_background": "1526", "country_group_2": "1021"}


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def test_an_employer_reports_a_year_on_the_page_and_restates_it(world: World) -> None:
    browser = await log_in(world, EMPLOYER)
    assert '<a href="/workforce">Tall om de ansatte</a>' in (await browser.get("/")).text
    page = (await browser.get(PATH)).text
    assert "Ansatte i 2024" in plain(page), "the last whole year"
    page = (await browser.get(PATH, params={"year": 2017})).text
    assert "Ingen tall er rapportert for året ennå." in plain(page)
    sent = await browser.post(PATH, data={**hidden(page, PATH), **TYPED})
    assert sent.status_code == 303, re.findall("-error.*", sent.text)
    shown = await browser.get(sent.headers["Location"])
    assert shown.headers["Cache-Control"] == "no-store"
    assert "Dette gjelder, rapportert 13. januar 2025." in plain(shown.text)
    fields = dict(re.findall(r'<input id="([a-z_0-9]+)" [^>]*?value="([^"]*)"', shown.text))
    assert {name: fields[name] for name in TYPED} == TYPED
    corrected = {**hidden(shown.text, PATH), **TYPED, "head_count": "14100", "country_group_2": ""}
    assert (await browser.post(PATH, data=corrected)).status_code == 303
    number = hidden(shown.text, PATH)["org_number"]
    held = (await world.as_(EMPLOYER).get(f"/workforce-reports/{number}/2017")).json()
    assert (held["head_count"], held["immigrant_background"], held["country_group_2"]) == (14100, 1526, None)


async def test_what_is_wrong_stands_at_its_figure_and_who_comes_second_is_told(world: World) -> None:
    browser, colleague = await log_in(world, EMPLOYER), await log_in(world, EMPLOYER)
    page = (await browser.get(PATH, params={"year": 2017})).text
    wrong = await browser.post(PATH, data={**hidden(page, PATH), **TYPED, "cv_gap": "14001"})
    assert (wrong.status_code, 'id="cv_gap-error"' in wrong.text) == (422, True)
    assert 'value="14001"' in wrong.text
    future = (await browser.get(PATH, params={"year": 2026})).text
    refused = await browser.post(PATH, data={**hidden(future, PATH), **TYPED})
    assert (refused.status_code, 'id="year-error"' in refused.text) == (422, True)
    theirs = hidden((await colleague.get(PATH, params={"year": 2017})).text, PATH)
    assert (await colleague.post(PATH, data={**theirs, **TYPED, "head_count": "15000"})).status_code == 303
    late = await browser.post(PATH, data={**hidden(wrong.text, PATH), **TYPED})
    assert late.status_code == 409
    assert "Noen andre har endret dette i mellomtiden (tallene er rapportert på nytt)." in plain(late.text)
    assert "Nå står det: 15" in plain(late.text)
    assert (await browser.post(PATH, data={**TYPED, **hidden(late.text, PATH)})).status_code == 303


async def test_the_page_of_figures_is_for_employers_alone_and_every_field_has_a_label(world: World) -> None:
    for persona in ("counsellor-nav", "analyst"):
        assert (await (await log_in(world, persona)).get(PATH)).status_code == 403
    browser = await log_in(world, EMPLOYER)
    other = hidden((await (await log_in(world, "employer-lier")).get(PATH)).text, PATH)["org_number"]
    assert (await browser.get(PATH, params={"org_number": other})).status_code == 404
    forged = {**hidden((await browser.get(PATH)).text, PATH), **TYPED, "org_number": other}
    assert (await browser.post(PATH, data=forged)).status_code == 404
    for language in ("nb", "en"):
        await browser.get(f"/language/{language}?next=/")
        page = (await browser.get(PATH)).text
        fields = re.findall(r'<(?:input|select) id="([^"]+)"', page)
        assert len(fields) == 7
        assert [each for each in fields if f'<label for="{each}">' not in page] == []
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        assert page.count("<h1>") == 1
        assert "<script" not in page
