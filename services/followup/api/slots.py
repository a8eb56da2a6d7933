"""Plans of slots over HTTP: what is to be done by whom and when, what the clock says, and the figures of many.

Invariant: a slot is found by its employer, the counsellors of the intermediary that works on its need, and decision
makers; for everybody else it is absent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import NotFound, Principal, require
from chassis.commands import Answer, CommandContext, Decision, Done, Loaded
from chassis.freshness import Fresh
from chassis.pages import wants_page
from chassis.problems import Problem
from chassis.projection import Document
from chassis.requests import Id
from chassis.respond import Creating, Paged, Paging, resource, respond
from contracts.vocabulary import Party
from services.followup import requests as bodies
from services.followup.core import Followup, acting, party_of
from services.followup.domain.slot import CompletePlanTask, ReportDelay, SlotCommand, decide_slot
from services.followup.plan import Figures, PlanTask, SlotClock, figures, plan_tasks, slot_clock
from services.followup.subjects import slot_in, slot_subject

Reader = Annotated[Principal, Depends(require("cases:read"))]
Planner = Annotated[Principal, Depends(require("trials:write"))]
SlotPage = Callable[[Request, Principal, Document], Awaitable[Response]]


def router(followup: Followup, page_of: SlotPage) -> APIRouter:
    """The routes. A slot has one address: a browser gets it as a page, everybody else as JSON."""
    routes = APIRouter(tags=["plans"])

    @routes.get("/slots", summary="The plans of the caller's slots")
    async def listed(
        principal: Reader, page: Paged, fresh: Fresh, need_id: Annotated[Id | None, Query()] = None
    ) -> Response:
        await fresh.in_views(followup.plans)
        found = await own_slots(followup, principal, {} if need_id is None else {"need_id": need_id}, page)
        today = followup.service.clock.today()
        return page.listing([slot_body(each, today) for each in found], lambda each: (each["slot_id"],))

    @routes.get("/slots/{slot_id}", summary="The plan of one slot, and what its clock says")
    async def one(request: Request, slot_id: str, principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(followup.plans)
        slot = await own_slot(followup, principal, slot_id)
        if wants_page(request):
            return await page_of(request, principal, slot)
        return resource(slot_body(slot, followup.service.clock.today()))

    @routes.get("/figures", summary="How the caller's slots keep the promise, with and without employers' delays")
    async def counted(principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(followup.plans)
        found = await own_slots(followup, principal, {}, None)
        everything, without = figures(found, followup.service.clock.today())
        return resource({"all": _rounded(everything), "without_delayed_by_employer": _rounded(without)})

    @routes.post("/slots/{slot_id}/tasks", status_code=201, summary="Say that a task of the plan is done")
    async def done(slot_id: str, body: bodies.PlanTaskDone, principal: Planner, context: Creating) -> Response:
        return respond(await complete_plan_task(followup, principal, context, slot_id, body))

    @routes.post("/slots/{slot_id}/delays", status_code=201, summary="Say who is waited for")
    async def delay(slot_id: str, body: bodies.Delay, principal: Planner, context: Creating) -> Response:
        return respond(await report_delay(followup, principal, context, slot_id, body))

    return routes


def slot_body(slot: Mapping[str, Any], today: date) -> dict[str, Any]:
    """A slot: its clock, its tasks, who is waited for."""
    clock = slot_clock(slot, today)
    need = slot.get("need") or {}
    return {
        "slot_id": slot["slot_id"],
        "need_id": slot["need_id"],
        "org_number": slot["org_number"],
        "municipality": need.get("municipality"),
        "occupation": need.get("occupation"),
        "playbook_version": slot["plan"]["playbook_version"],
        "clock": _plain(clock),
        "tasks": [_plain(task) for task in plan_tasks(slot, today)],
        "deadlines": slot.get("said", []),
        "missed_on": slot.get("missed_on"),
        "delays": slot.get("delays", []),
        "withdrawn": slot.get("withdrawn"),
        "expired_on": slot.get("expired_on"),
    }


def _plain(told: SlotClock | PlanTask) -> dict[str, Any]:
    """Days as ISO text."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(told).items()}


