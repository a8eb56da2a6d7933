"""One person, one candidate: duplicates, merges, handovers and erasure, through HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.keyring import KeyringUnavailable, OwnKeyring
from chassis.mongo import Client
from chassis.mongo import database as open_database
from chassis.settings import Settings
from contracts import nationalids
from contracts.vocabulary import Intermediary
from services.intake.personindex import PersonIndex, index_key
from tests.service.intake_helpers import BORN, MAPPING, NATIONAL_ID, PERSON, World, running
from tests.service.platform_helpers import until

OWN, NAV, SCHOOL = "counsellor-refugee-service", "counsellor-nav", "counsellor-adult-education"
FULL_MAPPING: dict[str, Any] = {
    **MAPPING,
    "language_evidence": [
        {"skill": "speaking", "level": "A2", "source": "self_reported", "assessed_on": "2024-09-01"},
        {"skill": "speaking", "level": "B1", "source": "official_test", "assessed_on": "2024-12-01"},
        {"skill": "reading", "level": "A2", "source": "course_certificate", "assessed_on": "2024-12-01"},
    ],
    "experience": [{"occupation": "5223", "months": 48}],
    "skills": ["sales", "customer_service"],
    "education_level": "upper_secondary",
    "certificates": ["food_hygiene"],
    "licences": ["B"],
    "wished_occupations": ["5223"],
    "wished_municipalities": ["3312", "3301"],
    "travel_minutes": 45,
    "available_from": "2025-02-01",
    "available_to": "2025-12-31",
    "limits": "Kan ikke løfte tungt",
}


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def change(world: World, candidate_id: str, step: str, body: dict[str, Any], persona: str = OWN) -> Any:
    """Post a step with the version that holds."""
    caller = world.as_(persona)
    version = int((await caller.get(f"/candidates/{candidate_id}")).headers["ETag"].strip('"'))
    return await caller.post(f"/candidates/{candidate_id}/{step}", body, version=version)


def people(world: World, mongo: Client) -> PersonIndex:
    """The index of persons, as another process of intake has it."""
    return PersonIndex(open_database(mongo, world.settings.database("keyring")), index_key(world.settings))


# --- registering and mapping


@pytest.mark.parametrize("persona", [OWN, NAV, SCHOOL])
async def test_each_of_the_three_intermediaries_registers_candidates(world: World, persona: str) -> None:
    candidate_id = await world.candidate(persona)
    shown = (await world.as_(persona).get(f"/candidates/{candidate_id}")).json()
    assert shown["intermediary"] in {each.value for each in Intermediary}
    assert shown["intermediary"].replace("_", "-") in persona


async def test_a_mapping_is_a_dated_authored_fact_with_a_source_for_each_level(world: World) -> None:
    candidate_id = await world.candidate()
    answer = await change(world, candidate_id, "mapping", FULL_MAPPING)
    assert answer.status_code == 201, answer.text
    shown = (await world.as_(OWN).get(f"/candidates/{candidate_id}")).json()
    mapping = shown["mapping"]
    sealed = {"notes", "limits"}
    assert {name: mapping[name] for name in FULL_MAPPING if name not in sealed} == {
        name: value for name, value in FULL_MAPPING.items() if name not in sealed
    }
    assert mapping["language"] == {"listening": None, "reading": "A2", "speaking": "B1", "writing": None}
    assert (mapping["mapped_on"], mapping["intermediary"]) == ("2025-01-13", "refugee_service")
    assert (shown["mapped_by"], shown["limits"]) == (f"persona:{OWN}", "Kan ikke løfte tungt")


BAD_MAPPINGS: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"hours_per_week": 0}, "hours_per_week_out_of_range", "/hours_per_week"),
    ({"municipality": "0626"}, "municipality_changed", "/municipality"),
    ({"mapped_on": "2025-01-14"}, "date_in_future", "/mapped_on"),
    ({"skills": ["sales", "sales"]}, "named_twice", "/skills"),
    ({"skills": ["juggling"]}, "skill_unknown", "/skills/0"),
    ({"certificates": ["magic"]}, "certificate_unknown", "/certificates/0"),
    ({"wished_municipalities": ["0000"]}, "municipality_unknown", "/wished_municipalities/0"),
    ({"travel_minutes": 241}, "travel_out_of_range", "/travel_minutes"),
    ({"travel_minutes": -1}, "travel_out_of_range", "/travel_minutes"),
    ({"available_from": "2025-03-01", "available_to": "2025-02-01"}, "dates_out_of_order", "/available_from"),
    ({"education_level": "wizard"}, "not_in_list", "/education_level"),
    ({"experience": [{"occupation": "5223", "months": 0}]}, "months_out_of_range", "/experience/0/months"),
    ({"limits": "x" * 2001}, "too_long", "/limits"),
    (
        {
            "language_evidence": [
                {"skill": "reading", "level": "B1", "source": "official_test", "assessed_on": "2025-01-14"}
            ]
        },
        "date_in_future",
        "/language_evidence/0/assessed_on",
    ),
    (
        {
            "language": {"reading": "C1"},
            "language_evidence": [
                {"skill": "reading", "level": "B1", "source": "official_test", "assessed_on": "2025-01-10"}
            ],
        },
        "level_differs_from_evidence",
        "/language/reading",
    ),
)


async def test_each_wrong_field_of_a_mapping_is_named(world: World) -> None:
    candidate_id = await world.candidate()
    for body, code, pointer in BAD_MAPPINGS:
        answer = await change(world, candidate_id, "mapping", {**MAPPING, **body})
        first = answer.json()["errors"][0]
        assert (answer.status_code, first["code"], first["pointer"]) == (422, code, pointer), body
    assert (await world.as_(OWN).get(f"/candidates/{candidate_id}")).headers["ETag"] == '"1"'


# --- duplicates


async def test_a_person_is_registered_once_and_nobody_learns_where_they_are_known(world: World) -> None:
    candidate_id = await world.candidate(national_id=NATIONAL_ID)
    own = await world.as_(OWN).post("/candidates", {**PERSON, "national_id": f"{NATIONAL_ID[:6]} {NATIONAL_ID[6:]}"})
    assert (own.status_code, own.json()["code"], own.json()["candidate_id"]) == (
        409,
        "person_registered_here",
        candidate_id,
    )
    before = await world.as_(NAV).post("/candidates", PERSON)
    assert (before.status_code, before.json()["code"]) == (409, "person_registered")
    await change(world, candidate_id, "address-protection", {"protected": True})
    after = await world.as_(NAV).post("/candidates", PERSON)
    untold = ("instance",)
    assert {k: v for k, v in before.json().items() if k not in untold} == {
        k: v for k, v in after.json().items() if k not in untold
    }
    assert candidate_id not in before.text


async def test_of_many_who_register_one_person_at_once_one_succeeds(world: World) -> None:
    answers = await asyncio.gather(*(world.as_(each).post("/candidates", PERSON) for each in (OWN, NAV, SCHOOL) * 4))
    assert sorted(each.status_code for each in answers) == [201] + [409] * 11
    assert {each.json()["code"] for each in answers if each.status_code == 409} <= {
        "person_registered",
        "person_registered_here",
    }


async def test_a_registration_sent_twice_at_once_gets_its_own_answer_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one that looks for its key before the other is stored, and for the person after."""
    reserve, looked, stored = PersonIndex.reserve, asyncio.Event(), asyncio.Event()

    async def reserved(index: PersonIndex, national_id: str, candidate_id: str) -> str:
        if not looked.is_set():
            looked.set()
            await asyncio.wait_for(stored.wait(), 10)
        return await reserve(index, national_id, candidate_id)

    monkeypatch.setattr(PersonIndex, "reserve", reserved)
    counsellor = world.as_(OWN)
    late = asyncio.create_task(counsellor.post("/candidates", PERSON, key="karim"))
    await asyncio.wait_for(looked.wait(), 10)
    first = await counsellor.post("/candidates", PERSON, key="karim")
    stored.set()
    assert ((await late).status_code, (await late).json()) == (201, first.json())
    assert (await late).headers["Idempotent-Replay"] == "true"


