"""A counsellor registers, maps, qualifies and assesses on pages, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chassis.settings import Settings
from contracts import nationalids
from tests.service.intake_helpers import BORN, MONDAY, NATIONAL_ID, World, running
from tests.service.test_intake_page import log_in, plain
from tests.service.test_intake_places import hidden

PATH = "/counsellor/candidates"
OWN = "counsellor-refugee-service"
OTHER_ID = nationalids.synthetic(BORN, 1)
THIRD_ID = nationalids.synthetic(BORN, 4)
MAPPED = {
    "municipality": "3312",
    "hours_per_week": "37,5",
    "language_speaking": "B1",
    "evidence_source": "official_test",
    "evidence_on": "2024-12-01",
    "experience_1": "5223 Butikkmedarbeidere",
    "experience_months_1": "48",
    "wished_1": "butikkmedarbeidere",
    "skills": ["sales", "customer_service"],
    "licences": "b",
    "notes": "Trives med kunder",
    "limits": "Kan ikke løfte tungt",
}
ALL_ELSE: dict[str, object] = {
    "wished_municipality_1": "0301",
    "wished_municipality_2": "3301",
    "travel_minutes": "45",
    "available_from": "2025-02-01",
    "education_level": "bachelor",
    "certificates": ["first_aid"],
}


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def register(browser: httpx.AsyncClient, **typed: str) -> httpx.Response:
    """Send the form of the list."""
    page = (await browser.get(PATH)).text
    person = {"name": "Karim Testesen", "national_id": NATIONAL_ID, **typed}
    return await browser.post(PATH, data={**hidden(page, PATH), **person})


async def act(browser: httpx.AsyncClient, url: str, action: str, typed: dict[str, object]) -> httpx.Response:
    """Fill in the form of an action and send it."""
    page = (await browser.get(f"{url}/{action}")).text
    return await browser.post(f"{url}/{action}", data={**hidden(page, f"{url}/{action}"), **typed})


async def test_a_counsellor_registers_maps_assesses_and_records_consent_on_pages(world: World) -> None:
    browser = await log_in(world, OWN)
    front = (await browser.get("/")).text
    assert f'<a href="{PATH}">Dine kandidater</a>' in front
    assert "Dere har ingen kandidater ennå." in plain((await browser.get(PATH)).text)
    sent = await register(browser)
    assert sent.status_code == 303, sent.text
    url = sent.headers["Location"].partition("?")[0]
    steps: tuple[tuple[str, dict[str, object]], ...] = (
        ("mapping", {**MAPPED, **ALL_ELSE}),
        (
            "qualifications",
            {
                "kind": "course",
                "title": "Kveldskurs",
                "provider": "Lier voksenopplæring",
                "occupation": "5223",
                "started_on": "2024-09-01",
                "completed_on": "2024-11-30",
            },
        ),
        ("assessment", {"ready": "yes", "valid_until": "2025-07-13", "reduced_work_capacity": "no"}),
        ("consent", {}),
    )
    for action, typed in steps:
        done = await act(browser, url, action, typed)
        assert done.status_code == 303, done.text
    page = await browser.get(url)
    assert page.headers["Cache-Control"] == "no-store"
    shown = plain(page.text)
    for words in (
        "Karim Testesen",
        "B1, B1: Offisiell prøve 1. desember 2024",
        "Butikkmedarbeidere: 48 måneder",
        "Kan ikke løfte tungt",
        "Ønskede kommuner Oslo, Drammen",
        "Lengste reisevei, minutter 45",
        "Kan begynne 1. februar 2025",
        "Høyeste fullførte utdanning Bachelor",
        "Ferdigheter Kundeservice, Salg",
        "Kurs og bevis Førstehjelp",
        "Førerkort B",
        "Kurs: Butikkmedarbeidere, 1. september 2024",
        "13. juli 2025",
        "Samtykke til formidling Ja",
    ):
        assert words in shown, words
    assert "Karim Testesen" in plain((await browser.get(PATH)).text)
    candidate_id = url.rpartition("/")[2]
    facts = (await world.as_(OWN).get(f"/candidates/{candidate_id}")).json()
    assert (facts["mapping"]["skills"], facts["mapping"]["licences"]) == (["sales", "customer_service"], ["B"])
    assert facts["mapping"]["language_evidence"] == [
        {"skill": "speaking", "level": "B1", "source": "official_test", "assessed_on": "2024-12-01"}
    ]


async def test_an_assessment_that_has_run_out_is_said_to_have_and_not_to_be_missing(world: World) -> None:
    browser = await log_in(world, OWN)
    url = (await register(browser)).headers["Location"].partition("?")[0]
    await act(browser, url, "mapping", dict(MAPPED))
    await act(browser, url, "assessment", {"ready": "yes", "valid_until": "2025-01-15", "reduced_work_capacity": "no"})
    await world.clock(MONDAY.replace(day=16))
    assert "Klar til og med Gikk ut 15. januar 2025 (vurdert av" in plain((await browser.get(url)).text)
    assert "Gikk ut 15. januar 2025" in plain((await browser.get(PATH)).text)


async def test_what_is_wrong_stands_at_its_field_and_what_was_typed_is_kept(world: World) -> None:
    browser = await log_in(world, OWN)
    wrong = await register(browser, national_id="12345678901", email="karim")
    assert wrong.status_code == 422
    assert 'id="email-error"' in wrong.text
    wrong = await register(browser, national_id="12345678901")
    assert "Fødselsnummeret eller D-nummeret er ikke gyldig." in plain(wrong.text)
    assert 'value="Karim Testesen"' in wrong.text
    url = (await register(browser)).headers["Location"].partition("?")[0]
    mapped = await act(browser, url, "mapping", {**MAPPED, "experience_months_1": "mange", "wished_1": "trollmann"})
    assert mapped.status_code == 422
    assert 'id="experience_months_1-error"' in mapped.text
    assert 'value="trollmann"' in mapped.text
    early = await act(browser, url, "assessment", {"ready": "yes", "valid_until": "2025-07-13"})
    assert early.status_code == 422
    assert "Kandidaten må kartlegges før vurderingen." in plain(early.text)


async def test_a_new_mapping_by_form_loses_nothing_that_stands(world: World) -> None:
    browser = await log_in(world, OWN)
    url = (await register(browser)).headers["Location"].partition("?")[0]
    api = f"/candidates/{url.rpartition('/')[2]}"
    day = {"source": "official_test", "assessed_on": "2024-12-01"}
    full: dict[str, Any] = {
        "municipality": "3312",
        "hours_per_week": 37.5,
        "language": {"speaking": "B1", "reading": "A2"},
        "experience": [{"occupation": code, "months": 12} for code in ("5223", "2512", "5221", "9112", "5120")],
        "wished_occupations": ["2512", "5223", "5221"],
        "wished_municipalities": ["0301", "3312"],
        "language_evidence": [{"skill": "speaking", "level": "B1", **day}, {"skill": "reading", "level": "A2", **day}],
    }
    assert (await world.as_(OWN).post(f"{api}/mapping", full, version=1)).status_code == 201
    page = (await browser.get(f"{url}/mapping")).text
    fields = dict(re.findall(r'<input id="([a-z_0-9]+)" [^>]*?value="([^"]*)"', page))
    assert "experience_6" in fields, "one more"
    chosen = dict(
        re.findall(r'<select id="([a-z_0-9]+)"(?:(?!</select>).)*?<option value="([^"]*)" selected', page, re.S)
    )
    typed = {**fields, **chosen, "language_reading": "B2", "evidence_source": "counsellor", "evidence_on": "2025-01-10"}
    typed |= {"evidence_skills": "reading", "experience_2": "", "experience_months_2": ""}
    sent = await browser.post(f"{url}/mapping", data={**hidden(page, f"{url}/mapping"), **typed})
    assert sent.status_code == 303, re.findall("-error.*", sent.text)
    mapping = (await world.as_(OWN).get(api)).json()["mapping"]
    assert mapping["experience"] == [full["experience"][each] for each in (0, 2, 3, 4)]
    for name in ("wished_occupations", "wished_municipalities"):
        assert mapping[name] == full[name]
    assert {each["skill"]: (each["level"], each["source"]) for each in mapping["language_evidence"]} == {
        "speaking": ("B1", "official_test"),
        "reading": ("B2", "counsellor"),
    }
    alone = await act(browser, url, "mapping", {**MAPPED, "experience_months_2": "4"})
    assert (alone.status_code, 'id="experience_2-error"' in alone.text) == (422, True), "months of what?"


async def test_somebody_who_is_registered_is_shown_and_not_registered_again(world: World) -> None:
    browser = await log_in(world, OWN)
    url = (await register(browser)).headers["Location"].partition("?")[0]
    again = await register(browser)
    assert again.status_code == 422
    assert "Bruk kandidaten som er der." in plain(again.text)
    assert f'<a href="{url}">Se kandidaten som er registrert</a>' in again.text
    elsewhere = await register(await log_in(world, "counsellor-nav"))
    assert "En annen formidler følger opp personen" in plain(elsewhere.text)
    assert url not in elsewhere.text


async def test_who_hands_somebody_over_sees_them_no_more(world: World) -> None:
    browser = await log_in(world, OWN)
    url = (await register(browser)).headers["Location"].partition("?")[0]
    done = await act(browser, url, "handover", {"to_intermediary": "nav"})
    assert (done.status_code, done.headers["Location"]) == (303, PATH)
    assert (await browser.get(url)).status_code == 404
    assert "Karim Testesen" not in (await browser.get(PATH)).text
    assert (await (await log_in(world, "counsellor-nav")).get(url)).status_code == 200


async def test_the_pages_are_for_counsellors_alone(world: World) -> None:
    candidate_id = await world.candidate()
    for persona in ("employer-lier", "analyst"):
        browser = await log_in(world, persona)
        assert (await browser.get(PATH)).status_code == 404
        assert (await browser.get(f"{PATH}/{candidate_id}")).status_code == 403
    anonymous = httpx.AsyncClient(transport=httpx.ASGITransport(app=world.app), base_url="http://intake.test")
    assert (await anonymous.get(PATH, headers={"Accept": "text/html"})).status_code == 303
    foreign = await log_in(world, "counsellor-nav")
    assert (await foreign.get(f"{PATH}/{candidate_id}")).status_code == 404
    assert (await foreign.get(f"{PATH}/{candidate_id}/mapping")).status_code == 404
    denied = (await world.as_("operator").get("/audit", candidate_id=candidate_id, outcome="denied")).json()["items"]
    assert len(denied) == 2


async def test_every_field_of_every_form_has_a_label_and_every_page_one_heading(world: World) -> None:
    browser = await log_in(world, OWN)
    url = (await register(browser)).headers["Location"].partition("?")[0]
    await act(browser, url, "mapping", dict(MAPPED))
    await act(browser, url, "assessment", {"ready": "yes", "valid_until": "2025-07-13", "reduced_work_capacity": "no"})
    listed = re.findall(rf'href="({url}/[a-z-]+)"', (await browser.get(url)).text)
    assert len(listed) == 9
    for language in ("nb", "en"):
        await browser.get(f"/language/{language}?next=/")
        for path in (PATH, url, *listed):
            page = (await browser.get(path)).text
            fields = re.findall(r'<(?:input|select|textarea)(?: type="(?:radio|checkbox)")? id="([^"]+)"', page)
            labelled = set(re.findall(r'<label for="([^"]+)"', page))
            assert [each for each in fields if each not in labelled] == [], path
            ids = re.findall(r' id="([^"]+)"', page)
            assert len(ids) == len(set(ids)), path
            assert page.count("<h1>") == 1
            assert "<script" not in page
            assert f'<html lang="{language}">' in page


async def test_two_registrations_of_one_person_are_merged_after_a_yes_to_just_these_two(world: World) -> None:
    browser = await log_in(world, OWN)
    first = (await register(browser)).headers["Location"].partition("?")[0]
    second = (await register(browser, name="Karim T.", national_id=OTHER_ID)).headers["Location"].partition("?")[0]
    foreign = nationalids.synthetic(BORN, 2)
    elsewhere = await world.candidate("counsellor-nav", national_id=foreign)
    assert f'href="{first}/merger"' in (await browser.get(first)).text
    for number in (foreign, nationalids.synthetic(BORN, 3)):
        unknown = await act(browser, first, "merger", {"other_national_id": number, "confirmed": "yes"})
        assert "Dere følger ikke opp noen med dette nummeret." in plain(unknown.text), "the same for both"
    (denied,) = (await world.as_("operator").get("/audit", candidate_id=elsewhere)).json()["items"]
    assert (denied["what"], denied["outcome"]) == ("duplicate", "denied")
    third = (await register(browser, name="Karim U.", national_id=THIRD_ID)).headers["Location"].partition("?")[0]
    unasked = await act(browser, first, "merger", {"other_national_id": THIRD_ID, "confirmed": "yes"})
    assert (unasked.status_code, "og Karim U. går videre." in plain(unasked.text)) == (422, True)
    changed = {**hidden(unasked.text, f"{first}/merger"), "other_national_id": OTHER_ID, "confirmed": "yes"}
    asked_anew = await browser.post(f"{first}/merger", data=changed)
    assert asked_anew.status_code == 422, "the yes was said to another one"
    assert "og Karim T. går videre." in plain(asked_anew.text)
    assert third != second
    asked = await act(browser, first, "merger", {"other_national_id": OTHER_ID})
    assert asked.status_code == 422
    assert "Registreringen av Karim Testesen ender, og Karim T. går videre." in plain(asked.text)
    assert (await browser.get(first)).text.count("Slå sammen") == 1, "nothing has happened yet"
    typed = {**hidden(asked.text, f"{first}/merger"), "other_national_id": OTHER_ID, "confirmed": "yes"}
    done = await browser.post(f"{first}/merger", data=typed)
    assert (done.status_code, done.headers["Location"]) == (303, second)
    page = (await browser.get(first)).text
    assert f'<a href="{second}">' in page
    assert "/merger" not in page
    assert (await browser.get(f"{first}/erasure")).status_code == 404, "what has ended is erased with the other"
    assert second in (await browser.get(PATH)).text


async def test_the_other_registration_is_chosen_from_the_list_with_the_same_checks(world: World) -> None:
    browser = await log_in(world, OWN)
    first = (await register(browser)).headers["Location"].partition("?")[0]
    second = (await register(browser, national_id=OTHER_ID)).headers["Location"].partition("?")[0]
    third = (await register(browser, name="Karim U.", national_id=THIRD_ID)).headers["Location"].partition("?")[0]
    ended, survivor, other = (each.rpartition("/")[2] for each in (first, second, third))
    foreign = await world.candidate("counsellor-nav", national_id=nationalids.synthetic(BORN, 2))
    choice = re.search(r'href="([^"]+)">Velg den andre fra listen', (await browser.get(f"{first}/merger")).text)
    assert choice is not None
    listed = await browser.get(choice[1])
    assert "Hvem er samme person som Karim Testesen?" in plain(listed.text)
    links = re.findall(rf'href="({first}/merger[^"]+)"', listed.text)
    assert links == [f"{first}/merger?other={each}" for each in (survivor, other)], "neither oneself nor the others'"
    asked = await browser.get(links[0])
    assert (
        "Registreringen av Karim Testesen (registrert 13. januar 2025) ender, og Karim Testesen (registrert"
        in plain(asked.text)
    ), "of the same name"
    typed = {**hidden(asked.text, f"{first}/merger"), "confirmed": "yes"}
    for each in (foreign, ended, "01HZZZZZZZZZZZZZZZZZZZZZZ2"):
        assert (await browser.get(f"{first}/merger?other={each}")).status_code == 404
    assert (await browser.get(f"{PATH}?merges={foreign}")).status_code == 404
    forged = await browser.post(f"{first}/merger", data={**typed, "chosen": foreign, "confirmed_for": foreign})
    assert forged.status_code == 404
    assert len((await world.as_("operator").get("/audit", candidate_id=foreign, outcome="denied")).json()["items"]) == 3
    unsure = await browser.post(f"{first}/merger", data={**typed, "confirmed": "no"})
    assert (unsure.status_code, "ender, og Karim Testesen" in plain(unsure.text)) == (422, True)
    changed = await browser.post(f"{first}/merger", data={**hidden(unsure.text, f"{first}/merger"), "chosen": other})
    assert (changed.status_code, "og Karim U. går videre." in plain(changed.text)) == (422, True)
    for _ in range(2):
        done = await browser.post(f"{first}/merger", data=typed)
        assert (done.status_code, done.headers["Location"]) == (303, second), "also by a double click"
    assert f'<a href="{second}">' in (await browser.get(first)).text
    assert (await browser.get(links[0])).status_code == 404, "this registration has ended"
    assert links[0] not in (await browser.get(f"{PATH}?merges={other}")).text
    itself = await act(browser, second, "merger", {"other_national_id": OTHER_ID})
    assert "En registrering kan ikke slås sammen med seg selv." in plain(itself.text)
    assert 'id="other_national_id-error"' in itself.text


async def test_everything_about_a_person_is_erased_after_a_yes(world: World) -> None:
    browser = await log_in(world, OWN)
    url = (await register(browser)).headers["Location"].partition("?")[0]
    page = plain((await browser.get(f"{url}/erasure")).text)
    assert "Karim Testesen" in page
    assert "Det kan ikke gjøres om." in page
    for answer in ("", "no"):
        refused = await act(browser, url, "erasure", {"confirmed": answer})
        assert (refused.status_code, "Velg ja for å gå videre." in plain(refused.text)) == (422, True)
    done = await act(browser, url, "erasure", {"confirmed": "yes"})
    assert (done.status_code, done.headers["Location"]) == (303, PATH)
    assert "Karim Testesen" not in (await browser.get(PATH)).text, "the list shows it at once"
    assert (await browser.get(url)).status_code == 410


async def test_a_form_that_is_behind_keeps_what_was_typed_and_says_what_stands_now(world: World) -> None:
    browser, colleague = await log_in(world, OWN), await log_in(world, OWN)
    url = (await register(browser)).headers["Location"].partition("?")[0]
    await act(browser, url, "mapping", dict(MAPPED))
    behind = hidden((await browser.get(f"{url}/mapping")).text, f"{url}/mapping")
    other: dict[str, object] = {**MAPPED, "hours_per_week": "20", "language_speaking": "B2"}
    assert (await act(colleague, url, "mapping", other)).status_code == 303
    late = await browser.post(f"{url}/mapping", data={**behind, **MAPPED, "limits": "Ikke kveld"})
    assert late.status_code == 409
    shown = plain(late.text)
    assert "Noen andre har endret dette i mellomtiden (kartleggingen er ny)." in shown
    assert "Ikke kveld" in late.text
    assert "Nå står det: 20,0" in shown
    assert "Nå står det: B2" in shown
    assert "Nå står det: Kan ikke løfte tungt" in shown
    assert shown.count("Nå står det") == 3, "of what is the same nothing is said"
    typed = {**MAPPED, **hidden(late.text, f"{url}/mapping"), "limits": "Ikke kveld"}
    assert (await browser.post(f"{url}/mapping", data=typed)).status_code == 303
