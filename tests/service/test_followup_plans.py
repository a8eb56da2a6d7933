"""Plans of slots over HTTP: tasks that open and complete, the clock that says its deadlines, what is shown apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any

import pytest

from chassis.settings import Settings
from contracts.matching import CandidateAsked, CandidateMatched, NeedAssigned
from contracts.plans import DeadlineApproaching, DeadlineMissed
from tests.service.followup_helpers import COUNSELLOR, DECIDER, EMPLOYER, Case, World, running, until
from tests.service.test_followup_cases import code


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def slot(world: World, slot_id: str, condition: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
    """The slot as a decision maker is shown it, as soon as it meets the condition."""

    async def ask() -> dict[str, Any] | None:
        answer = await world.as_(DECIDER).get(f"/slots/{slot_id}")
        found: dict[str, Any] = answer.json()
        return found if answer.status_code == 200 and condition(found) else None

    return await until(ask)


def states(shown: dict[str, Any]) -> list[str]:
    return [task["state"] for task in shown["tasks"]]


async def said(world: World, slot_id: str) -> list[str]:
    """The deadlines in the log itself, in their order."""
    followup = world.app.state.web.service._logs[0]
    loaded = (await followup.load([f"slot:{slot_id}"]))[f"slot:{slot_id}"]
    kinds = (DeadlineApproaching, DeadlineMissed)
    return [f"{each.on} {type(each).__name__}" for each in loaded.events if isinstance(each, kinds)]


async def test_tasks_of_a_slot_complete_from_events_of_others_and_from_people(world: World) -> None:
    need = await world.intake.need(EMPLOYER, intermediary="refugee_service")
    slot_id, need_id = need["slot_ids"][0], need["need_id"]
    shown = await slot(world, slot_id)
    assert (shown["clock"]["day"], shown["clock"]["promise_date"]) == (0, "2025-02-10")
    assert (states(shown), shown["playbook_version"]) == (["open", *["later"] * 7], "playbook-2000")
    contact = {"task": "contact_employer", "on": "2025-01-13"}
    done = await world.as_(COUNSELLOR).post(f"/slots/{slot_id}/tasks", contact)
    assert done.status_code == 201, done.text
    assert code(await world.as_(COUNSELLOR).post(f"/slots/{slot_id}/tasks", contact)) == (409, "task_done")
    await slot(world, slot_id, lambda shown: states(shown)[:2] == ["done", "open"])

    case = Case("01JHF3M0Q8M3ZV5X6T7B8C9D0E", need_id, slot_id, await world.intake.candidate())
    ids = {**vars(case), "org_number": "315486890"}
    matched = CandidateMatched(
        **ids, intermediary="refugee_service", score=1, reasons=(), rule_version="1", matched_on=date(2025, 1, 13)
    )
    await world.matched(matched, CandidateAsked(**ids, asked_on=date(2025, 1, 13), deadline=date(2025, 1, 15)))
    await slot(world, slot_id, lambda shown: states(shown) == ["done"] * 3 + ["open"] + ["later"] * 4)
    await world.cancelled(case)
    await slot(world, slot_id, lambda shown: states(shown) == ["done", "open", *["later"] * 6])


async def test_the_clock_says_each_deadline_once_and_a_start_silences_it(world: World) -> None:
    case = await world.confirmed()
    other = await world.confirmed()
    await world.day(date(2025, 1, 20))
    agreement_id = await world.drafted(case)
    version = await world.approved(case, agreement_id)
    await world.day(date(2025, 2, 2))
    assert await said(world, case.slot_id) == ["2025-01-27 DeadlineApproaching"]
    await world.day(date(2025, 2, 3))
    start = await world.as_(EMPLOYER).post(f"/agreements/{agreement_id}/start", {"on": "2025-02-03"}, version=version)
    assert start.status_code == 201, start.text
    # Weeks pass in one step: what came due meanwhile is said once each, in its order.
    await world.day(date(2025, 3, 1))
    assert await said(world, case.slot_id) == ["2025-01-27 DeadlineApproaching", "2025-02-03 DeadlineApproaching"]
    assert await said(world, other.slot_id) == [
        "2025-01-27 DeadlineApproaching",
        "2025-02-03 DeadlineApproaching",
        "2025-02-10 DeadlineApproaching",
        "2025-02-11 DeadlineMissed",
    ]
    filled = await slot(world, case.slot_id, lambda shown: shown["clock"]["state"] == "kept")
    assert (filled["clock"]["day"], set(states(filled))) == (21, {"done"})
    overdue = await slot(world, other.slot_id, lambda shown: shown["missed_on"] is not None)
    assert overdue["clock"]["state"] == "overdue"


async def test_a_delay_of_the_employer_and_a_withdrawn_need_are_shown_apart_and_never_removed(world: World) -> None:
    needs = [await world.intake.need(EMPLOYER, intermediary="refugee_service") for _ in range(3)]
    delayed, withdrawn, plain = (need["slot_ids"][0] for need in needs)
    for slot_id in (delayed, withdrawn, plain):
        await slot(world, slot_id)
    body = {"caused_by": "employer", "reason": "meeting_postponed", "from_on": "2025-01-13"}
    answer = await world.as_(EMPLOYER).post(f"/slots/{delayed}/delays", body)
    assert answer.status_code == 201, answer.text
    withdrawal = await world.intake.as_(EMPLOYER).post(
        f"/needs/{needs[1]['need_id']}/withdrawal",
        {"reason": "no_longer_needed"},
        version=needs[1]["version"],
    )
    assert withdrawal.status_code == 201, withdrawal.text
    await slot(world, withdrawn, lambda shown: shown["clock"]["state"] == "withdrawn")
    await slot(world, delayed, lambda shown: shown["clock"]["delayed_by_employer"])
    followup = world.app.state.web.service._logs[0]

    async def ended() -> bool | None:
        loaded = (await followup.load([f"slot:{withdrawn}"]))[f"slot:{withdrawn}"]
        return any(type(event).__name__ == "PlanEnded" for event in loaded.events) or None

    await until(ended)
    await world.day(date(2025, 2, 11))
    assert await said(world, withdrawn) == []
    assert len(await said(world, delayed)) == len(await said(world, plain)) == 4
    figures = (await world.as_(EMPLOYER).get("/figures")).json()
    everything, without = figures["all"], figures["without_delayed_by_employer"]
    assert (everything["slots"], everything["overdue"], everything["withdrawn"]) == (3, 2, 1)
    assert (without["slots"], without["overdue"], without["withdrawn"]) == (2, 1, 1)
    assert everything["delayed_by_employer"] == 1


async def test_a_slot_is_absent_for_everybody_whose_slot_it_is_not_and_follows_the_need_to_another_intermediary(
    world: World,
) -> None:
    need = await world.intake.need(EMPLOYER, intermediary="refugee_service")
    slot_id = need["slot_ids"][0]
    await slot(world, slot_id)
    body = {"caused_by": "employer", "reason": "no_answer", "from_on": "2025-01-13"}
    for stranger in (world.as_("employer-nav"), world.as_("counsellor-nav"), world.as_("candidate", slot_id)):
        assert code(await stranger.get(f"/slots/{slot_id}")) == (404, "not_found")
    for stranger in (world.as_("employer-nav"), world.as_("counsellor-nav")):
        assert code(await stranger.post(f"/slots/{slot_id}/delays", body)) == (404, "not_found")
        assert (await stranger.get("/slots")).json()["items"] == []
    assert code(await world.as_("analyst").get(f"/slots/{slot_id}")) == (403, "forbidden")
    for own in (EMPLOYER, COUNSELLOR, DECIDER):
        assert [each["slot_id"] for each in (await world.as_(own).get("/slots")).json()["items"]] == [slot_id]
    assigned = NeedAssigned(
        need_id=need["need_id"], org_number="315486890", intermediary="nav", assigned_on=date(2025, 1, 13)
    )
    await world.matched(assigned)

    async def moved() -> bool | None:
        return (await world.as_("counsellor-nav").get(f"/slots/{slot_id}")).status_code == 200 or None

    await until(moved)
    assert [each["slot_id"] for each in (await world.as_("counsellor-nav").get("/slots")).json()["items"]] == [slot_id]
    assert (await world.as_(COUNSELLOR).get("/slots")).json()["items"] == []


async def test_a_match_that_is_heard_of_before_its_need_starts_the_clock_of_the_slot(world: World) -> None:
    case = await world.confirmed(registered_on=date(2025, 1, 6))
    shown = await slot(world, case.slot_id)
    assert (shown["clock"]["day"], shown["clock"]["promise_date"]) == (7, "2025-02-03")
    assert shown["occupation"] is None


async def test_lists_of_slots_come_in_pages(world: World) -> None:
    for _ in range(3):
        need = await world.intake.need(EMPLOYER, intermediary="refugee_service")
        await slot(world, need["slot_ids"][0])
    employer = world.as_(EMPLOYER)
    first = (await employer.get("/slots", limit=2)).json()
    second = (await employer.get("/slots", limit=2, cursor=first["next"])).json()
    assert len({each["slot_id"] for each in first["items"] + second["items"]}) == 3
    assert code(await employer.get("/slots", cursor="W3siJGd0IjoiIn1d")) == (400, "cursor_invalid")
    found = (await employer.get("/slots", need_id=need["need_id"])).json()["items"]
    assert [each["need_id"] for each in found] == [need["need_id"]]