async def test_a_registration_that_broke_off_before_its_append_is_completed_by_the_next_one(
    world: World, mongo: Client
) -> None:
    # What a process leaves that dies between its reservation and its append.
    reserved = await people(world, mongo).reserve(NATIONAL_ID, "01HZZZZZZZZZZZZZZZZZZZZZZ1")
    answer = await world.as_(NAV).post("/candidates", PERSON)
    assert (answer.status_code, answer.json()["candidate_id"]) == (201, reserved)
    assert (await world.as_(OWN).post("/candidates", PERSON)).status_code == 409


async def test_no_store_holds_a_plain_national_id(world: World, mongo: Client) -> None:
    await world.candidate(national_id=NATIONAL_ID)
    stored = ""
    for database in ("intake", "background", "keyring"):
        for name in await mongo[world.settings.database(database)].list_collection_names():
            stored += str([each async for each in mongo[world.settings.database(database)][name].find()])
    assert "candidate_id" in stored
    assert NATIONAL_ID not in stored


# --- merge and handover


async def test_two_registrations_of_one_person_become_one(world: World) -> None:
    old = await world.candidate(national_id=nationalids.synthetic(BORN, 7))
    new = await world.candidate(national_id=nationalids.synthetic(BORN, 8))
    await change(world, old, "consent", {})
    await change(world, old, "address-protection", {"protected": True})
    assert (await change(world, old, "merger", {"merged_into": old})).json()["code"] == "merged_with_itself"
    merged = await change(world, old, "merger", {"merged_into": new})
    assert (merged.status_code, merged.json()["merged_into"]) == (201, new)
    ended = (await world.as_(OWN).get(f"/candidates/{old}")).json()
    assert (ended["merged_into"], ended["consents"]) == (new, [])
    going_on = (await world.as_(OWN).get(f"/candidates/{new}")).json()
    # Protection is kept of both, consent of neither.
    assert (going_on["merged_into"], going_on["protected"], going_on["consents"]) == (None, True, [])
    refused = await change(world, old, "mapping", MAPPING)
    assert (refused.status_code, refused.json()["code"]) == (409, "candidate_merged")
    for serial in (7, 8):
        again = await world.as_(OWN).post("/candidates", {**PERSON, "national_id": nationalids.synthetic(BORN, serial)})
        assert again.json()["candidate_id"] == new


