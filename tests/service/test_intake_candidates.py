"""Candidates over HTTP: registered, mapped, assessed, consenting; who they are stays in intake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.mongo import Client
from chassis.settings import Settings
from contracts.intake import SOURCE
from tests.service.intake_helpers import ASSESSMENT, MAPPING, NATIONAL_ID, PERSON, World, running

COURSE = {
    "kind": "course",
    "occupation": "2512",
    "started_on": "2024-09-01",
    "completed_on": "2024-11-30",
    "title": "Kveldskurs i programmering",
    "provider": "Lier voksenopplæring",
}
OWN = "counsellor-refugee-service"


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def walk(world: World, candidate_id: str, *steps: tuple[str, dict[str, Any]], version: int = 1) -> int:
    """Post these steps one after the other; the version afterwards."""
    for step, body in steps:
        answer = await world.as_(OWN).post(f"/candidates/{candidate_id}/{step}", body, version=version)
        assert answer.status_code == 201, answer.text
        version = answer.json()["version"]
    return version


READY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("mapping", MAPPING),
    ("qualifications", COURSE),
    ("assessment", ASSESSMENT),
    ("consent", {}),
)


async def test_a_person_is_registered_mapped_assessed_and_says_yes(world: World) -> None:
    candidate_id = await world.candidate()
    assert await walk(world, candidate_id, *READY) == 5
    answer = await world.as_(OWN).get(f"/candidates/{candidate_id}")
    assert answer.status_code == 200
    assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == ('"5"', "no-store")
    shown = answer.json()
    assert len(shown["qualifications"][0].pop("qualification_id")) == 26
    assert shown == {
        "candidate_id": candidate_id,
        "intermediary": "refugee_service",
        "registered_on": "2025-01-13",
        "name": "Karim Testesen",
        "mapping": {
            "mapped_on": "2025-01-13",
            "intermediary": "refugee_service",
            "municipality": "3312",
            "language": {"listening": None, "reading": None, "speaking": None, "writing": None},
            "experience": [],
            "wished_occupations": [],
            "hours_per_week": 37.5,
            "available_from": None,
            "licences": [],
            "language_evidence": [],
            "skills": [],
            "education_level": None,
            "certificates": [],
            "wished_municipalities": [],
            "travel_minutes": None,
            "available_to": None,
        },
        "mapping_notes": "Trives med kunder",
        "limits": None,
        "mapped_by": "persona:counsellor-refugee-service",
        "assessment_notes": "Klar for butikk",
        "assessed_by": "persona:counsellor-refugee-service",
        "assessed_on": "2025-01-13",
        "qualifications": [
            {"kind": "course", "occupation": "2512", "started_on": "2024-09-01", "completed_on": "2024-11-30"}
        ],
        "ready_until": "2025-07-13",
        "consents": ["matching"],
        "protected": False,
        "merged_into": None,
    }


async def test_the_list_of_candidates_has_no_names_and_is_the_own_intermediarys(world: World) -> None:
    candidate_id = await world.candidate()
    last = await world.as_(OWN).post(f"/candidates/{candidate_id}/mapping", MAPPING, version=1)
    fresh = {"min_position": f"intake:{last.json()['position']}"}
    listed = await world.as_(OWN).get("/candidates", **fresh)
    assert [each["candidate_id"] for each in listed.json()["items"]] == [candidate_id]
    assert "Karim" not in listed.text
    assert (await world.as_("counsellor-nav").get("/candidates", **fresh)).json()["items"] == []


async def test_candidates_come_in_pages(world: World) -> None:
    made = {await world.candidate() for _ in range(3)}
    first = (await world.as_(OWN).get("/candidates", limit=2, min_position="intake:3")).json()
    second = (await world.as_(OWN).get("/candidates", limit=2, cursor=first["next"])).json()
    assert second["next"] is None
    assert {each["candidate_id"] for each in [*first["items"], *second["items"]]} == made


async def test_a_repeated_registration_makes_one_person_and_one_key(world: World, mongo: Client) -> None:
    counsellor = world.as_(OWN)
    first = await counsellor.post("/candidates", PERSON, key="karim")
    again = await counsellor.post("/candidates", PERSON, key="karim")
    assert (again.status_code, again.json()) == (201, first.json())
    other = await counsellor.post("/candidates", {**PERSON, "name": "En annen"}, key="karim")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    keys = mongo[world.settings.database("keyring")]["keys"]
    assert [each["_id"] async for each in keys.find()] == [first.json()["candidate_id"]]


async def test_a_refused_registration_leaves_no_key(world: World, mongo: Client) -> None:
    cases: tuple[tuple[dict[str, Any], str, str], ...] = (
        ({**PERSON, "national_id": "12345678901"}, "national_id_invalid", "/national_id"),
        ({**PERSON, "birth_date": "1994-05-18"}, "birth_date_mismatch", "/birth_date"),
        ({**PERSON, "email": "karim"}, "wrong_format", "/email"),
        ({**PERSON, "nickname": "K"}, "unknown_field", "/nickname"),
        ({"name": "Karim"}, "missing", "/national_id"),
    )
    for body, code, pointer in cases:
        answer = await world.as_(OWN).post("/candidates", body)
        first = answer.json()["errors"][0]
        assert (answer.status_code, first["code"], first["pointer"]) == (422, code, pointer)
        assert NATIONAL_ID not in answer.text
    assert await mongo[world.settings.database("keyring")]["keys"].count_documents({}) == 0
    assert await mongo[world.settings.database("intake")]["commits"].count_documents({}) == 0


async def test_the_national_id_may_be_written_with_a_space(world: World) -> None:
    assert await world.candidate(national_id=f"{NATIONAL_ID[:6]} {NATIONAL_ID[6:]}")


async def test_nobody_is_assessed_before_being_mapped(world: World) -> None:
    candidate_id = await world.candidate()
    answer = await world.as_(OWN).post(f"/candidates/{candidate_id}/assessment", ASSESSMENT, version=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_mapped")
    assert answer.json()["detail"] == "Kandidaten må kartlegges før vurderingen."


async def test_wrong_days_of_a_qualification_are_named(world: World) -> None:
    candidate_id = await world.candidate()
    body = {**COURSE, "completed_on": "2024-08-31"}
    answer = await world.as_(OWN).post(f"/candidates/{candidate_id}/qualifications", body, version=1)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/started_on", "/completed_on"]


async def test_a_change_needs_the_version_that_was_read(world: World) -> None:
    candidate_id = await world.candidate()
    path = f"/candidates/{candidate_id}/mapping"
    assert (await world.as_(OWN).post(path, MAPPING)).status_code == 428
    assert (await world.as_(OWN).post(path, MAPPING, version=1)).status_code == 201
    stale = await world.as_(OWN).post(path, MAPPING, version=1)
    assert (stale.status_code, stale.json()["code"], stale.json()["changed"]) == (409, "stale", ["CandidateMapped"])


async def test_readiness_consent_and_protection_are_taken_back(world: World) -> None:
    candidate_id = await world.candidate()
    version = await walk(
        world,
        candidate_id,
        *READY,
        ("readiness-revocation", {"reason": "other", "note": "Flytter til Bodø"}),
        ("consent-withdrawal", {}),
        ("address-protection", {"protected": True}),
    )
    shown = (await world.as_(OWN).get(f"/candidates/{candidate_id}")).json()
    assert version == 8
    assert (shown["ready_until"], shown["consents"], shown["protected"]) == (None, [], True)


async def test_a_person_reads_and_consents_for_themselves_alone(world: World) -> None:
    candidate_id, other_id = await world.candidate(), await world.candidate()
    person = world.as_("candidate", candidate_id)
    assert (await person.get(f"/candidates/{candidate_id}")).json()["name"] == "Karim Testesen"
    assert (await person.post(f"/candidates/{candidate_id}/consent", {}, version=1)).status_code == 201
    assert (await person.get(f"/candidates/{other_id}")).status_code == 404
    assert (await person.post(f"/candidates/{other_id}/consent", {}, version=1)).status_code == 404
    assert (await person.post(f"/candidates/{candidate_id}/mapping", MAPPING, version=2)).status_code == 403


async def test_somebody_elses_candidate_is_not_there(world: World) -> None:
    candidate_id = await world.candidate()
    foreign = world.as_("counsellor-nav")
    answers = [
        await foreign.get(f"/candidates/{candidate_id}"),
        await foreign.get(f"/candidates/{candidate_id}/name"),
        # A version that is not the candidate's: the answer must not tell that there is one.
        await foreign.post(f"/candidates/{candidate_id}/mapping", MAPPING, version=9),
        await foreign.post(f"/candidates/{candidate_id}/background", {"declined": True}),
        await foreign.get("/candidates/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(404, "not_found")] * 5
    assert (await world.as_("employer-lier").get(f"/candidates/{candidate_id}")).status_code == 403


async def test_after_the_key_is_destroyed_nothing_personal_is_left(world: World, mongo: Client) -> None:
    candidate_id = await world.candidate()
    keys = mongo[world.settings.database("keyring")]["keys"]
    await keys.replace_one({"_id": candidate_id}, {"_id": candidate_id, "destroyed": True})
    shown = await world.as_(OWN).get(f"/candidates/{candidate_id}")
    assert (shown.status_code, shown.json()["name"]) == (200, None)
    name = await world.as_("matching").get(f"/candidates/{candidate_id}/name")
    assert (name.status_code, name.json()["code"]) == (410, "key_destroyed")
    asked = {"measure": "work_training", "start": "2025-02-03", "end": "2025-05-02"}
    eligibility = await world.as_("followup").post(f"/candidates/{candidate_id}/eligibility", asked)
    assert (eligibility.status_code, eligibility.json()["code"]) == (409, "candidate_erased")


async def test_who_a_person_is_stands_in_no_commit_and_no_view(world: World, mongo: Client) -> None:
    candidate_id = await world.candidate()
    await walk(world, candidate_id, *READY, ("readiness-revocation", {"reason": "other", "note": "Flytter til Bodø"}))
    await world.as_("candidate", candidate_id).post(
        f"/candidates/{candidate_id}/background", {"country_of_birth": "SY"}
    )
    assert await world.app.state.web.service.view("candidates").wait_for(SOURCE, 6, 10)
    stored = ""
    for database in ("intake", "background"):
        for name in await mongo[world.settings.database(database)].list_collection_names():
            stored += str([each async for each in mongo[world.settings.database(database)][name].find()])
    personal = [
        *PERSON.values(),
        "1994-05-17",
        MAPPING["notes"],
        ASSESSMENT["notes"],
        COURSE["title"],
        COURSE["provider"],
        "Bodø",
    ]
    assert candidate_id in stored
    assert [value for value in personal if str(value) in stored] == []


async def test_the_business_clock_dates_what_is_registered(world: World) -> None:
    await world.clock(datetime(2025, 3, 1, 23, 30, tzinfo=UTC))
    candidate_id = await world.candidate()
    shown = (await world.as_(OWN).get(f"/candidates/{candidate_id}")).json()
    assert shown["registered_on"] == "2025-03-02"
