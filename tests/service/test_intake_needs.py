"""Needs over HTTP: from a form of two fields to the list that everybody reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.issuer import MESTER_GRONN, NAV_DIRECTORATE
from chassis.settings import Settings
from tests.service.intake_helpers import NEED, World, running


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def test_a_need_goes_from_http_through_log_ledger_and_topic_into_the_list(world: World) -> None:
    employer = world.as_("employer-lier")
    answer = await employer.post("/needs", NEED)
    told = answer.json()
    assert answer.status_code == 201
    assert (told["registered_on"], told["promise_date"]) == ("2025-01-13", "2025-02-10")
    assert (told["version"], told["position"], len(told["slot_ids"])) == (1, 1, 1)
    assert answer.headers["Location"] == f"/needs/{told['need_id']}"
    assert answer.headers["ETag"] == '"1"'
    need = await employer.get(f"/needs/{told['need_id']}", min_position=f"intake:{told['position']}")
    assert need.status_code == 200
    assert need.headers["ETag"] == '"1"'
    assert need.json() == {
        "need_id": told["need_id"],
        "org_number": MESTER_GRONN,
        "municipality": "3312",
        "county": "33",
        "occupation": "5223",
        "slot_ids": told["slot_ids"],
        "intermediary": "nav",
        "measure": None,
        "hours_per_week": 37.5,
        "start_from": None,
        "start_to": None,
        "language": {"listening": None, "reading": None, "speaking": None, "writing": None},
        "licences": [],
        "certificates": [],
        "adaptations": [],
        "adaptations_version": None,
        "expires_on": "2025-07-13",
        "copied_from": None,
        "registered_on": "2025-01-13",
        "promise_date": "2025-02-10",
        "revised_on": None,
        "closed": {},
        "withdrawn": None,
        "expired": None,
        "open": True,
        "assigned_to": "nav",
        "places": [{"slot_id": told["slot_ids"][0], "state": "open", "works_on_it": "nav"}],
        "title": None,
        "description": None,
        "contact": None,
        "version": 1,
    }


async def test_a_repeated_request_gets_the_first_answer(world: World) -> None:
    employer = world.as_("employer-lier")
    first = await employer.post("/needs", NEED, key="once")
    again = await employer.post("/needs", {"municipality": "3312", "occupation": "5223"}, key="once")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replay"] == "true"
    other = await employer.post("/needs", {**NEED, "slots": 2}, key="once")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_need_is_withdrawn_with_the_version_that_was_read(world: World) -> None:
    employer = world.as_("employer-lier")
    need_id = (await world.need())["need_id"]
    path, reason = f"/needs/{need_id}/withdrawal", {"reason": "filled_otherwise"}
    assert (await employer.post(path, reason)).status_code == 428
    assert (await employer.post(path, {"reason": "bored"}, version=1)).status_code == 422
    done = await employer.post(path, reason, version=1)
    assert (done.status_code, done.json()["version"]) == (201, 2)
    stale = await employer.post(path, reason, version=1)
    assert (stale.status_code, stale.json()["code"], stale.json()["changed"]) == (409, "stale", ["NeedWithdrawn"])
    twice = await employer.post(path, reason, version=2)
    assert (twice.status_code, twice.json()["code"]) == (409, "need_closed")
    position = f"intake:{done.json()['position']}"
    shown = (await employer.get(f"/needs/{need_id}", min_position=position)).json()
    assert (shown["withdrawn"], shown["version"]) == ({"on": "2025-01-13", "reason": "filled_otherwise"}, 2)
    assert (await employer.get("/needs", open_only="true", min_position=position)).json()["items"] == []


async def test_an_employer_sees_the_own_needs_and_an_intermediary_all_of_them(world: World) -> None:
    lier = await world.need("employer-lier")
    nav = await world.need("employer-nav", municipality="0301", occupation="2512")
    fresh = {"min_position": f"intake:{nav['position']}"}

    async def seen_by(persona: str) -> set[str]:
        answer = await world.as_(persona).get("/needs", **fresh)
        assert answer.status_code == 200, answer.text
        return {need["need_id"] for need in answer.json()["items"]}

    assert await seen_by("employer-lier") == {lier["need_id"]}
    assert await seen_by("employer-nav") == {nav["need_id"]}
    assert await seen_by("counsellor-refugee-service") == {lier["need_id"], nav["need_id"]}


async def test_somebody_elses_need_is_not_there(world: World) -> None:
    need = await world.need("employer-lier")
    foreign = world.as_("employer-nav")
    read = await foreign.get(f"/needs/{need['need_id']}", min_position=f"intake:{need['position']}")
    changed = await foreign.post(f"/needs/{need['need_id']}/withdrawal", {"reason": "other"}, version=7)
    unknown = await foreign.get("/needs/01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert [each.status_code for each in (read, changed, unknown)] == [404, 404, 404]
    assert read.json()["code"] == unknown.json()["code"] == "not_found"


async def test_a_list_comes_in_pages_the_newest_first(world: World) -> None:
    made = []
    for day in (13, 14, 15):
        await world.clock(datetime(2025, 1, day, 9, 0, tzinfo=UTC))
        made += [await world.need() for _ in range(2)]
    employer = world.as_("employer-lier")
    fresh = {"min_position": f"intake:{made[-1]['position']}", "limit": 4}
    first = (await employer.get("/needs", **fresh)).json()
    second = (await employer.get("/needs", **fresh, cursor=first["next"])).json()
    listed = [*first["items"], *second["items"]]
    assert (len(first["items"]), len(second["items"]), second["next"]) == (4, 2, None)
    assert {need["need_id"] for need in listed} == {need["need_id"] for need in made}
    order = [(need["registered_on"], need["need_id"]) for need in listed]
    assert order == sorted(order, reverse=True)
    for cursor in ("x", "WzFd", "WyJhIl0"):
        assert (await employer.get("/needs", cursor=cursor)).status_code == 400


BAD: tuple[tuple[dict[str, Any], int, str, str | None], ...] = (
    ({"occupation": "5223"}, 422, "missing", "/municipality"),
    ({**NEED, "ocupation": "5223"}, 422, "unknown_field", "/ocupation"),
    ({**NEED, "occupation": "9999"}, 422, "occupation_unknown", "/occupation"),
    ({**NEED, "municipality": "0000"}, 422, "municipality_unknown", "/municipality"),
    ({**NEED, "municipality": "0626"}, 422, "municipality_changed", "/municipality"),
    ({**NEED, "org_number": "315486891"}, 422, "org_number_invalid", "/org_number"),
    ({**NEED, "org_number": NAV_DIRECTORATE}, 404, "not_found", None),
    ({**NEED, "slots": 0}, 422, "at_least", "/slots"),
    ({**NEED, "slots": 21}, 422, "at_most", "/slots"),
    ({**NEED, "slots": "2"}, 422, "not_a_number", "/slots"),
    ({**NEED, "hours_per_week": 41}, 422, "hours_per_week_out_of_range", "/hours_per_week"),
    ({**NEED, "start_from": "2025-01-12"}, 422, "start_in_past", "/start_from"),
    ({**NEED, "start_from": "13.01.2025"}, 422, "not_a_date", "/start_from"),
    ({**NEED, "measure": "holiday"}, 422, "not_in_list", "/measure"),
    ({**NEED, "language": {"speaking": "D1"}}, 422, "not_in_list", "/language/speaking"),
    ({**NEED, "licences": ["B", "Q"]}, 422, "not_in_list", "/licences/1"),
)


async def test_bad_input_is_named_and_nothing_is_appended(world: World) -> None:
    employer = world.as_("employer-lier")
    for body, status, code, pointer in BAD:
        answer = await employer.post("/needs", body)
        problem = answer.json()
        assert answer.headers["Content-Type"] == "application/problem+json", body
        found = [(each["code"], each["pointer"]) for each in problem.get("errors", [])]
        expected = [] if pointer is None else [(code, pointer)]
        assert (answer.status_code, found) == (status, expected), body
        assert pointer is not None or problem["code"] == code, body
    assert (await employer.get("/needs")).json()["items"] == []
    first = await world.need()
    assert first["position"] == 1


async def test_an_old_municipality_number_is_answered_with_the_one_of_today(world: World) -> None:
    employer = world.as_("employer-lier")
    body = {**NEED, "municipality": "3049"}
    nb = (await employer.post("/needs", body)).json()
    en = (await employer.post("/needs", body, language="en")).json()
    assert nb["detail"] == "Kommunenummer 3049 gjelder ikke lenger. Nå gjelder 3312 Lier."
    assert en["detail"] == "Municipality number 3049 is no longer in use. It is now 3312 Lier."


async def test_the_own_org_number_may_be_written_with_spaces(world: World) -> None:
    spaced = f"{MESTER_GRONN[:3]} {MESTER_GRONN[3:6]} {MESTER_GRONN[6:]}"
    assert (await world.need(org_number=spaced))["version"] == 1


async def test_who_lacks_the_scope_or_the_token_registers_nothing(world: World) -> None:
    assert (await world.as_("counsellor-nav").post("/needs", NEED)).status_code == 403
    assert (await world.as_("analyst").get("/needs")).status_code == 403
    assert (await world.http.get("/needs")).status_code == 401
    assert (await world.http.post("/needs", json=NEED)).status_code == 401