async def test_registrations_of_two_intermediaries_are_merged_after_a_handover(world: World) -> None:
    old, new = await world.candidate(OWN), await world.candidate(NAV)
    assert (await change(world, old, "merger", {"merged_into": new})).status_code == 404
    await change(world, new, "handover", {"to_intermediary": "refugee_service"}, NAV)
    assert (await change(world, old, "merger", {"merged_into": new})).status_code == 201


async def test_a_candidate_is_handed_over_and_then_the_others_alone(world: World) -> None:
    candidate_id = await world.candidate()
    same = await change(world, candidate_id, "handover", {"to_intermediary": "refugee_service"})
    assert (same.status_code, same.json()["errors"][0]["pointer"]) == (422, "/to_intermediary")
    path, body = f"/candidates/{candidate_id}/handover", {"to_intermediary": "nav"}
    done, *twice = await asyncio.gather(*(world.as_(OWN).post(path, body, key="over", version=1) for _ in range(3)))
    again = await world.as_(OWN).post(path, body, key="over", version=1)
    assert [each.status_code for each in (done, *twice, again)] == [201] * 4, (
        "the answer is its sender's, whosever they are"
    )
    assert {each.text for each in (*twice, again)} == {done.text}
    for persona, key in ((OWN, "another"), (SCHOOL, "over")):
        assert (await world.as_(persona).post(path, body, key=key, version=1)).status_code == 404
    assert (await world.as_(OWN).get(f"/candidates/{candidate_id}")).status_code == 404
    assert (await world.as_(NAV).get(f"/candidates/{candidate_id}")).json()["intermediary"] == "nav"
    position = f"intake:{done.json()['position']}"
    assert (await world.as_(OWN).get("/candidates", min_position=position)).json()["items"] == []
    assert len((await world.as_(NAV).get("/candidates", min_position=position)).json()["items"]) == 1
    assert (await change(world, candidate_id, "mapping", MAPPING, NAV)).status_code == 201


