"""From question to confirmation over HTTP: who answered, what is taken back, second choice, deadlines, handovers."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Any

from chassis.settings import Settings
from contracts import intake as it
from tests.service.matching_world import World, matching_world
from tests.service.platform_helpers import until

DAY = date(2025, 1, 15)
COUNSELLOR = "counsellor-refugee-service"
QUESTION = {"deadline": "2025-01-20"}


async def shown(world: World, match_id: str, persona: str = COUNSELLOR) -> dict[str, Any]:
    answer = await world.get(f"/matches/{match_id}", persona)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def asked(world: World, slot_id: str, candidate_id: str) -> str:
    match_id = await world.propose(slot_id, candidate_id)
    answer = await world.post(f"/matches/{match_id}/question", QUESTION, version=1)
    assert answer.status_code == 201, answer.text
    return match_id


async def heard(world: World, match_id: str, stage: str) -> None:
    """Wait until the view has it: a list and a task are made of the view."""

    async def is_there() -> bool:
        document = await world.services[0].view("matches").get(match_id)
        return document is not None and document.get("stage") == stage

    await until(is_there, f"{match_id} {stage} in the view")


async def tasks(world: World) -> list[tuple[str, str, str | None]]:
    found = (await world.get("/tasks")).json()["items"]
    return [(task["kind"], task["slot_id"], task["match_id"]) for task in found]


async def test_who_answered_is_recorded(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=2)
        one, other = await world.candidates(2)
        own, behalf = await asked(world, need.slot_ids[0], one), await asked(world, need.slot_ids[1], other)
        assert (
            await world.post(f"/matches/{own}/answer", {"answer": "accept"}, "candidate", one, version=2)
        ).is_success
        unexplained = await world.post(f"/matches/{behalf}/answer", {"answer": "accept"}, version=2)
        assert (unexplained.status_code, unexplained.json()["code"]) == (422, "note_missing_on_behalf")
        said = {"answer": "accept", "note": "Sa ja på telefon."}
        assert (await world.post(f"/matches/{behalf}/answer", said, version=2)).is_success
        assert (await shown(world, own))["answered_by"] == "participant"
        assert (await shown(world, behalf))["answered_by"] == "counsellor"


async def test_no_name_is_told_until_the_candidate_said_yes_nor_after_they_may_not_be_shown(settings: Settings) -> None:
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        name = await world.candidate()
        match_id = await asked(world, slot_id, name)
        path = f"/matches/{match_id}"
        assert (await shown(world, match_id))["name"] is None
        assert world.names.asked == []
        assert (await world.post(f"{path}/answer", {"answer": "accept"}, "candidate", name, version=2)).is_success
        assert (await shown(world, match_id))["name"] == f"Navn {name}"
        assert (await world.post(f"{path}/presentation", version=3)).is_success
        seen = await shown(world, match_id, "employer-lier")
        assert (seen["name"], seen["candidate"]["hours_per_week"]) == (f"Navn {name}", 37.5)
        listed = (await world.get("/matches", "employer-lier")).text
        assert "Navn" not in listed
        await world.happened(it.SOURCE, it.ReadinessRevoked(candidate_id=name, reason="circumstances_changed"))
        asked_before = len(world.names.asked)
        gone = await shown(world, match_id, "employer-lier")
        assert (gone["name"], gone["candidate"]) == (None, None)
        assert len(world.names.asked) == asked_before


async def test_answers_typed_by_mistake_are_taken_back(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        name = await world.candidate()
        match_id = await asked(world, need.slot_ids[0], name)
        path = f"/matches/{match_id}"
        early = await world.post(f"{path}/answer-reversal", {}, "candidate", name, version=2)
        assert (early.status_code, early.json()["code"]) == (409, "not_accepted")
        assert (await world.post(f"{path}/answer", {"answer": "accept"}, "candidate", name, version=2)).is_success
        foreign = await world.post(f"{path}/answer-reversal", {}, "counsellor-nav", version=3)
        assert foreign.status_code == 404
        back = await world.post(f"{path}/answer-reversal", {}, "candidate", name, version=3)
        assert back.status_code == 201, back.text
        assert ((await shown(world, match_id))["stage"], (await shown(world, match_id))["accepted_on"]) == (
            "asked",
            None,
        )

        assert (await world.post(f"{path}/answer", {"answer": "accept"}, "candidate", name, version=4)).is_success
        assert (await world.post(f"{path}/presentation", version=5)).is_success
        late = await world.post(f"{path}/answer-reversal", {}, "candidate", name, version=6)
        assert (late.status_code, late.json()["code"]) == (409, "already_presented")
        assert (await world.post(f"{path}/presentation-reversal", version=6)).is_success
        assert (await world.get(path, "employer-lier")).status_code == 404
        assert (await world.post(f"{path}/presentation", version=7)).is_success

        assert (await world.post(f"{path}/response", {"response": "relevant"}, "employer-lier", version=8)).is_success
        unsaid = await world.post(f"{path}/response-reversal", {}, "employer-lier", version=9)
        assert unsaid.status_code == 201, unsaid.text
        waiting = await world.post(f"{path}/confirmation", version=10)
        assert (waiting.status_code, waiting.json()["code"]) == (409, "employer_has_not_answered")
        assert (await world.post(f"{path}/response", {"response": "interview"}, "employer-lier", version=10)).is_success
        assert (await world.post(f"{path}/confirmation", version=11)).is_success

        # Before an agreement a confirmation is taken back by ending the match: place and person are free again.
        mistake = await world.post(f"{path}/cancellation", {"reason": "registered_by_mistake"}, version=12, wait=5)
        assert mistake.status_code == 201, mistake.text
        await heard(world, match_id, "cancelled")
        assert await world.presented(need.slot_ids[0], name)


async def test_the_second_choice_is_asked_at_once_when_one_drops_out(settings: Settings) -> None:
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        best = await world.candidate()
        second = await world.candidate(municipality="3301")
        third = await world.candidate(municipality="0301")
        match_id = await asked(world, slot_id, best)
        no = {"answer": "decline", "reason": "travel"}
        assert (await world.post(f"/matches/{match_id}/answer", no, "candidate", best, version=2)).is_success
        await heard(world, match_id, "cancelled")
        assert await tasks(world) == [("second_choice", slot_id, None)]
        ranking = (await world.get(f"/slots/{slot_id}/candidates")).json()["items"]
        assert ranking[0]["candidate_id"] == best
        assert ranking[0]["earlier"] == {"on": "2025-01-15", "reason": "candidate_declined"}

        foreign = await world.post(f"/slots/{slot_id}/next", {}, "counsellor-nav")
        assert foreign.status_code == 404
        past = await world.post(f"/slots/{slot_id}/next", {"deadline": "2025-01-14"})
        assert (past.status_code, past.json()["code"]) == (422, "deadline_in_past")
        answer = await world.post(f"/slots/{slot_id}/next", {}, key="once")
        assert answer.status_code == 201, answer.text
        again = await world.post(f"/slots/{slot_id}/next", {}, key="once")
        assert (again.json()["match_id"], again.headers["idempotent-replay"]) == (answer.json()["match_id"], "true")
        assert (answer.json()["candidate_id"], answer.json()["deadline"]) == (second, "2025-01-18")
        assert (await shown(world, answer.json()["match_id"]))["stage"] == "asked"
        await heard(world, answer.json()["match_id"], "asked")
        other = await world.post(f"/slots/{slot_id}/next", {"deadline": "2025-01-31"})
        assert other.json()["candidate_id"] == third
        await heard(world, other.json()["match_id"], "asked")
        nobody = await world.post(f"/slots/{slot_id}/next", {})
        assert (nobody.status_code, nobody.json()["code"]) == (409, "nobody_left")
        again = await world.post(f"/slots/{slot_id}/next", {}, key="once")
        assert (again.status_code, again.json()["match_id"]) == (201, answer.json()["match_id"]), "nobody is left now"


async def test_a_deadline_that_passes_without_an_answer_is_shown_and_can_be_closed(settings: Settings) -> None:
    async with matching_world(settings) as world:
        (slot_id,) = (await world.need()).slot_ids
        name = await world.candidate()
        match_id = await asked(world, slot_id, name)
        closing = {"reason": "no_answer"}
        early = await world.post(f"/matches/{match_id}/cancellation", closing, version=2)
        assert (early.status_code, early.json()["code"]) == (422, "deadline_not_passed")
        await heard(world, match_id, "asked")
        assert await tasks(world) == []
        world.services[0].clock.set(datetime(2025, 1, 20, 23, 30, tzinfo=UTC))
        assert await tasks(world) == [("ask_again", slot_id, match_id)]
        late = await world.post(f"/matches/{match_id}/answer", {"answer": "accept"}, "candidate", name, version=2)
        assert (late.status_code, late.json()["code"]) == (409, "deadline_passed")
        assert (await world.post(f"/matches/{match_id}/cancellation", closing, version=2)).is_success
        assert (await shown(world, match_id))["cancelled"]["reason"] == "no_answer"
        await heard(world, match_id, "cancelled")
        assert await tasks(world) == [("second_choice", slot_id, None)]


async def test_tasks_follow_the_journey_the_nearest_promise_date_first(settings: Settings) -> None:
    async with matching_world(settings) as world:
        later = await world.need()
        sooner = await world.need(registered_on=date(2025, 1, 10), promise_date=date(2025, 2, 7))
        (slot_id,), (other_slot,) = sooner.slot_ids, later.slot_ids
        name = await world.candidate()
        assert await tasks(world) == [("propose", slot_id, None), ("propose", other_slot, None)]
        steps: tuple[tuple[str, dict[str, Any], str, str | None, str, str], ...] = (
            ("question", QUESTION, COUNSELLOR, None, "ask", "asked"),
            ("answer", {"answer": "accept"}, "candidate", name, "", "accepted"),
            ("presentation", {}, COUNSELLOR, None, "present", "presented"),
            ("response", {"response": "relevant"}, "employer-lier", None, "", "presented"),
            ("confirmation", {}, COUNSELLOR, None, "confirm", "confirmed"),
        )
        match_id = await world.propose(slot_id, name)
        await heard(world, match_id, "proposed")
        for version, (step, body, persona, own, kind, stage) in enumerate(steps, start=1):
            expected = [(kind, slot_id, match_id)] if kind else []
            assert await tasks(world) == [*expected, ("propose", other_slot, None)], step
            answer = await world.post(f"/matches/{match_id}/{step}", body, persona, own, version=version, wait=5)
            assert answer.status_code == 201, answer.text
            view = world.services[0].view("matches")
            assert await view.wait_for("dugnad/matching", answer.json()["position"], 5), stage
        assert await tasks(world) == [("propose", other_slot, None)]


async def test_one_person_gets_one_place_across_slots_and_needs(settings: Settings) -> None:
    async with matching_world(settings, instances=2) as world:
        first = await world.need(slots=2)
        second = await world.need(intermediary="nav")
        name = await world.candidate()
        one = await world.presented(first.slot_ids[0], name)
        two = await world.presented(first.slot_ids[1], name)
        await world.get(f"/slots/{second.slot_ids[0]}/candidates", "counsellor-nav")
        proposal = {"candidate_id": name}
        third = await world.post(f"/slots/{second.slot_ids[0]}/matches", proposal, "counsellor-nav")
        assert third.status_code == 201, third.text
        answers = await asyncio.gather(
            world.post(f"/matches/{one}/confirmation", version=5, instance=0),
            world.post(f"/matches/{two}/confirmation", version=5, instance=1),
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        stages = [(await shown(world, match_id))["stage"] for match_id in (one, two)]
        assert sorted(stages) == ["cancelled", "confirmed"]
        elsewhere = await shown(world, third.json()["match_id"], "counsellor-nav")
        assert elsewhere["cancelled"]["reason"] == "placed_elsewhere"


async def test_handover_between_intermediaries_is_recorded(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()

        async def assigned_to(intermediary: str) -> bool:
            found = await world.get(f"/needs/{need.need_id}")
            return found.status_code == 200 and [each["intermediary"] for each in found.json()["assignments"]][-1:] == [
                intermediary
            ]

        await until(lambda: assigned_to("refugee_service"), "the first assignment")
        path = f"/needs/{need.need_id}/assignment"
        over = await world.post(path, {"intermediary": "nav"}, version=1)
        assert over.status_code == 201, over.text
        stale = await world.post(path, {"intermediary": "adult_education"}, "counsellor-nav", version=1)
        assert (stale.status_code, stale.json()["changed"]) == (409, ["NeedAssigned"])
        foreign = await world.post(path, {"intermediary": "adult_education"}, version=2)
        assert (foreign.status_code, foreign.json()["code"]) == (409, "need_of_other_intermediary")
        await until(lambda: assigned_to("nav"), "the handover")
        (first, second) = (await world.get(f"/needs/{need.need_id}")).json()["assignments"]
        assert first == {"on": "2025-01-15", "intermediary": "refugee_service", "previous": None}
        assert second == {"on": "2025-01-15", "intermediary": "nav", "previous": "refugee_service"}
