"""The best overall plan over HTTP: what it gains over slot by slot, and that the counsellor decides."""

from __future__ import annotations

from datetime import date
from typing import Any

from chassis.settings import Settings
from contracts import intake as it
from tests.service.matching_world import World, matching_world
from tests.service.platform_helpers import until
from tests.service.test_matching_pages import browser


async def plan(world: World, persona: str = "counsellor-refugee-service") -> dict[str, Any]:
    answer = await world.get("/plan", persona)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def pairs(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(line["slot_id"], line["candidate_id"]) for line in found["lines"]]


async def test_the_best_overall_plan_gains_over_slot_by_slot_and_the_counsellor_decides(settings: Settings) -> None:
    """Given one who may drive, and a need before the one that asks for a driver: slot by slot leaves that one empty."""
    async with matching_world(settings) as world:
        first = await world.need(registered_on=date(2025, 1, 10), promise_date=date(2025, 2, 7))
        driving = await world.need(licences=("B",))
        others = await world.need(intermediary="nav", occupation="2512")
        driver = await world.candidate(licences=("B",))
        second, third = await world.candidates(2, municipality="0301")
        found = await plan(world)
        assert found["open_slots"] == 3
        assert (found["best"]["filled"], found["slot_by_slot"]["filled"], found["gain"]["filled"]) == (3, 2, 1)
        lines = dict(pairs(found))
        assert lines[driving.slot_ids[0]] == driver
        assert lines[first.slot_ids[0]] in (second, third)
        assert others.slot_ids[0] not in lines, "the lines of other intermediaries' needs are theirs"
        for line in found["lines"]:
            assert line["score"] == sum(reason["points"] for reason in line["reasons"])
        theirs = await plan(world, "counsellor-nav")
        (own,) = pairs(theirs)
        assert own[0] == others.slot_ids[0]
        assert own[1] not in lines.values(), "no two intermediaries' plans count on one person"
        assert {name: theirs[name] for name in ("best", "slot_by_slot", "gain")} == {
            name: found[name] for name in ("best", "slot_by_slot", "gain")
        }
        assert (await world.get("/matches")).json()["items"] == [], "nobody was proposed by looking"

        taken = await world.post("/plan/proposals", {"slot_id": driving.slot_ids[0], "candidate_id": driver}, key="k")
        assert taken.status_code == 201, taken.text
        again = await world.post("/plan/proposals", {"slot_id": driving.slot_ids[0], "candidate_id": driver}, key="k")
        assert again.json()["match_id"] == taken.json()["match_id"]
        match = (await world.get(taken.headers["location"])).json()
        assert (match["stage"], match["candidate_id"]) == ("proposed", driver)

        async def is_left_out() -> bool:
            left = await plan(world)
            return driver not in dict(pairs(left)).values() and left["open_slots"] == 2

        await until(is_left_out, "who is proposed somewhere is in no further plan")


async def test_a_line_that_no_longer_holds_is_refused_like_any_proposal(settings: Settings) -> None:
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        name = await world.candidate()
        assert pairs(await plan(world)) == [(slot_id, name)]
        await world.happened(it.SOURCE, it.ReadinessRevoked(candidate_id=name, reason="circumstances_changed"))
        empty = await plan(world)
        assert (empty["lines"], [each["slot_id"] for each in empty["unfilled"]]) == ([], [slot_id])
        refused = await world.post("/plan/proposals", {"slot_id": slot_id, "candidate_id": name})
        assert (refused.status_code, refused.json()["code"]) == (409, "candidate_not_available")
        foreign = await world.post("/plan/proposals", {"slot_id": slot_id, "candidate_id": name}, "counsellor-nav")
        assert foreign.status_code == 409
        assert (await world.get("/plan", "employer-lier")).status_code == 403


async def test_protected_people_are_in_no_plan(settings: Settings) -> None:
    async with matching_world(settings) as world:
        await world.need()
        name = await world.candidate()
        await world.happened(it.SOURCE, it.AddressProtectionChanged(candidate_id=name, protected=True))
        answer = await world.get("/plan")
        assert name not in answer.text
        assert answer.json()["best"]["filled"] == 0


async def test_plan_and_second_choice_are_taken_by_forms(settings: Settings) -> None:
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        await world.candidate()
        other = await world.candidate(municipality="0301")
        await world.get(f"/slots/{slot_id}/candidates")
        counsellor = browser(world)
        await counsellor.log_in("counsellor-refugee-service")
        front = await counsellor.read("/")
        assert "Foreslå en kandidat" in front
        assert 'href="/plan"' in front
        page = await counsellor.read("/plan")
        assert "Beste plan for alle ledige plasser" in page
        assert "Plass for plass" in page
        assert "Har arbeidet i dette yrket. (20 poeng)" in page
        taken = await counsellor.send(page, "/plan/line")
        assert taken.status_code == 303, taken.text
        match = taken.headers["location"]
        page = await counsellor.read(match)
        ended = await counsellor.send(
            page, f"{match}/steps/cancellation", **{"cancellation-reason": "no_longer_available"}
        )
        assert ended.status_code == 303, ended.text

        async def is_open_again() -> bool:
            return "Plassen er ledig igjen" in await counsellor.read(f"/slots/{slot_id}")

        await until(is_open_again, "the slot page offers the second choice")
        page = await counsellor.read(f"/slots/{slot_id}")
        assert other in page
        assert "Prøvd før: Ikke lenger tilgjengelig (15. januar 2025)" in page
        wrong = await counsellor.send(page, f"/slots/{slot_id}/second-choice", deadline="2025-01-01")
        assert (wrong.status_code, "Fristen er alt gått ut." in wrong.text) == (422, True)
        done = await counsellor.send(page, f"/slots/{slot_id}/second-choice", deadline="2025-01-20")
        assert done.status_code == 303, done.text
        page = await counsellor.read(done.headers["location"])
        assert "Spurt" in page
        assert "20. januar 2025" in page