# --- erasure


async def gone(world: World, mongo: Client, candidate_id: str) -> None:
    """Wait until the key is destroyed."""
    keyring = OwnKeyring(open_database(mongo, world.settings.database("keyring")))

    async def destroyed() -> bool:
        return await keyring.present([candidate_id]) == []

    await until(destroyed, f"the key of {candidate_id}")


async def test_an_erased_person_is_gone_with_key_and_index_and_may_be_registered_anew(
    world: World, mongo: Client
) -> None:
    candidate_id = await world.candidate(national_id=NATIONAL_ID)
    erased = await change(world, candidate_id, "erasure", {})
    assert erased.status_code == 201, erased.text
    await gone(world, mongo, candidate_id)
    shown = await world.as_(OWN).get(f"/candidates/{candidate_id}")
    assert (shown.status_code, shown.json()["code"]) == (410, "key_destroyed")
    again = await world.as_(OWN).post(f"/candidates/{candidate_id}/mapping", MAPPING, version=2)
    assert (again.status_code, again.json()["code"]) == (409, "candidate_erased")
    position = f"intake:{erased.json()['position']}"
    assert (await world.as_(OWN).get("/candidates", min_position=position)).json()["items"] == []
    anew = await world.as_(NAV).post("/candidates", PERSON)
    assert (anew.status_code, anew.json()["candidate_id"] != candidate_id) == (201, True)


async def test_an_erasure_takes_the_merged_registrations_with_it(world: World, mongo: Client) -> None:
    first, second, third = [await world.candidate() for _ in range(3)]
    await change(world, first, "merger", {"merged_into": second})
    await change(world, second, "merger", {"merged_into": third})
    assert (await change(world, third, "erasure", {})).status_code == 201
    for each in (first, second, third):
        await gone(world, mongo, each)
        assert (await world.as_(OWN).get(f"/candidates/{each}")).status_code == 410


async def test_a_keyring_from_a_backup_has_the_erased_destroyed_before_it_serves(
    settings: Settings, mongo: Client
) -> None:
    async with running(settings) as world:
        candidate_id = await world.candidate()
        keys = mongo[world.settings.database("keyring")]["keys"]
        backup = await keys.find_one({"_id": candidate_id})
        assert backup is not None
        done = await change(world, candidate_id, "erasure", {})
        await gone(world, mongo, candidate_id)
        assert await world.app.state.web.service.view("erased").wait_for("dugnad/intake", done.json()["position"], 10)
    await keys.replace_one({"_id": candidate_id}, backup)
    async with running(settings) as world:
        keyring = OwnKeyring(open_database(mongo, world.settings.database("keyring")))
        assert await keyring.present([candidate_id]) == []


async def test_an_erasure_is_repeated_until_the_keyring_answers(
    world: World, mongo: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate_id = await world.candidate()
    refusals = iter(range(3))
    destroy = OwnKeyring.destroy

    async def away_at_first(self: OwnKeyring, person: str) -> None:
        if next(refusals, None) is not None:
            raise KeyringUnavailable("away")
        await destroy(self, person)

    monkeypatch.setattr(OwnKeyring, "destroy", away_at_first)
    assert (await change(world, candidate_id, "erasure", {})).status_code == 201
    await gone(world, mongo, candidate_id)
    assert next(refusals, None) is None