def _rounded(told: Figures) -> dict[str, Any]:
    percent = told.kept_percent
    return {**asdict(told), "kept_percent": None if percent is None else round(percent, 1)}


async def own_slot(followup: Followup, principal: Principal, slot_id: str) -> Document:
    """The caller's slot. Raises NotFound."""
    slot = await followup.plans.get(slot_id)
    if slot is None or "plan" not in slot:
        raise NotFound
    party = party_of(principal)
    if party == Party.EMPLOYER and principal.acts_for(slot["org_number"]):
        return slot
    if party == Party.COUNSELLOR and principal.is_of(await _works_on(followup, slot)):
        return slot
    if party == Party.DECISION_MAKER:
        return slot
    raise NotFound


async def _works_on(followup: Followup, slot: Mapping[str, Any]) -> str:
    assigned = await followup.service.view("assignments").get(slot["need_id"])
    return str((assigned or slot)["intermediary"])


async def own_slots(
    followup: Followup, principal: Principal, where: dict[str, Any], page: Paging | None
) -> list[Document]:
    """The caller's slots by id, one more than the page holds; all of them without a page."""
    match party_of(principal):
        case Party.EMPLOYER:
            own: dict[str, Any] = {"org_number": {"$in": sorted(principal.org_numbers)}}
        case Party.COUNSELLOR:
            own = await _of_intermediary(followup, principal.intermediary)
        case Party.DECISION_MAKER:
            own = {}
        case _:
            raise NotFound
    conditions: list[dict[str, Any]] = [own, where, {"plan": {"$exists": True}}]
    if page is not None and page.after is not None:
        if len(page.after) != 1 or not isinstance(page.after[0], str):
            raise Problem(400, "cursor_invalid")
        conditions.append({"slot_id": {"$gt": page.after[0]}})
    asked = {"$and": [condition for condition in conditions if condition]}
    limit = 0 if page is None else page.limit + 1
    return await followup.plans.find(asked, sort=[("slot_id", 1)], limit=limit)


async def _of_intermediary(followup: Followup, intermediary: str | None) -> dict[str, Any]:
    """Slots of needs that are assigned to it, or that came to it and are assigned to nobody else."""
    assignments = await followup.service.view("assignments").find()
    mine = [each["_id"] for each in assignments if each["intermediary"] == intermediary]
    elsewhere = [each["_id"] for each in assignments if each["intermediary"] != intermediary]
    return {"$or": [{"need_id": {"$in": mine}}, {"intermediary": intermediary, "need_id": {"$nin": elsewhere}}]}


async def complete_plan_task(
    followup: Followup, principal: Principal, context: CommandContext, slot_id: str, body: bodies.PlanTaskDone
) -> Done:
    """Complete a task that no event tells of."""
    command = CompletePlanTask(
        at=followup.service.clock.now(), slot_id=slot_id, acting=acting(principal), task=body.task, on=body.on
    )
    return await _on_slot(followup, principal, context, command)


async def report_delay(
    followup: Followup, principal: Principal, context: CommandContext, slot_id: str, body: bodies.Delay
) -> Done:
    """Record who is waited for; the clock goes on."""
    command = ReportDelay(
        at=followup.service.clock.now(),
        slot_id=slot_id,
        acting=acting(principal),
        caused_by=body.caused_by,
        reason=body.reason,
        from_on=body.from_on,
    )
    return await _on_slot(followup, principal, context, command)


async def _on_slot(followup: Followup, principal: Principal, context: CommandContext, command: SlotCommand) -> Done:
    slot_id = command.slot_id
    await own_slot(followup, principal, slot_id)
    subject = slot_subject(slot_id)
    answer = Answer({"slot_id": slot_id}, f"/slots/{slot_id}", subject)

    def decided(loaded: Mapping[str, Loaded]) -> Decision:
        return Decision(decide_slot(command, slot_in(loaded, slot_id)), answer)

    return await followup.service.commands(followup.log).run(context, [subject], decided)
