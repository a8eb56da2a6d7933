"""Pages of plans: the slots of the caller with their clocks, and one slot with its tasks.

Invariant: a form goes the way of the API; delays and withdrawals are shown beside the figures, never taken out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import NotFound, Principal, require
from chassis.freshness import Fresh
from chassis.pages import page_router
from chassis.projection import Document
from chassis.respond import Creating, respond_page
from chassis.webstate import language_of, web_of
from contracts.refused import Refused
from contracts.vocabulary import DelayReason, Party
from services.followup import requests as bodies
from services.followup.api.slots import SlotPage, complete_plan_task, own_slot, own_slots, report_delay
from services.followup.core import Followup, party_of
from services.followup.domain.playbook import municipality_of
from services.followup.domain.slot import BY_PEOPLE
from services.followup.places import name_of, place_of
from services.followup.plan import ClockClass, TaskState, figures, open_task, plan_tasks, slot_clock

Reader = Annotated[Principal, Depends(require("cases:read"))]
Planner = Annotated[Principal, Depends(require("trials:write"))]
WAIT_SECONDS = 2.0
"""How long a form waits for its place in the log, so that the next page shows it."""


def router(followup: Followup) -> APIRouter:
    """The pages."""
    routes = page_router()

    @routes.get("/clock")
    async def clock(request: Request, principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(followup.plans)
        today = followup.service.clock.today()
        try:
            found = await own_slots(followup, principal, {}, None)
        except NotFound:
            found = []
        shown: list[dict[str, Any]] = [
            {
                "slot": slot,
                "clock": slot_clock(slot, today),
                "task": open_task(slot, today),
                "place": place_of(slot.get("need"), language_of(request)),
            }
            for slot in found
        ]
        shown.sort(key=lambda each: (each["clock"].state.value not in ("running", "overdue"), each["clock"].days_left))
        everything, without = figures(found, today)
        return web_of(request).pages.render(
            request, "clock.html", slots=shown, everything=everything, without=without, today=today
        )

    @routes.post("/slots/{slot_id}/done")
    async def done(request: Request, slot_id: str, principal: Planner, context: Creating) -> Response:
        typed = await _typed(request)
        try:
            body = bodies.PlanTaskDone.model_validate({name: typed.get(name) for name in ("task", "on")})
            waited = replace(context, wait=WAIT_SECONDS)
            made = await complete_plan_task(followup, principal, waited, slot_id, body)
        except (ValidationError, Refused) as error:
            return await _again(followup, request, principal, slot_id, typed, error)
        return respond_page(_seen(slot_id, made.position))

    @routes.post("/slots/{slot_id}/delay")
    async def delay(request: Request, slot_id: str, principal: Planner, context: Creating) -> Response:
        typed = await _typed(request)
        try:
            told = {"caused_by": Party.EMPLOYER, **{name: typed.get(name) for name in ("reason", "from_on")}}
            made = await report_delay(
                followup, principal, replace(context, wait=WAIT_SECONDS), slot_id, bodies.Delay.model_validate(told)
            )
        except (ValidationError, Refused) as error:
            return await _again(followup, request, principal, slot_id, typed, error)
        return respond_page(_seen(slot_id, made.position))

    return routes


async def _typed(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str) and value}


def _seen(slot_id: str, position: int | None) -> str:
    return f"/slots/{slot_id}" + ("" if position is None else f"?min_position=followup:{position}")


def slot_page(followup: Followup) -> SlotPage:
    """The page of one slot."""

    async def page(request: Request, principal: Principal, slot: Document) -> Response:
        return await _render(followup, request, principal, slot, {}, {})

    return page


async def _again(
    followup: Followup,
    request: Request,
    principal: Principal,
    slot_id: str,
    typed: Mapping[str, str],
    error: ValidationError | Refused,
) -> Response:
    """The page with the form as it was typed, and a sentence per field."""
    problems, language = web_of(request).problems, language_of(request)
    if isinstance(error, Refused):
        wrong = problems.field_errors(error, language) or {"main": problems.write(error, language).detail}
    else:
        located = RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])
        wrong = problems.field_errors(located, language)
    slot = await own_slot(followup, principal, slot_id)
    return await _render(followup, request, principal, slot, typed, wrong)


async def _render(
    followup: Followup,
    request: Request,
    principal: Principal,
    slot: Document,
    typed: Mapping[str, str],
    wrong: Mapping[str, str],
) -> Response:
    today, party = followup.service.clock.today(), party_of(principal)
    tasks = plan_tasks(slot, today)
    clock = slot_clock(slot, today)
    goes_on = clock.state in (ClockClass.RUNNING, ClockClass.OVERDUE) and "trials:write" in principal.scopes
    # Also what is done since something later is, or since somebody else told so, is done.
    left = {each.task for each in tasks if each.state != TaskState.DONE}
    by_hand = [each.value for each in BY_PEOPLE if each in left]
    own = municipality_of(slot["plan"]["playbook_version"])
    return web_of(request).pages.render(
        request,
        "slot.html",
        status=422 if wrong else 200,
        headers={"Cache-Control": "no-store"},
        slot=slot,
        clock=clock,
        tasks=tasks,
        place=place_of(slot.get("need"), language_of(request)),
        employers=await followup.employers.of([slot["org_number"]]),
        own_way=None if own is None else name_of(own),
        completes=by_hand if goes_on and party == Party.COUNSELLOR else [],
        delays=[each.value for each in DelayReason] if goes_on else [],
        typed=typed,
        errors=wrong,
    )
