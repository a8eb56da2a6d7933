"""The front page works without JavaScript: an employer registers a need and sees the promise."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.settings import Settings
from tests.service.intake_helpers import World, running

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def log_in(world: World, persona: str) -> httpx.AsyncClient:
    """A browser with a session."""
    transport = httpx.ASGITransport(app=world.app)
    browser = httpx.AsyncClient(transport=transport, base_url="http://intake.test", headers=BROWSER)
    candidate_id = "01HZZZZZZZZZZZZZZZZZZZZZZ2" if persona == "candidate" else ""
    answer = await browser.post("/login", data={"persona": persona, "candidate_id": candidate_id, "next": "/"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return browser


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the form that registers a need."""
    form = page[page.index('<form id="form" method="post" action="/"') :]
    return dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', form))


def plain(page: str) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


async def test_who_is_not_logged_in_is_sent_to_the_login(world: World) -> None:
    answer = await world.http.get("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=%2F")


async def test_an_employer_registers_a_need_with_two_fields_and_sees_the_promise(world: World) -> None:
    browser = await log_in(world, "employer-lier")
    page = (await browser.get("/")).text
    assert '<html lang="nb">' in page
    assert "Du har ikke registrert noe behov ennå. Fyll ut skjemaet over." in page
    assert "Lier (Buskerud)</option>" in page
    assert "Våler (Innlandet)</option>" in page
    typed = {**hidden(page), "occupation": "5223 Butikkmedarbeidere", "municipality": "3312"}
    sent = await browser.post("/", data=typed)
    (need,) = (await world.as_("employer-lier").get("/needs", min_position="intake:1")).json()["items"]
    registered = f"/?min_position=intake:1&registered={need['need_id']}"
    assert (sent.status_code, sent.headers["Location"]) == (303, registered)
    shown = plain((await browser.get(sent.headers["Location"])).text)
    assert "Butikkmedarbeidere: behovet er registrert. På jobb senest 10. februar 2025." in shown
    assert "behovet er registrert" not in plain((await browser.get("/?registered=01HZZZZZZZZZZZZZZZZZZZZZZ2")).text)
    assert "Butikkmedarbeidere Lier 1 13. januar 2025 10. februar 2025" in shown
    assert "NAV finner kandidater og viser dem til deg." in shown
    # The same form sent again, as by a double click.
    again = await browser.post("/", data=typed)
    assert again.status_code == 303
    assert len((await world.as_("employer-lier").get("/needs")).json()["items"]) == 1


async def test_what_is_wrong_stands_at_its_field_beside_what_was_typed(world: World) -> None:
    browser = await log_in(world, "employer-lier")
    typed = {
        **hidden((await browser.get("/")).text),
        "occupation": 'blomst<script>"',
        "municipality": "3312",
        "hours_per_week": "50",
        "slots": "mange",
    }
    answer = await browser.post("/", data=typed)
    assert answer.status_code == 422
    assert 'id="occupation-error"' in answer.text
    assert 'id="slots-error"' in answer.text
    assert '<a href="#occupation">Yrke: Velg et yrke fra listen, eller skriv den firesifrede koden.</a>' in answer.text
    empty = await browser.post("/", data={**typed, "municipality": ""})
    assert '<a href="#municipality">Kommune: Feltet mangler.</a>' in empty.text
    assert "<details open>" in answer.text
    assert "<script" not in answer.text
    assert "blomst&lt;script&gt;" in answer.text
    corrected = {**typed, **hidden(answer.text), "occupation": "5223", "slots": "1"}
    refused = await browser.post("/", data=corrected)
    assert refused.status_code == 422
    assert "Timer per uke må være mer enn 0 og høyst 40." in refused.text
    assert (await browser.post("/", data={**corrected, "hours_per_week": "37,5"})).status_code == 303


async def test_who_goes_back_to_a_form_that_was_sent_and_writes_something_else_keeps_it(world: World) -> None:
    browser = await log_in(world, "employer-lier")
    typed = {**hidden((await browser.get("/")).text), "occupation": "5223", "municipality": "3312"}
    assert (await browser.post("/", data=typed)).status_code == 303
    other = await browser.post("/", data={**typed, "occupation": "2512", "hours_per_week": "20"})
    assert other.status_code == 422
    assert "Skjemaet er sendt før, med et annet innhold, og det gjelder." in plain(other.text)
    assert 'value="2512"' in other.text
    assert 'value="20"' in other.text
    assert len((await world.as_("employer-lier").get("/needs", min_position="intake:1")).json()["items"]) == 1
    sent = await browser.post("/", data={**typed, "occupation": "2512", **hidden(other.text)})
    assert sent.status_code == 303, "what was written holds too"
    assert len((await world.as_("employer-lier").get("/needs", min_position="intake:2")).json()["items"]) == 2


