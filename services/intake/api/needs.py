"""Needs over HTTP.

Invariant: an employer sees and changes only the needs of the organisations in the token; an intermediary reads all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from chassis.auth import NotFound, Principal, absent_unless, require
from chassis.freshness import Fresh
from chassis.problems import Problem
from chassis.projection import Document
from chassis.respond import Changing, Creating, Paged, Paging, resource, respond
from chassis.validation import Found
from services.intake.api.paging import texts_after
from services.intake.core import Intake, fold_need, need_subject
from services.intake.domain.content import WarningsUnseen
from services.intake.operations import erase_need_text, register_again, register_need, revise_need, withdraw_need
from services.intake.requests import NeedAgain, NeedContent, NeedWithdrawal, NewNeed, TextErasure
from services.intake.views import confirmed_slots, need_after, started_slots

Employer = Annotated[Principal, Depends(require("needs:write"))]
Reader = Annotated[Principal, Depends(require("needs:read"))]
NEWEST_FIRST = (("registered_on", -1), ("need_id", -1))
NO_STORE = {"Cache-Control": "no-store"}


def router(intake: Intake) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["needs"])

    @routes.post("/needs", status_code=201, summary="Register a need")
    async def register(body: NewNeed, principal: Employer, context: Creating) -> Response:
        with _warnings_shown():
            return respond(await register_need(intake, principal, context, body))

    @routes.post("/needs/{need_id}/copies", status_code=201, summary="The same again, from an earlier need")
    async def again(need_id: str, body: NeedAgain, principal: Employer, context: Creating) -> Response:
        return respond(await register_again(intake, principal, context, need_id, body))

    @routes.post("/needs/{need_id}/revision", status_code=201, summary="Revise a need: its whole new content")
    async def revise(need_id: str, body: NeedContent, principal: Employer, context: Changing) -> Response:
        with _warnings_shown():
            return respond(await revise_need(intake, principal, context, need_id, body))

    @routes.post("/needs/{need_id}/withdrawal", status_code=201, summary="Withdraw a need, or some of its places")
    async def withdraw(need_id: str, body: NeedWithdrawal, principal: Employer, context: Changing) -> Response:
        return respond(await withdraw_need(intake, principal, context, need_id, body))

    @routes.post(
        "/needs/{need_id}/text-erasure",
        status_code=201,
        summary="Erase free text and contact person of a need for good",
    )
    async def erase(need_id: str, body: TextErasure, principal: Employer, context: Changing) -> Response:  # noqa: ARG001 - an empty object
        return respond(await erase_need_text(intake, principal, context, need_id))

    @routes.get("/needs", summary="List needs, the newest first")
    async def listed(
        principal: Reader,
        page: Paged,
        fresh: Fresh,
        open_only: Annotated[bool, Query(description="Leave out needs without an open place.")] = False,
    ) -> Response:
        await fresh.in_views(intake.needs)
        found = await list_needs(intake, principal, page, open_only=open_only)
        return page.listing(found, lambda need: (need["registered_on"], need["need_id"]))

    @routes.get("/needs/{need_id}", summary="One need, with its places and its free text")
    async def one(need_id: str, principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(intake.needs, intake.places)
        need = await read_need(intake, principal, need_id)
        return resource(need, version=need["version"], headers=NO_STORE)

    return routes


async def read_need(intake: Intake, principal: Principal, need_id: str) -> Document:
    """A need with its places, title, description and contact, from the log itself. Raises NotFound."""
    subject = need_subject(need_id)
    loaded = (await intake.log.load([subject], unseal=True))[subject]
    state = fold_need(loaded)
    if state is None:
        raise NotFound
    document: Document = {}
    for event in loaded.events:
        document = need_after(document, event)
    absent_unless(may_read(principal, document))
    sealed = dict(state.last.sealed or {})
    free = {name: sealed.get(name) for name in ("title", "description", "contact")}
    return {**with_places(shown(document), await intake.places.get(need_id)), **free}


async def list_needs(intake: Intake, principal: Principal, page: Paging, *, open_only: bool = False) -> list[Document]:
    """One more than a page of the needs that the caller may read, the newest first."""
    where: list[dict[str, Any]] = []
    if principal.intermediary is None:
        where.append({"org_number": {"$in": sorted(principal.org_numbers)}})
    if open_only:
        where.append({"open": True})
    if page.after is not None:
        day, need_id = texts_after(page, 2)
        where.append({"$or": [{"registered_on": {"$lt": day}}, {"registered_on": day, "need_id": {"$lt": need_id}}]})
    found = await intake.needs.find({"$and": where} if where else {}, sort=NEWEST_FIRST, limit=page.limit + 1)
    said = {each["_id"]: each for each in await intake.places.find({"_id": {"$in": [need["_id"] for need in found]}})}
    return [with_places(shown(need), said.get(need["need_id"])) for need in found]


def may_read(principal: Principal, need: Mapping[str, Any]) -> bool:
    """Whether a need is the caller's, or the caller works at an intermediary."""
    return principal.intermediary is not None or principal.acts_for(need["org_number"])


def shown(need: Mapping[str, Any]) -> Document:
    """A need as it is answered: without what only queries need."""
    return {name: value for name, value in need.items() if name not in ("_id", "due_after")}


def with_places(need: Document, places: Mapping[str, Any] | None) -> Document:
    """The need with where each of its places stands, as far as has been heard of other services.

    `works_on_it` is the intermediary that has to act now.
    """
    started, confirmed = started_slots(places), confirmed_slots(places)
    assigned = (places or {}).get("assigned") or need["intermediary"]
    told = []
    for slot_id in need["slot_ids"]:
        closed = need["closed"].get(slot_id)
        if slot_id in started:
            told.append({"slot_id": slot_id, "state": "started", "on": started[slot_id]})
        elif closed is not None:
            state = "expired" if closed["reason"] == "expired" else "withdrawn"
            told.append({"slot_id": slot_id, "state": state, "on": closed["on"]})
        elif slot_id in confirmed:
            told.append({"slot_id": slot_id, "state": "confirmed", "works_on_it": confirmed[slot_id]})
        else:
            told.append({"slot_id": slot_id, "state": "open", "works_on_it": assigned})
    return {**need, "assigned_to": assigned, "places": told}


@contextmanager
def _warnings_shown() -> Iterator[None]:
    """Each warning with its field and its reason: 422, and what to send to save it all the same."""
    try:
        yield
    except WarningsUnseen as unseen:
        found = [Found(each.pointer, each.code) for each in unseen.warnings]
        codes = sorted({each.code for each in unseen.warnings})
        raise Problem(422, "warnings_unseen", errors=found, more={"warnings": codes}) from unseen
