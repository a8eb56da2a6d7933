"""Two intermediaries confirm one person at the same instant, through two instances: one succeeds, each time."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date
from uuid import uuid4

import pytest

from chassis.commands import Answer, CommandContext, Decision
from chassis.ids import new_id
from chassis.issuer import MESTER_GRONN, NAV_DIRECTORATE
from chassis.settings import Settings
from contracts import intake as it
from contracts import matching as ma
from services.matching.core import Matching
from services.matching.domain.state import Stage
from services.matching.reactions import world_in
from tests.service.matching_world import World, matching_world
from tests.service.platform_helpers import until

TIMES = 100
DAY = date(2025, 1, 15)


def presented(match_id: str, need: it.NeedRegistered, slot_id: str, candidate_id: str) -> list[ma.MatchEvent]:
    """The way of a match up to the employer's answer."""
    about = {
        "match_id": match_id,
        "need_id": need.need_id,
        "slot_id": slot_id,
        "candidate_id": candidate_id,
        "org_number": need.org_number,
    }
    return [
        ma.CandidateMatched(
            **about, intermediary=need.intermediary, score=0, reasons=(), rule_version="test", matched_on=DAY
        ),
        ma.CandidateAsked(**about, asked_on=DAY, deadline=DAY),
        ma.CandidateAccepted(**about, accepted_on=DAY),
        ma.CandidatePresented(**about, presented_on=DAY),
        ma.EmployerResponded(**about, responded_on=DAY, response="wants_to_hire"),
    ]


async def presented_twice(
    matching: Matching, needs: tuple[it.NeedRegistered, it.NeedRegistered], slots: tuple[str, str], candidate_id: str
) -> tuple[str, str]:
    """One person presented for a slot of each of two needs, in one commit; the matches' ids, both of version 1."""
    match_ids = new_id(), new_id()
    events = [
        event
        for match_id, need, slot_id in zip(match_ids, needs, slots, strict=True)
        for event in presented(match_id, need, slot_id, candidate_id)
    ]
    subjects = [
        *(f"match:{match_id}" for match_id in match_ids),
        *(f"slot:{slot_id}" for slot_id in slots),
        f"candidate:{candidate_id}",
    ]
    context = CommandContext(claim=f"command:{uuid4().hex}", body=b"{}", actor="test", correlation="test")
    answer = Answer({}, "/", subjects[0])
    await matching.commands.run(context, subjects, lambda _: Decision(events, answer))
    return match_ids


async def both_confirm(world: World, match_ids: tuple[str, str]) -> list[tuple[int, str]]:
    """Status and code of the two answers."""
    first, second = await asyncio.gather(
        world.post(f"/matches/{match_ids[0]}/confirmation", {}, "counsellor-refugee-service", version=1, instance=0),
        world.post(f"/matches/{match_ids[1]}/confirmation", {}, "counsellor-nav", version=1, instance=1),
    )
    said = []
    for answer in (first, second):
        body = answer.json()
        if answer.status_code == 409 and body["code"] == "stale":
            # What the loser is told: their match ended when another one was confirmed.
            assert body["changed"] == ["MatchConfirmed", "MatchCancelled"]
        said.append((answer.status_code, body.get("code", "")))
    return said


@pytest.mark.timeout(300)
async def test_two_intermediaries_cannot_place_one_person_twice(settings: Settings) -> None:
    async with matching_world(settings, instances=2) as world:
        lier = await world.need(slots=TIMES)
        nav = await world.need(slots=TIMES, intermediary="nav", org_number=NAV_DIRECTORATE, occupation="2512")
        assert lier.org_number == MESTER_GRONN
        matching = world.services[0]
        people = await world.candidates(TIMES)

        async def are_known() -> bool:
            # All of them: a position alone says nothing of what came before it in other partitions.
            return await matching.view("pool").complete_to(it.SOURCE) >= world.written[it.SOURCE]

        await until(are_known, "everybody is in the pool")

        winners: Counter[int] = Counter()
        for turn, candidate_id in enumerate(people):
            slots = lier.slot_ids[turn], nav.slot_ids[turn]
            match_ids = await presented_twice(matching, (lier, nav), slots, candidate_id)
            said = await both_confirm(world, match_ids)
            assert sorted(status for status, _ in said) == [201, 409], said
            # Which of them depends on how much of the winner's commit was read: of the match, or of the person alone.
            refusals = {"stale", "match_ended", "candidate_not_available"}
            assert {code for status, code in said if status == 409} <= refusals
            winner = [status for status, _ in said].index(201)
            winners[winner] += 1

            subjects = [f"candidate:{candidate_id}", *(f"slot:{slot_id}" for slot_id in slots)]
            state = world_in(await matching.log.load([*subjects, *(f"match:{name}" for name in match_ids)]))
            assert state.matches[match_ids[winner]].stage is Stage.CONFIRMED
            assert state.matches[match_ids[1 - winner]].stage is Stage.CANCELLED
        assert winners.total() == TIMES


async def test_two_people_cannot_get_one_slot(settings: Settings) -> None:
    async with matching_world(settings, instances=2) as world:
        need = await world.need()
        (slot_id,) = need.slot_ids
        first = await world.presented(slot_id, await world.candidate())
        second = await world.presented(slot_id, await world.candidate())
        answers = await asyncio.gather(
            *(
                world.post(f"/matches/{match_id}/confirmation", {}, version=5, instance=instance)
                for instance, match_id in enumerate((first, second))
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]
