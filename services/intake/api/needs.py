"""Needs over HTTP.

Invariant: an employer sees and changes only the needs of the organisations in the token; an intermediary reads all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from chassis.auth import Principal, absent_unless, require
from chassis.commands import Answer, CommandContext, Decision, Done, Loaded
from chassis.freshness import Fresh
from chassis.ids import new_id
from chassis.projection import Document
from chassis.respond import Changing, Creating, Paged, Paging, resource, respond
from services.intake.api.paging import texts_after
from services.intake.core import Intake, fold_need, need_subject, own_org_number
from services.intake.domain import needs
from services.intake.domain.needs import RegisterNeed, WithdrawNeed
from services.intake.requests import NeedWithdrawal, NewNeed

Employer = Annotated[Principal, Depends(require("needs:write"))]
Reader = Annotated[Principal, Depends(require("needs:read"))]
NEWEST_FIRST = (("registered_on", -1), ("need_id", -1))


def router(intake: Intake) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["needs"])

    @routes.post("/needs", status_code=201, summary="Register a need")
    async def register(body: NewNeed, principal: Employer, context: Creating) -> Response:
        return respond(await register_need(intake, principal, context, body))

    @routes.post("/needs/{need_id}/withdrawal", status_code=201, summary="Withdraw a need")
    async def withdraw(need_id: str, body: NeedWithdrawal, principal: Employer, context: Changing) -> Response:
        await intake.own_need(principal, need_id)
        command = WithdrawNeed(body.reason, intake.clock.now())

        def decide(loaded: Mapping[str, Loaded]) -> Decision:
            events = needs.decide(command, fold_need(loaded[need_subject(need_id)]))
            return Decision(events, Answer({"need_id": need_id}, f"/needs/{need_id}", need_subject(need_id)))

        return respond(await intake.commands.run(context, [need_subject(need_id)], decide))

    @routes.get("/needs", summary="List needs, the newest first")
    async def listed(
        principal: Reader,
        page: Paged,
        fresh: Fresh,
        open_only: Annotated[bool, Query(description="Leave withdrawn needs out.")] = False,
    ) -> Response:
        await fresh.in_views(intake.needs)
        found = await list_needs(intake, principal, page, open_only=open_only)
        return page.listing(found, lambda need: (need["registered_on"], need["need_id"]))

    @routes.get("/needs/{need_id}", summary="One need")
    async def one(need_id: str, principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(intake.needs)
        found = await intake.needs.get(need_id)
        absent_unless(found is not None and may_read(principal, found))
        return resource(shown(found or {}), version=(found or {})["version"])

    return routes


async def register_need(intake: Intake, principal: Principal, context: CommandContext, body: NewNeed) -> Done:
    """Decide and append; pages and API alike."""
    need_id = new_id()
    command = RegisterNeed(
        need_id=need_id,
        slot_ids=tuple(new_id() for _ in range(body.slots)),
        org_number=own_org_number(principal, body.org_number, synthetic=intake.synthetic),
        municipality=body.municipality,
        occupation=body.occupation,
        at=intake.clock.now(),
        intermediary=body.intermediary,
        measure=body.measure,
        hours_per_week=body.hours_per_week,
        start_from=body.start_from,
        language=body.language.value(),
        licences=body.licences,
        synthetic=intake.synthetic,
    )

    def decide(loaded: Mapping[str, Loaded]) -> Decision:
        events = needs.decide(command, fold_need(loaded[need_subject(need_id)]))
        registered = events[0].data()
        answered = {name: registered[name] for name in ("need_id", "slot_ids", "registered_on", "promise_date")}
        return Decision(events, Answer(answered, f"/needs/{need_id}", need_subject(need_id)))

    return await intake.commands.run(context, [need_subject(need_id)], decide)


async def list_needs(intake: Intake, principal: Principal, page: Paging, *, open_only: bool = False) -> list[Document]:
    """One more than a page of the needs that the caller may read, the newest first."""
    where: list[dict[str, Any]] = []
    if principal.intermediary is None:
        where.append({"org_number": {"$in": sorted(principal.org_numbers)}})
    if open_only:
        where.append({"withdrawn": None})
    if page.after is not None:
        day, need_id = texts_after(page, 2)
        where.append({"$or": [{"registered_on": {"$lt": day}}, {"registered_on": day, "need_id": {"$lt": need_id}}]})
    found = await intake.needs.find({"$and": where} if where else {}, sort=NEWEST_FIRST, limit=page.limit + 1)
    return [shown(need) for need in found]


def may_read(principal: Principal, need: Mapping[str, Any]) -> bool:
    """Whether a need is the caller's, or the caller works at an intermediary."""
    return principal.intermediary is not None or principal.acts_for(need["org_number"])


def shown(need: Mapping[str, Any]) -> Document:
    """A need as it is answered: without what only the database needs."""
    return {name: value for name, value in need.items() if name != "_id"}
