"""Cases over HTTP, and the draft that each of them waits for.

Invariant: a list holds the caller's cases alone, whatever is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import NotFound, Principal, require
from chassis.commands import Answer, CommandContext, Decision, Done, Loaded
from chassis.freshness import Fresh
from chassis.ids import new_id
from chassis.pages import wants_page
from chassis.problems import Problem
from chassis.projection import Document
from chassis.requests import Id
from chassis.respond import Creating, Paged, Paging, resource, respond
from contracts.event import Event
from contracts.followup import TrialStarted
from contracts.refused import Refused
from contracts.rulepacks import RulePack
from contracts.vocabulary import Party, Task
from services.followup.core import Followup, acting, party_of
from services.followup.domain.commands import Draft, SettleStart, TakeCase
from services.followup.domain.decide import decide
from services.followup.domain.slot import MoveStart, decide_slot
from services.followup.requests import CaseTake, NewAgreement, StartSettled
from services.followup.showing import case_body, tasks_of
from services.followup.subjects import (
    agreement_subject,
    case_subject,
    person_of,
    person_subject,
    slot_in,
    slot_subject,
    trial_subject,
)

Reader = Annotated[Principal, Depends(require("cases:read"))]
Drafter = Annotated[Principal, Depends(require("agreements:write"))]


READ_AT_MOST, _BATCH = 2_000, 200
"""How many cases a list of work is made from."""
NOBODY_ASKS_AFTER = timedelta(weeks=80)
"""After a case was over: whether somebody is employed is asked for the last time after 12 months."""

CasePage = Callable[[Request, Principal, Document], Awaitable[Response]]
"""Makes a page of a case, for a browser."""


def router(followup: Followup, page_of: CasePage) -> APIRouter:
    """The routes. A case has one address: a browser gets it as a page, everybody else as JSON."""
    routes = APIRouter(tags=["cases"])

    @routes.get("/cases", summary="List the caller's cases")
    async def listed(
        principal: Reader,
        page: Paged,
        fresh: Fresh,
        match_id: Annotated[Id | None, Query()] = None,
        need_id: Annotated[Id | None, Query()] = None,
        mine: Annotated[bool, Query(description="The cases that the caller, a counsellor, has taken.")] = False,
    ) -> Response:
        await fresh.in_views(followup.cases)
        asked = {"match_id": match_id, "need_id": need_id}
        where = {name: value for name, value in asked.items() if value is not None}
        if mine:
            # Nobody's id where the caller has taken none: a null would match every case that nobody has taken.
            where["counsellor_id"] = await followup.counsellors.known(principal.sub) or ""
        found = await own_cases(followup, principal, where, page)
        today, party = followup.service.clock.today(), party_of(principal)
        return page.listing([case_body(case, today, party) for case in found], lambda each: (each["match_id"],))

    @routes.get("/cases/{match_id}", summary="One case: where it stands, who does what next, its history")
    async def one(request: Request, match_id: str, principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(followup.cases)
        case = await followup.case(principal, match_id)
        if wants_page(request):
            return await page_of(request, principal, case)
        return resource(case_body(case, followup.service.clock.today(), party_of(principal)))

    @routes.post("/cases/{match_id}/agreements", status_code=201, summary="Draft the agreement of a case")
    async def draft(match_id: str, body: NewAgreement, principal: Drafter, context: Creating) -> Response:
        return respond(await draft_agreement(followup, principal, context, match_id, body))

    @routes.post("/cases/{match_id}/counsellor", status_code=201, summary="See to a case from now on")
    async def take(match_id: str, body: CaseTake, principal: Drafter, context: Creating) -> Response:
        return respond(await take_case(followup, principal, context, match_id, body))

    @routes.post(
        "/cases/{match_id}/tasks/{task_id}/completion",
        status_code=201,
        summary="Settle which day the start was: the one task that no other event completes",
    )
    async def completion(
        match_id: str, task_id: Id, body: StartSettled, principal: Drafter, context: Creating
    ) -> Response:
        return respond(await settle_task(followup, principal, context, match_id, task_id, body))

    return routes


async def take_case(
    followup: Followup, principal: Principal, context: CommandContext, match_id: str, _: CaseTake
) -> Done:
    """Take a case: it stands in the counsellor's own list from then on."""
    case = await followup.case(principal, match_id, context)
    counsellor_id = await followup.counsellors.id_of(principal.sub)
    command = TakeCase(
        at=followup.service.clock.now(), match_id=match_id, acting=acting(principal), counsellor_id=counsellor_id
    )
    person = case["candidate_id"]
    answer = Answer({"match_id": match_id}, f"/cases/{match_id}", case_subject(match_id))
    return await followup.run(
        context, [case_subject(match_id), person_subject(person)], person, command, lambda _: answer
    )


async def settle_task(
    followup: Followup, principal: Principal, context: CommandContext, match_id: str, task_id: str, body: StartSettled
) -> Done:
    """Say which of two days the start was. Whatever follows from another day is said in the same commit."""
    case = await followup.case(principal, match_id, context)
    person, slot_id = case["candidate_id"], case["slot_id"]
    command = SettleStart(
        at=followup.service.clock.now(),
        match_id=match_id,
        acting=acting(principal),
        task_id=task_id,
        check_in_task_id=new_id(),
        registered_on=date.fromisoformat(case["match"]["registered_on"]),
        on=body.on,
        reason=body.reason,
        note=body.note,
    )
    answer = Answer({"match_id": match_id, "on": body.on.isoformat()}, f"/cases/{match_id}", case_subject(match_id))
    # From the log: the view may not know yet of the trial whose start it is.
    known = (await followup.person(person)).cases.get(match_id)
    trials = [] if known is None else [each.trial for each in known.agreements.values() if each.trial is not None]
    names = [
        case_subject(match_id),
        person_subject(person),
        slot_subject(slot_id),
        *(trial_subject(each.trial_id) for each in trials),
    ]

    def decided(loaded: Mapping[str, Loaded]) -> Decision:
        events: list[Event] = [*decide(command, person_of(loaded[person_subject(person)]))]
        if any(isinstance(each, TrialStarted) for each in events):
            move = MoveStart(at=command.at, slot_id=slot_id, on=body.on)
            events += decide_slot(move, slot_in(loaded, slot_id))
        return Decision(events, answer)

    commands = followup.service.commands(followup.log)
    hashed_for = None if body.note is None else person
    # What is sealed with the agreement says how long the measure may last.
    return await commands.run(context, names, decided, person=hashed_for, unseal=True)