async def test_a_form_without_its_token_is_refused(world: World) -> None:
    browser = await log_in(world, "employer-lier")
    typed = {**hidden((await browser.get("/")).text), "occupation": "5223", "municipality": "3312"}
    del typed["csrf_token"]
    assert (await browser.post("/", data=typed)).status_code == 403


async def test_an_intermediary_reads_all_needs_and_registers_none(world: World) -> None:
    need = await world.need("employer-lier", intermediary="refugee_service")
    browser = await log_in(world, "counsellor-refugee-service")
    page = (await browser.get(f"/?min_position=intake:{need['position']}")).text
    assert "Behov fra arbeidsgivere" in page
    assert "Flyktningtjenesten finner kandidater." in page
    assert "<td>MESTER GRØNN LIER (SYNTETISK) (315486890)</td>" in page
    assert 'action="/"' not in page


async def test_the_page_is_there_in_english(world: World) -> None:
    need = await world.need()
    browser = await log_in(world, "employer-lier")
    switched = await browser.get("/language/en?next=/")
    assert switched.status_code == 303
    page = (await browser.get(f"/?min_position=intake:{need['position']}")).text
    assert '<html lang="en">' in page
    assert "10 February 2025" in page
    assert "Shop Sales Assistants" in page


async def test_who_has_no_needs_to_read_is_told_whom_the_page_is_for(world: World) -> None:
    browser = await log_in(world, "analyst")
    answer = await browser.get("/")
    assert answer.status_code == 200
    assert "Denne siden er for arbeidsgivere og formidlere." in answer.text
    assert "Dine behov" not in answer.text


@pytest.mark.parametrize(
    ("persona", "menu", "home"),
    [
        ("employer-lier", ["intake", "matching", "followup"], "intake"),
        ("counsellor-nav", ["intake", "matching", "followup"], "intake"),
        ("decision-maker", ["intake", "matching", "followup"], "followup"),
        ("candidate", ["matching", "followup"], "matching"),
        ("analyst", ["reporting"], "reporting"),
        ("operator", [], "intake"),
    ],
)
async def test_each_role_is_led_to_the_pages_that_have_something_for_it(
    world: World, persona: str, menu: list[str], home: str
) -> None:
    browser = await log_in(world, persona)
    page = (await browser.get("/")).text
    settings = world.settings
    address = {
        name: f"{getattr(settings, f'{name}_url').rstrip('/')}/" for name in ("matching", "followup", "reporting")
    }
    address["intake"] = "/"
    navigation = page[page.index("<nav") : page.index("</nav>")]
    assert re.findall(r'<a href="([^"]+)"', navigation) == [*(address[name] for name in menu), "/docs"]
    assert f'class="brand" href="{address[home]}"' in page
    assert ("Gå til din første side" in page) == (persona in ("candidate", "analyst"))


async def test_every_table_and_field_says_what_it_is(world: World) -> None:
    await world.need()
    browser = await log_in(world, "employer-lier")
    page = (await browser.get("/?min_position=intake:1")).text
    fields = re.findall(r'<(?:input|select|textarea) id="([a-z_]+)"', page)
    assert len(fields) >= 8
    assert [each for each in fields if f'<label for="{each}">' not in page] == []
    assert page.count("<h1>") == 1
    assert page.count("<table>") == page.count("<caption>") == 1
    assert "<th>" not in page
    assert "<script" not in page


async def test_one_place_of_several_is_withdrawn_by_its_form(world: World) -> None:
    browser = await log_in(world, "employer-lier")
    typed = {**hidden((await browser.get("/")).text), "occupation": "5223", "municipality": "3312", "slots": "2"}
    sent = await browser.post("/", data=typed)
    need_id = re.findall(r"registered=(\w+)", sent.headers["Location"])[0]
    page = (await browser.get(f"/need/{need_id}?min_position=intake:1")).text
    form = page[page.index(f'action="/need/{need_id}/withdrawal"') :]
    fields = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', form))
    second = re.findall(r'<option value="(\w+)">Plass 2</option>', form)[0]
    sent = await browser.post(
        f"/need/{need_id}/withdrawal", data={**fields, "reason": "no_longer_needed", "slot": second}
    )
    assert sent.status_code == 303, sent.text
    need = (await world.as_("employer-lier").get(f"/needs/{need_id}", min_position="intake:2")).json()
    assert [each["state"] for each in need["places"]] == ["open", "withdrawn"]
    assert "Hvilken plass?" not in (await browser.get(f"/need/{need_id}")).text
