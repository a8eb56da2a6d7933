"""What an employer can ask for, change and take back, through HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.issuer import MESTER_GRONN, NAV_DIRECTORATE
from chassis.mongo import Client
from chassis.settings import Settings
from contracts import nationalids
from tests.service.intake_helpers import BORN, NEED, World, running

EMPLOYER = "employer-lier"
FULL: dict[str, Any] = {
    **NEED,
    "slots": 2,
    "intermediary": "refugee_service",
    "measure": "work_training",
    "hours_per_week": 30,
    "start_from": "2025-02-03",
    "start_to": "2025-02-28",
    "language": {"listening": "B1", "reading": "A2", "speaking": "B1", "writing": "A1"},
    "licences": ["B"],
    "certificates": ["food_hygiene"],
    "adaptations": ["lift", "mentor"],
    "expires_on": "2025-03-31",
    "title": "Medarbeider i blomsterbutikk",
    "description": "Binde buketter og betjene kunder.",
    "contact": {"name": "Kari Kontakt", "phone": "22 22 22 22", "email": "kari@example.org"},
}
PUBLIC = set(FULL) - {"slots", "title", "description", "contact"}
FREE = ("title", "description", "contact")


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def read(world: World, told: dict[str, Any], persona: str = EMPLOYER) -> dict[str, Any]:
    """A need as the API shows it."""
    answer = await world.as_(persona).get(f"/needs/{told['need_id']}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_everything_that_an_employer_may_say_is_kept_and_shown(world: World) -> None:
    told = await world.need(**FULL)
    shown = await read(world, told)
    assert {name: shown[name] for name in PUBLIC} == {name: FULL[name] for name in PUBLIC}
    assert {name: shown[name] for name in FREE} == {name: FULL[name] for name in FREE}
    assert shown["adaptations_version"] == "2025-01-01"
    assert len(shown["places"]) == 2
    assert {name: (await read(world, told, "counsellor-nav"))[name] for name in FREE} == {n: FULL[n] for n in FREE}


async def test_two_fields_after_login_are_enough_and_the_rest_has_a_default(world: World) -> None:
    shown = await read(world, await world.need())
    no_levels = {"listening": None, "reading": None, "speaking": None, "writing": None}
    assert shown["language"] == no_levels
    assert (len(shown["slot_ids"]), shown["hours_per_week"], shown["expires_on"]) == (1, 37.5, "2025-07-13")


async def test_free_text_and_the_contact_person_are_published_nowhere_and_stored_sealed(
    world: World, mongo: Client
) -> None:
    told = await world.need(**FULL)
    assert await world.app.state.web.service.view("needs").wait_for("dugnad/intake", told["position"], 10)
    stored = ""
    for name in await mongo[world.settings.database("intake")].list_collection_names():
        stored += str([each async for each in mongo[world.settings.database("intake")][name].find()])
    personal = [FULL["title"], FULL["description"], *FULL["contact"].values()]
    assert told["need_id"] in stored
    assert [value for value in personal if value in stored] == []


async def test_an_occupation_is_found_as_one_types_in_norwegian_and_english(world: World) -> None:
    async def found(q: str) -> list[str]:
        answer = await world.as_(EMPLOYER).get("/occupations", q=q)
        assert answer.status_code == 200, answer.text
        return [each["code"] for each in answer.json()["items"]]

    assert "5223" in await found("butikkm")
    assert "5223" in await found("shop sal")
    assert await found("5223") == ["5223"]
    assert (await found("programv"))[0] == "2512"
    assert "8331" in await found("sjafør")
    assert await found("sjåfør") == await found("sjaafoer") == await found("sjafor")
    assert await found("") == []
    assert (await world.as_(EMPLOYER).get("/occupations", q="x" * 101)).status_code == 422
    assert (await world.http.get("/occupations", params={"q": "butikk"})).status_code == 401


async def test_code_lists_have_names_in_both_languages_and_adaptations_a_hierarchy_and_a_version(world: World) -> None:
    employer = world.as_(EMPLOYER)
    adaptations = (await employer.get("/adaptations")).json()
    parents = {each["code"]: each["parent"] for each in adaptations["items"]}
    assert (adaptations["version"], parents["lift"], parents["step_free_access"]) == (
        "2025-01-01",
        "step_free_access",
        "place",
    )
    assert (await employer.get("/adaptations", version="1999-01-01")).status_code == 422
    for path in ("/certificates", "/skills"):
        listed = (await employer.get(path)).json()["items"]
        assert all(each["name_nb"] and each["name_en"] for each in listed)
    assert len((await employer.get("/municipalities")).json()["items"]) == 357
    followed = (await employer.get("/municipalities", code="0626")).json()["items"]
    assert [(each["code"], each["name"]) for each in followed] == [("3312", "Lier")]
    assert (await employer.get("/municipalities", code="9999")).json()["items"] == []


async def test_the_same_again_is_registered_today_from_an_earlier_need(world: World) -> None:
    earlier = await world.need(**FULL)
    await world.clock(datetime(2025, 6, 2, 9, tzinfo=UTC))
    employer = world.as_(EMPLOYER)
    path = f"/needs/{earlier['need_id']}/copies"
    answer = await employer.post(path, {}, key="again")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["registered_on"], told["copied_from"], len(told["slot_ids"])) == (
        "2025-06-02",
        earlier["need_id"],
        2,
    )
    shown = await read(world, told)
    kept = PUBLIC - {"start_from", "start_to", "expires_on"}
    assert {name: shown[name] for name in kept} == {name: FULL[name] for name in kept}
    assert {name: shown[name] for name in FREE} == {name: FULL[name] for name in FREE}
    assert (shown["start_from"], shown["start_to"], shown["expires_on"]) == (None, None, "2025-12-02")
    assert (await employer.post(path, {}, key="again")).json() == told
    more = (await employer.post(path, {"slots": 5, "start_from": "2025-07-01"})).json()
    assert (len(more["slot_ids"]), (await read(world, more))["start_from"]) == (5, "2025-07-01")
    assert (await world.as_("employer-nav").post(path, {})).status_code == 404


async def test_a_need_is_revised_and_the_promise_stays(world: World) -> None:
    told = await world.need(**FULL)
    employer, path = world.as_(EMPLOYER), f"/needs/{told['need_id']}/revision"
    await world.clock(datetime(2025, 1, 20, 9, tzinfo=UTC))
    body = {"occupation": "5222", "hours_per_week": 20, "description": "Ledelse av butikken."}
    assert (await employer.post(path, body)).status_code == 428
    done = await employer.post(path, body, version=1)
    assert (done.status_code, done.json()["version"]) == (201, 2)
    shown = await read(world, told)
    assert (shown["occupation"], shown["hours_per_week"], shown["measure"]) == ("5222", 20.0, None)
    assert (shown["description"], shown["title"], shown["contact"]) == ("Ledelse av butikken.", None, None)
    assert (shown["promise_date"], shown["slot_ids"], shown["revised_on"]) == (
        told["promise_date"],
        told["slot_ids"],
        "2025-01-20",
    )
    same = await employer.post(path, body, version=2)
    assert (same.status_code, same.json()["code"]) == (409, "nothing_changed")
    assert (await employer.post(path, {**body, "municipality": "0301"}, version=2)).status_code == 422
    assert (await world.as_("employer-nav").post(path, body, version=2)).status_code == 404


async def test_of_two_who_revise_at_once_one_is_told_what_has_changed(world: World) -> None:
    told = await world.need()
    path = f"/needs/{told['need_id']}/revision"
    bodies = [{"occupation": "5223", "hours_per_week": hours} for hours in (10, 20, 30)]
    answers = await asyncio.gather(*(world.as_(EMPLOYER).post(path, body, version=1) for body in bodies))
    assert sorted(each.status_code for each in answers) == [201, 409, 409]
    for refused in (each.json() for each in answers if each.status_code == 409):
        assert (refused["code"], refused["changed"], refused["version"]) == ("stale", ["NeedRevised"], 2)


async def test_one_place_is_withdrawn_with_a_reason_and_then_the_rest(world: World) -> None:
    told = await world.need(**FULL)
    employer, path = world.as_(EMPLOYER), f"/needs/{told['need_id']}/withdrawal"
    first, second = told["slot_ids"]
    done = await employer.post(path, {"reason": "filled_otherwise", "slot_ids": [first]}, version=1)
    assert (done.status_code, done.json()["slot_ids"]) == (201, [first])
    shown = await read(world, told)
    assert [each["state"] for each in shown["places"]] == ["withdrawn", "open"]
    assert (shown["withdrawn"], shown["open"]) == (None, True)
    again = await employer.post(path, {"reason": "other", "slot_ids": [first]}, version=2)
    assert (again.status_code, again.json()["code"]) == (409, "slot_closed")
    foreign = await employer.post(path, {"reason": "other", "slot_ids": ["01ARZ3NDEKTSV4RRFFQ69G5FAV"]}, version=2)
    assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (422, "/slot_ids/0")
    rest = await employer.post(path, {"reason": "no_longer_needed"}, version=2)
    assert rest.json()["slot_ids"] == [second]
    shown = await read(world, told)
    assert (shown["open"], shown["withdrawn"]) == (False, {"on": "2025-01-13", "reason": "no_longer_needed"})


async def test_unfilled_places_expire_on_the_day_after_the_last_open_one(world: World) -> None:
    told = await world.need(expires_on="2025-01-20")
    lasting = await world.need()
    employer = world.as_(EMPLOYER)
    await world.clock(datetime(2025, 1, 20, 22, 30, tzinfo=UTC))
    await world.clock(datetime(2025, 1, 20, 23, 30, tzinfo=UTC))
    shown = await employer.until(f"/needs/{told['need_id']}", lambda need: not need["open"])
    assert (shown["expired"], shown["withdrawn"]) == ({"on": "2025-01-21", "reason": "expired"}, None)
    assert shown["version"] == 2
    assert [each["state"] for each in shown["places"]] == ["expired"]
    assert (await read(world, lasting))["open"] is True
    revised = await employer.post(f"/needs/{told['need_id']}/revision", {"occupation": "5222"}, version=2)
    assert (revised.status_code, revised.json()["code"]) == (409, "need_closed")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ({"title": "Flyktning søkes til butikk"}, "origin_in_text"),
        ({"title": "Lønnstilskuddsplass"}, "subsidy_in_text"),
        ({"description": "Ring oss på +47 912 34 567"}, "phone_in_text"),
        ({"description": "Skriv til kari@example.org"}, "email_in_text"),
        ({"description": "Fint for en med psykiske plager"}, "health_in_text"),
    ],
)
async def test_telling_text_is_warned_about_with_why_before_it_is_saved(
    world: World, text: dict[str, str], code: str
) -> None:
    employer = world.as_(EMPLOYER)
    warned = await employer.post("/needs", {**NEED, **text})
    (pointer,) = (f"/{name}" for name in text)
    problem = warned.json()
    assert (warned.status_code, problem["code"], problem["warnings"]) == (422, "warnings_unseen", [code])
    assert [(each["pointer"], each["code"]) for each in problem["errors"]] == [(pointer, code)]
    assert problem["errors"][0]["detail"].count(" ") > 3
    assert next(iter(text.values())) not in warned.text
    other = "health_in_text" if code != "health_in_text" else "phone_in_text"
    assert (await employer.post("/needs", {**NEED, **text, "accept_warnings": [other]})).status_code == 422
    saved = await employer.post("/needs", {**NEED, **text, "accept_warnings": [code]})
    assert (saved.status_code, saved.json()["warnings"]) == (201, [{"pointer": pointer, "code": code}])


async def test_the_arrangement_may_stand_in_the_description(world: World) -> None:
    assert (await world.need(description="Vi har hatt god erfaring med lønnstilskudd."))["warnings"] == []


async def test_a_national_id_in_free_text_is_refused_however_it_is_written(world: World, mongo: Client) -> None:
    number = nationalids.synthetic(BORN, 1)
    employer = world.as_(EMPLOYER)
    forms = (
        number,
        f"{number[:6]} {number[6:]}",
        f"{number[:6]}-{number[6:]}",
        f"{number[:2]}.{number[2:4]}.{number[4:]}",
    )
    codes = ["phone_in_text", "email_in_text", "origin_in_text"]
    for form in forms:
        for name in ("title", "description"):
            answer = await employer.post("/needs", {**NEED, name: f"Gjelder {form}.", "accept_warnings": codes})
            problem = answer.json()
            assert (answer.status_code, problem["errors"][0]["code"]) == (422, "national_id_in_text"), form
            assert problem["errors"][0]["pointer"] == f"/{name}"
            assert number not in answer.text
    assert await mongo[world.settings.database("keyring")]["keys"].count_documents({}) == 0


async def test_an_employer_is_known_by_name_address_and_industry_from_the_register(world: World) -> None:
    answer = await world.as_(EMPLOYER).get(f"/employers/{MESTER_GRONN}")
    assert answer.status_code == 200
    unit = answer.json()
    assert (unit["name"], unit["kind"], unit["municipality"], unit["industry"]) == (
        "MESTER GRØNN LIER (SYNTETISK)",
        "sub",
        "3312",
        "47.761",
    )
    assert (await world.as_("counsellor-nav").get(f"/employers/{NAV_DIRECTORATE}")).json()["kind"] == "main"
    assert (await world.as_(EMPLOYER).get(f"/employers/{NAV_DIRECTORATE}")).status_code == 404
    assert (await world.as_("counsellor-nav").get("/employers/310000035")).status_code == 404
    assert (await world.as_("counsellor-nav").get("/employers/123")).status_code == 404


async def test_reporting_may_ask_what_an_employer_is_called_and_not_what_a_person_is(world: World) -> None:
    reporting = world.as_("reporting")
    told = await reporting.get(f"/employers/{NAV_DIRECTORATE}")
    assert (told.status_code, told.json()["name"]) == (200, "ARBEIDS- OG VELFERDSDIREKTORATET (SYNTETISK)")
    assert (await reporting.get(f"/candidates/{new_id()}/name")).status_code == 403


async def test_a_later_workforce_report_restates_the_year_and_adds_nothing(world: World) -> None:
    employer = world.as_("employer-nav")
    path = f"/workforce-reports/{NAV_DIRECTORATE}/2017"
    body = {"year": 2017, "head_count": 14000, "immigrant_background": 1500, "cv_gap": 10}
    assert (await employer.post("/workforce-reports", body)).status_code == 201
    corrected = {"year": 2017, "head_count": 14000, "immigrant_background": 1526}
    assert (await employer.post("/workforce-reports", corrected)).status_code == 201
    figures = (await employer.get(path)).json()
    assert (figures["head_count"], figures["immigrant_background"], figures["cv_gap"]) == (14000, 1526, None)


async def test_the_same_key_registers_one_need_however_often_and_however_many_at_once(world: World) -> None:
    employer = world.as_(EMPLOYER)
    answers = await asyncio.gather(*(employer.post("/needs", FULL, key="once") for _ in range(8)))
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["need_id"] for each in answers}) == 1
    position = answers[0].json()["position"]
    assert len((await employer.get("/needs", min_position=f"intake:{position}")).json()["items"]) == 1
