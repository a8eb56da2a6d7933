"""The pages of needs: an employer registers, follows, revises and withdraws; an intermediary reads all needs.

Invariant: a form goes the way of the API, with the same checks; what was typed is shown again beside what is wrong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chassis.auth import Principal, Visitor, require
from chassis.commands import Done
from chassis.formats import Language
from chassis.freshness import Fresh
from chassis.pages import page_router
from chassis.projection import Document
from chassis.respond import Changing, Creating, Paging, respond_page
from chassis.webstate import language_of, web_of
from contracts import codelists
from contracts.codelists import occupations
from services.intake.api.needs import list_needs, read_need
from services.intake.core import Intake
from services.intake.domain.rules import wrong
from services.intake.formpages import (
    FORM_ERRORS,
    WAIT_SECONDS,
    Shown,
    beside_now,
    fields,
    form_again,
    status_of,
    typed_in,
)
from services.intake.forms import (
    ERASURE,
    MUNICIPALITY,
    NEW_NEED,
    OCCUPATION,
    PLACES,
    REVISION,
    WISHES,
    WITHDRAWAL,
    content_of_form,
    named,
    need_of_form,
    typed_of_need,
)
from services.intake.inputs import (
    adaptation_options,
    certificate_options,
    municipality_name,
    names_of,
    occupation_name,
    plain,
)
from services.intake.operations import (
    erase_need_text,
    register_again,
    register_need,
    revise_need,
    unit_or_none,
    withdraw_need,
)
from services.intake.requests import NeedAgain, NeedContent, NeedWithdrawal, NewNeed

Employer = Annotated[Principal, Depends(require("needs:write"))]
Reader = Annotated[Principal, Depends(require("needs:read"))]
SHOWN = 50
SHOWN_AT_MOST = 200
CLOSED = ("withdrawn", "expired")
TEXTS = ("title", "description", "contact")


def router(intake: Intake) -> APIRouter:
    """The pages and their forms."""
    routes = page_router()

    @routes.get("/")
    async def front(
        request: Request,
        principal: Visitor,
        fresh: Fresh,
        limit: Annotated[int, Query(ge=1, le=SHOWN_AT_MOST)] = SHOWN,
        registered: str | None = None,
    ) -> Response:
        if principal is None:
            return RedirectResponse(f"/login?{urlencode({'next': '/'})}", status_code=303)
        await fresh.in_views(intake.needs, intake.places)
        return await _front(intake, request, principal, limit=limit, registered=registered)

    @routes.post("/")
    async def register(request: Request, principal: Employer, context: Creating) -> Response:
        typed = await typed_in(request, NEW_NEED)
        try:
            body = NewNeed.model_validate(need_of_form(typed))
            done = await register_need(intake, principal, replace(context, wait=WAIT_SECONDS), body)
        except FORM_ERRORS as error:
            return await _front(intake, request, principal, form=form_again(request, typed, error, named), status=422)
        return _registered(done)

    @routes.post("/need/{need_id}/again")
    async def again(need_id: str, principal: Employer, context: Creating) -> Response:
        context = replace(context, wait=WAIT_SECONDS)
        return _registered(await register_again(intake, principal, context, need_id, NeedAgain()))

    @routes.get("/need/{need_id}")
    async def one(need_id: str, request: Request, principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(intake.needs, intake.places)
        return await _one(intake, request, principal, need_id)

    @routes.post("/need/{need_id}/revision")
    async def revise(need_id: str, request: Request, principal: Employer, context: Changing) -> Response:
        typed = await typed_in(request, REVISION)
        try:
            body = NeedContent.model_validate(content_of_form(typed))
            done = await revise_need(intake, principal, replace(context, wait=WAIT_SECONDS), need_id, body)
        except FORM_ERRORS as error:
            form = form_again(request, typed, error, named)
            return await _one(intake, request, principal, need_id, form=form, status=status_of(error))
        return _changed(need_id, done)

    @routes.post("/need/{need_id}/withdrawal")
    async def withdraw(need_id: str, request: Request, principal: Employer, context: Changing) -> Response:
        typed = await typed_in(request, WITHDRAWAL)
        try:
            one = {"slot_ids": [typed["slot"]]} if typed.get("slot") else {}
            body = NeedWithdrawal.model_validate({**plain(typed, "reason"), **one})
            done = await withdraw_need(intake, principal, replace(context, wait=WAIT_SECONDS), need_id, body)
        except FORM_ERRORS as error:
            ending = form_again(request, typed, error, named)
            return await _one(intake, request, principal, need_id, ending=ending, status=status_of(error))
        return _changed(need_id, done)

    @routes.post("/need/{need_id}/text-erasure")
    async def erase(need_id: str, request: Request, principal: Employer, context: Changing) -> Response:
        typed = await typed_in(request, ERASURE)
        try:
            if typed.get("confirmed") != "yes":
                raise wrong("not_confirmed", "/confirmed")
            done = await erase_need_text(intake, principal, replace(context, wait=WAIT_SECONDS), need_id)
        except FORM_ERRORS as error:
            erasing = form_again(request, typed, error, named)
            return await _one(intake, request, principal, need_id, erasing=erasing, status=status_of(error))
        return _changed(need_id, done)

    # A form with errors is shown at the address it was sent to: whoever chooses the other language there asks for that.
    async def back(need_id: str, _: Reader) -> Response:
        return respond_page(f"/need/{need_id}")

    for form in ("again", "revision", "withdrawal", "text-erasure"):
        routes.add_api_route(f"/need/{{need_id}}/{form}", back, methods=["GET"])
    return routes


def _registered(done: Done) -> Response:
    return respond_page(f"/?{urlencode({**_seen(done), 'registered': done.answer.body['need_id']}, safe=':')}", done)


def _changed(need_id: str, done: Done) -> Response:
    query = urlencode(_seen(done), safe=":")
    return respond_page(f"/need/{need_id}" + (f"?{query}" if query else ""), done)


def _seen(done: Done) -> dict[str, str]:
    return {} if done.seen is None else {"min_position": done.seen}


async def _front(
    intake: Intake,
    request: Request,
    principal: Principal,
    *,
    limit: int = SHOWN,
    registered: str | None = None,
    form: Shown | None = None,
    status: int = 200,
) -> Response:
    language = language_of(request)
    may_read = "needs:read" in principal.scopes
    found = await list_needs(intake, principal, Paging(limit, None)) if may_read else []
    needs = [_in_words(need, language) for need in found[:limit]]
    of_employer = principal.intermediary is None
    org_numbers = sorted(principal.org_numbers)
    units = [await unit_or_none(intake, each) for each in org_numbers]
    if form is None:
        # Where the work is, mostly: the address of the only employer that somebody acts for.
        place = units[0].municipality if len(units) == 1 and units[0] is not None else None
        known = codelists.current_municipalities(place or "")
        form = Shown({"municipality": known[0]} if len(known) == 1 else {})
    return web_of(request).pages.render(
        request,
        "needs.html",
        status=status,
        needs=needs,
        registered=next((need for need in needs if need["need_id"] == registered), None),
        more=len(found) > limit,
        shown_at_most=SHOWN_AT_MOST,
        limit=limit,
        may_read=may_read,
        registers="needs:write" in principal.scopes,
        of_employer=of_employer,
        called={} if of_employer else await intake.listed.of(need["org_number"] for need in needs),
        follows_people="candidates:write" in principal.scopes,
        reports="workforce:write" in principal.scopes and bool(org_numbers),
        employers=[(each, each if unit is None else unit.name) for each, unit in zip(org_numbers, units, strict=True)],
        occupations=occupation_options(language),
        first=fields(request, (OCCUPATION, MUNICIPALITY)),
        others=fields(request, (*PLACES, *WISHES)),
        form=form,
    )


async def _one(
    intake: Intake,
    request: Request,
    principal: Principal,
    need_id: str,
    *,
    form: Shown | None = None,
    ending: Shown | None = None,
    erasing: Shown | None = None,
    status: int = 200,
) -> Response:
    language = language_of(request)
    need = await read_need(intake, principal, need_id)
    unit = await unit_or_none(intake, need["org_number"])
    return web_of(request).pages.render(
        request,
        "need.html",
        status=status,
        need=_in_words(need, language),
        employer=need["org_number"] if unit is None else unit.name,
        certificates=names_of(certificate_options(language, web_of(request).texts), need["certificates"]),
        adaptations=names_of(adaptation_options(language, web_of(request).texts), need["adaptations"]),
        changes=principal.acts_for(need["org_number"]) and "needs:write" in principal.scopes and need["open"],
        occupations=occupation_options(language),
        revised=fields(request, REVISION),
        withdrawn=fields(request, WITHDRAWAL),
        form=beside_now(request, form, REVISION, typed_of_need(need)) or Shown(typed_of_need(need)),
        ending=ending or Shown(),
        erases=principal.acts_for(need["org_number"])
        and "needs:write" in principal.scopes
        and any(map(need.get, TEXTS)),
        erased=fields(request, ERASURE),
        erasing=erasing or Shown(),
    )


def occupation_options(language: Language) -> list[tuple[str, str]]:
    """All occupations, for a browser that completes what is typed without JavaScript."""
    return [(code, occupation_name(code, language)) for code in occupations()]


def _in_words(need: Document, language: Language) -> dict[str, Any]:
    states = [each["state"] for each in need["places"]]
    return {
        **need,
        "occupation_name": occupation_name(need["occupation"], language),
        "municipality_name": municipality_name(need["municipality"]),
        "slots": len(need["slot_ids"]),
        "started": states.count("started"),
        "confirmed": states.count("confirmed"),
        "left": states.count("open"),
        "all_closed": all(state in CLOSED for state in states),
        "closed_on": max((each["on"] for each in need["places"] if each["state"] in CLOSED), default=None),
    }