async def settle_start(
    followup: Followup, principal: Principal, context: CommandContext, match_id: str, body: StartSettled
) -> Done:
    """The page's way to the same: the open task that asks which of two days it was."""
    case = await followup.case(principal, match_id, context)
    open_ones = [each for each in tasks_of(case) if "completed_on" not in each]
    task_id = next((each["task_id"] for each in open_ones if each["task"] == Task.SETTLE_START_DATE), "")
    return await settle_task(followup, principal, context, match_id, task_id, body)


async def own_cases(followup: Followup, principal: Principal, where: dict[str, Any], page: Paging) -> list[Document]:
    """The caller's cases by match id, one more than the page holds."""
    match party_of(principal):
        case Party.EMPLOYER:
            own: dict[str, Any] = {"org_number": {"$in": sorted(principal.org_numbers)}}
        case Party.COUNSELLOR:
            own = {"intermediary": principal.intermediary}
        case Party.PARTICIPANT:
            own = {"candidate_id": principal.candidate_id}
        case Party.DECISION_MAKER:
            own = {}
        case None:
            raise NotFound
    conditions: list[dict[str, Any]] = [own, where, {"match": {"$exists": True}}]
    if party_of(principal) != Party.COUNSELLOR:
        conditions += _still_open_to_parties(followup.service.clock.today())
    if page.after is not None:
        if len(page.after) != 1 or not isinstance(page.after[0], str):
            raise Problem(400, "cursor_invalid")
        conditions.append({"match_id": {"$gt": page.after[0]}})
    asked = {"$and": [condition for condition in conditions if condition]}
    return await followup.cases.find(asked, sort=[("match_id", 1)], limit=page.limit + 1)


async def cases_at_work(
    followup: Followup, principal: Principal, where: Mapping[str, Any]
) -> tuple[list[Document], bool]:
    """The caller's cases in which somebody may still have something to do, and whether there are more than are read.

    All of them: the first ones by id alone would, after some years, be those that have long been over.
    """
    recent = {"$and": [*([dict(where)] if where else []), *_not_long_over(followup.service.clock.today())]}
    found: list[Document] = []
    while len(found) < READ_AT_MOST:
        after = (found[-1]["match_id"],) if found else None
        page = await own_cases(followup, principal, recent, Paging(_BATCH, after))
        found += page[:_BATCH]
        if len(page) <= _BATCH:
            return found, False
    return found, True


def _not_long_over(today: date) -> list[dict[str, Any]]:
    since = (today - NOBODY_ASKS_AFTER).isoformat()
    over = ("closed_on", "ended_on")
    recent: list[dict[str, Any]] = [{"$or": [{name: {"$exists": False}}, {name: {"$gte": since}}]} for name in over]
    return [*recent, _not_cancelled_before(since)]


def _not_cancelled_before(since: str) -> dict[str, Any]:
    # A cancelled match ends a case that has no agreement; a trial goes on.
    return {
        "$or": [{"cancelled": {"$exists": False}}, {"cancelled.on": {"$gte": since}}, {"trials": {"$exists": True}}]
    }


def _still_open_to_parties(today: date) -> list[dict[str, Any]]:
    """What `access_ended` says of one case, asked of the view."""
    try:
        weeks = RulePack.at(today).agreement.access_after_close_weeks
    except Refused:
        # Before the first rules nothing could be agreed on, so nothing is over.
        return []
    since = (today - timedelta(weeks=weeks)).isoformat()
    over = ("closed_on", "ended_on")
    recent = [{"$or": [{name: {"$exists": False}}, {name: {"$gte": since}}]} for name in over]
    return [*recent, _not_cancelled_before(since)]


async def draft_agreement(
    followup: Followup, principal: Principal, context: CommandContext, match_id: str, body: NewAgreement
) -> Done:
    """Draft, after intake has said whether the person may."""
    case = await followup.case(principal, match_id, context)
    person, agreement_id = case["candidate_id"], new_id()
    command = Draft(
        at=followup.service.clock.now(),
        match_id=match_id,
        agreement_id=agreement_id,
        task_id=new_id(),
        intermediary=case["intermediary"],
        registered_on=date.fromisoformat(case["match"]["registered_on"]),
        measure=body.measure,
        start_on=body.start_on,
        end_on=body.end_on,
        hours_per_week=body.hours_per_week,
        wage_subsidy_percent=body.wage_subsidy_percent,
        late_registration=body.late_registration,
        wage=None if body.wage is None else body.wage.wage(),
        eligibility=await followup.persons.eligibility(person, body.measure, body.start_on, body.end_on),
    )
    subject = agreement_subject(agreement_id)
    answer = Answer({"agreement_id": agreement_id, "match_id": match_id}, f"/agreements/{agreement_id}", subject)
    names = [subject, case_subject(match_id), person_subject(person)]
    # What a body says of a wage is hashed under the person's key.
    text = None if body.wage is None else "wage"
    return await followup.run(context, names, person, command, lambda _: answer, text=text)
