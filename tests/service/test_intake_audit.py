"""Who read what about whom, and why, through HTTP: also what was refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.settings import Settings
from tests.service.intake_helpers import NATIONAL_ID, PERSON, World, running

OWN, NAV, SCHOOL = "counsellor-refugee-service", "counsellor-nav", "counsellor-adult-education"


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def audit(world: World, **query: Any) -> list[dict[str, Any]]:
    """The audit as the supervisor reads it."""
    answer = await world.as_("operator").get("/audit", **query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_every_read_of_a_persons_data_is_audited_with_who_what_and_why(world: World) -> None:
    candidate_id = await world.candidate()
    asked = {"measure": "work_training", "start": "2025-02-03", "end": "2025-05-02"}
    await world.as_(OWN).get(f"/candidates/{candidate_id}")
    await world.as_("candidate", candidate_id).get(f"/candidates/{candidate_id}")
    await world.as_("matching").get(f"/candidates/{candidate_id}/name")
    await world.as_("followup").post(f"/candidates/{candidate_id}/eligibility", asked)
    await world.as_("reporting").post(f"/keys/{candidate_id}", None)
    await world.as_(OWN).get("/candidates", min_position="intake:1")
    entries = await audit(world, candidate_id=candidate_id)
    told = [(each["what"], each["why"], each["client"]) for each in reversed(entries)]
    assert told == [
        ("candidate", "own_candidate", "intermediary:refugee_service:3312"),
        ("candidate", "own_data", f"candidate:{candidate_id}"),
        ("name", "service", "service:matching"),
        ("eligibility", "service", "service:followup"),
        ("key", "service", "service:reporting"),
        ("candidate_list", "own_candidate", "intermediary:refugee_service:3312"),
    ]
    assert {each["outcome"] for each in entries} == {"allowed"}
    assert "Karim" not in str(entries)


async def test_denied_reads_are_audited_too_and_answered_as_if_nobody_were_there(world: World) -> None:
    candidate_id = await world.candidate()
    unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for persona in (NAV, SCHOOL):
        for path in (f"/candidates/{candidate_id}", f"/candidates/{candidate_id}/name", f"/candidates/{unknown}"):
            assert (await world.as_(persona).get(path)).status_code == 404
    denied = await audit(world, candidate_id=candidate_id, outcome="denied")
    assert [(each["what"], each["why"], each["role"]) for each in denied] == [
        (what, None, "counsellor") for what in ("name", "candidate") * 2
    ]
    assert len(await audit(world, candidate_id=unknown, outcome="denied")) == 2
    # A refused command shows nothing, and was still an attempt to get at somebody.
    refused = await world.as_(NAV).post(f"/candidates/{candidate_id}/consent", {}, version=1)
    assert refused.status_code == 404
    assert len(await audit(world, candidate_id=candidate_id, outcome="denied")) == 5


async def test_who_tries_a_number_leaves_a_trace_at_the_person_whom_it_finds(world: World) -> None:
    """What is answered tells that somebody is registered, here or elsewhere."""
    candidate_id = await world.candidate(national_id=NATIONAL_ID)
    for persona in (OWN, NAV):
        assert (await world.as_(persona).post("/candidates", PERSON)).status_code == 409
    told = [(each["what"], each["why"], each["client"]) for each in await audit(world, candidate_id=candidate_id)]
    assert told == [
        ("duplicate", None, "intermediary:nav"),
        ("duplicate", "own_candidate", "intermediary:refugee_service:3312"),
    ]
    assert len(await audit(world, candidate_id=candidate_id, outcome="denied")) == 1
    assert NATIONAL_ID not in str(await audit(world))


async def test_the_audit_is_read_in_pages_by_who_may(world: World) -> None:
    candidate_id = await world.candidate()
    for _ in range(5):
        await world.as_(OWN).get(f"/candidates/{candidate_id}")
    supervisor = world.as_("operator")
    first = (await supervisor.get("/audit", limit=3, candidate_id=candidate_id)).json()
    second = (await supervisor.get("/audit", limit=3, candidate_id=candidate_id, cursor=first["next"])).json()
    ids = [each["id"] for each in [*first["items"], *second["items"]]]
    assert (len(ids), len(set(ids)), second["next"]) == (5, 5, None)
    assert (await supervisor.get("/audit", cursor="WyJhIl0")).status_code == 400
    assert (await supervisor.get("/audit", candidate_id="x")).status_code == 422
    for persona in (OWN, "analyst", "employer-lier"):
        assert (await world.as_(persona).get("/audit")).status_code == 403
