"""What other services learn of a person; background facts; workforce figures."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.issuer import MESTER_GRONN, NAV_DIRECTORATE
from chassis.keyring import KeyDestroyed, KeyUnknown, RemoteKeyring, unseal
from chassis.mongo import Client
from chassis.settings import Settings
from chassis.tokens import ServiceTokens
from tests.service.intake_helpers import ASSESSMENT, MAPPING, World, running

TRAINING = {"measure": "work_training", "start": "2025-02-03", "end": "2025-05-02"}
FIGURES: dict[str, Any] = {
    "year": 2017,
    "head_count": 14000,
    "immigrant_background": 1526,
    "country_group_1": 505,
    "country_group_2": 1021,
}


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def assessed(world: World, **assessment: Any) -> str:
    candidate_id = await world.candidate()
    counsellor = world.as_("counsellor-refugee-service")
    await counsellor.post(f"/candidates/{candidate_id}/mapping", MAPPING, version=1)
    body = {**ASSESSMENT, **assessment}
    answer = await counsellor.post(f"/candidates/{candidate_id}/assessment", body, version=2)
    assert answer.status_code == 201, answer.text
    return candidate_id


# --- keys


async def test_a_service_opens_what_intake_sealed_with_the_key_it_is_given(world: World, mongo: Client) -> None:
    candidate_id = await world.candidate()
    declared = await world.as_("candidate", candidate_id).post(
        f"/candidates/{candidate_id}/background", {"immigrant_background": "immigrant", "country_of_birth": "SY"}
    )
    assert declared.status_code == 201, declared.text
    keyring = RemoteKeyring("http://intake.test", ServiceTokens(world.settings, "reporting"), client=world.http)
    key = await keyring.key(candidate_id)
    commit = await mongo[world.settings.database("background")]["commits"].find_one()
    assert commit is not None
    event = commit["events"][0]
    assert (event["type"], set(event["data"])) == (
        "dugnad.BackgroundDeclared.v1",
        {"candidate_id", "declared_on", "ciphertext"},
    )
    assert unseal(key, base64.b64decode(event["data"]["ciphertext"]), candidate_id) == {
        "immigrant_background": "immigrant",
        "country_of_birth": "SY",
        "reduced_functional_ability": "unknown",
        "cv_gap": "unknown",
        "gender": "unknown",
        "year_of_birth": None,
    }


async def test_an_unknown_key_and_a_destroyed_one_are_told_apart(world: World, mongo: Client) -> None:
    candidate_id = await world.candidate()
    keys = mongo[world.settings.database("keyring")]["keys"]
    await keys.replace_one({"_id": candidate_id}, {"_id": candidate_id, "destroyed": True})
    keyring = RemoteKeyring("http://intake.test", ServiceTokens(world.settings, "matching"), client=world.http)
    with pytest.raises(KeyDestroyed):
        await keyring.key(candidate_id)
    with pytest.raises(KeyUnknown):
        await keyring.key("01ARZ3NDEKTSV4RRFFQ69G5FAV")


async def test_people_get_no_keys(world: World) -> None:
    candidate_id = await world.candidate()
    for persona in ("counsellor-refugee-service", "operator", "analyst"):
        assert (await world.as_(persona).post(f"/keys/{candidate_id}", None)).status_code == 403


# --- names


async def test_a_service_gets_a_name_and_the_audit_says_who_asked_without_it(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    candidate_id = await world.candidate()
    answer = await world.as_("followup").get(f"/candidates/{candidate_id}/name")
    assert answer.json() == {"candidate_id": candidate_id, "name": "Karim Testesen"}
    assert answer.headers["Cache-Control"] == "no-store"
    lines = capfd.readouterr()
    audited = [line for line in (lines.out + lines.err).splitlines() if "what=name" in line]
    assert len(audited) == 1
    assert "service:followup" in audited[0]
    (entry,) = (await world.as_("operator").get("/audit", candidate_id=candidate_id)).json()["items"]
    assert (entry["what"], entry["why"], entry["outcome"], entry["client"]) == (
        "name",
        "service",
        "allowed",
        "service:followup",
    )
    assert "Karim" not in lines.out + lines.err


async def test_a_protected_name_is_not_there_for_other_services(world: World) -> None:
    candidate_id = await world.candidate()
    own = world.as_("counsellor-refugee-service")
    await own.post(f"/candidates/{candidate_id}/address-protection", {"protected": True}, version=1)
    answer = await world.as_("matching").get(f"/candidates/{candidate_id}/name")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await own.get(f"/candidates/{candidate_id}/name")).json()["name"] == "Karim Testesen"


# --- eligibility


async def test_a_question_about_a_measure_is_answered_without_a_birth_date(world: World) -> None:
    candidate_id = await assessed(world)
    answer = await world.as_("followup").post(f"/candidates/{candidate_id}/eligibility", TRAINING)
    assert answer.status_code == 200
    assert answer.json() == {
        "old_enough": True,
        "not_too_old": True,
        "eligible": True,
        "longest_end": "2026-02-02",
        "subsidy_class": "ordinary",
        "rule_version": "2024-01-01",
    }


async def test_reduced_work_capacity_is_a_class_and_a_longer_end(world: World) -> None:
    candidate_id = await assessed(world, reduced_work_capacity=True)
    told = (await world.as_("followup").post(f"/candidates/{candidate_id}/eligibility", TRAINING)).json()
    assert (told["subsidy_class"], told["longest_end"]) == ("reduced_work_capacity", "2026-08-02")


async def test_a_question_that_makes_no_sense_is_refused(world: World) -> None:
    candidate_id = await assessed(world)
    path, followup = f"/candidates/{candidate_id}/eligibility", world.as_("followup")
    backwards = await followup.post(path, {**TRAINING, "end": "2025-02-02"})
    assert [each["pointer"] for each in backwards.json()["errors"]] == ["/start", "/end"]
    before_rules = await followup.post(path, {**TRAINING, "start": "2020-01-01", "end": "2020-02-01"})
    assert (before_rules.status_code, before_rules.json()["code"]) == (422, "no_rules_for_day")
    assert before_rules.json()["detail"] == "Det finnes ingen regler for 1. januar 2020."
    unknown = await followup.post("/candidates/01ARZ3NDEKTSV4RRFFQ69G5FAV/eligibility", TRAINING)
    assert unknown.status_code == 404
    assert (await world.as_("counsellor-refugee-service").post(path, TRAINING)).status_code == 403


# --- background


async def test_a_person_declares_and_then_would_rather_not(world: World, mongo: Client) -> None:
    candidate_id = await world.candidate()
    person, path = world.as_("candidate", candidate_id), f"/candidates/{candidate_id}/background"
    assert (await person.post(path, {"cv_gap": "yes"})).json()["version"] == 1
    assert (await person.post(path, {"declined": True})).json()["version"] == 2
    again = await person.post(path, {"declined": True})
    assert (again.status_code, again.json()["code"]) == (409, "background_already_declined")
    commits = mongo[world.settings.database("background")]["commits"]
    types = [commit["events"][0]["type"] async for commit in commits.find(sort=[("_id", 1)])]
    assert types == ["dugnad.BackgroundDeclared.v1", "dugnad.BackgroundWithdrawn.v1"]
    # The background log counts its own versions and positions: intake's are untouched.
    assert (await person.get(f"/candidates/{candidate_id}")).headers["ETag"] == '"1"'


async def test_background_facts_are_checked(world: World) -> None:
    candidate_id = await world.candidate()
    person, path = world.as_("candidate", candidate_id), f"/candidates/{candidate_id}/background"
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "nothing_declared"),
        ({"declined": True, "cv_gap": "no"}, "declined_with_answers"),
        ({"country_of_birth": "QQ"}, "country_unknown"),
        ({"year_of_birth": 2030}, "year_of_birth_impossible"),
        ({"immigrant_background": "maybe"}, "invalid"),
    )
    for body, code in cases:
        answer = await person.post(path, body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), body


async def test_a_repeated_declaration_is_recognised_although_its_ciphertext_differs(world: World) -> None:
    candidate_id = await world.candidate()
    person, path = world.as_("candidate", candidate_id), f"/candidates/{candidate_id}/background"
    first = await person.post(path, {"cv_gap": "no"}, key="once")
    again = await person.post(path, {"cv_gap": "no"}, key="once")
    assert (first.json(), again.headers["Idempotent-Replay"]) == (again.json(), "true")
    other = await person.post(path, {"cv_gap": "yes"}, key="once")
    assert other.json()["code"] == "idempotency_key_reused"


# --- workforce


async def test_an_employer_reports_a_year_and_restates_it(world: World) -> None:
    employer = world.as_("employer-nav")
    first = await employer.post("/workforce-reports", FIGURES)
    location = f"/workforce-reports/{NAV_DIRECTORATE}/2017"
    assert (first.status_code, first.headers["Location"]) == (201, location)
    restated = await employer.post("/workforce-reports", {**FIGURES, "cv_gap": 12})
    assert restated.json() == {
        "org_number": NAV_DIRECTORATE,
        "year": 2017,
        "reported_on": "2025-01-13",
        "version": 2,
        "position": 2,
    }
    current = await employer.get(location)
    assert current.headers["ETag"] == '"2"'
    assert current.json() == {
        **FIGURES,
        "org_number": NAV_DIRECTORATE,
        "reported_on": "2025-01-13",
        "reduced_functional_ability": None,
        "cv_gap": 12,
    }


async def test_figures_that_cannot_be_are_named(world: World) -> None:
    employer = world.as_("employer-nav")
    cases: tuple[tuple[dict[str, Any], str, list[str]], ...] = (
        ({**FIGURES, "year": 2026}, "year_in_future", ["/year"]),
        ({**FIGURES, "cv_gap": 14001}, "count_above_head_count", ["/cv_gap"]),
        ({**FIGURES, "cv_gap": -1}, "at_least", ["/cv_gap"]),
        ({**FIGURES, "cv_gap": 1.5}, "not_whole", ["/cv_gap"]),
        ({**FIGURES, "country_group_1": 506}, "groups_above_total", ["/country_group_1", "/country_group_2"]),
        ({**FIGURES, "org_number": "311122338"}, "org_number_invalid", ["/org_number"]),
    )
    for body, code, pointers in cases:
        answer = await employer.post("/workforce-reports", body)
        errors = answer.json()["errors"]
        assert (answer.status_code, [each["pointer"] for each in errors]) == (422, pointers), body
        assert errors[0]["code"] == code
    assert (await employer.get(f"/workforce-reports/{NAV_DIRECTORATE}/2017")).status_code == 404


async def test_another_employers_figures_are_not_there(world: World) -> None:
    lier = world.as_("employer-lier")
    assert (await lier.post("/workforce-reports", {**FIGURES, "org_number": NAV_DIRECTORATE})).status_code == 404
    assert (await world.as_("employer-nav").post("/workforce-reports", FIGURES)).status_code == 201
    assert (await lier.get(f"/workforce-reports/{NAV_DIRECTORATE}/2017")).status_code == 404
    assert (await lier.get(f"/workforce-reports/{MESTER_GRONN}/2017")).status_code == 404


# --- the description of the API


async def test_the_api_is_described(world: World) -> None:
    described = json.loads((await world.http.get("/openapi.json")).text)
    assert {"/needs", "/candidates/{candidate_id}/eligibility", "/workforce-reports", "/keys/{candidate}"} <= set(
        described["paths"]
    )
    assert "/" not in described["paths"]
