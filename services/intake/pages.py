"""The front page: an employer registers a need and follows it; an intermediary reads all needs.

Invariant: a form goes the way of the API, with the same checks; what was typed is shown again beside what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chassis.auth import Principal, Visitor, require
from chassis.formats import Language, sort_key
from chassis.freshness import Fresh
from chassis.pages import page_router
from chassis.projection import Document
from chassis.respond import Creating, Paging, respond_page
from chassis.webstate import language_of, web_of
from contracts.codelists import municipalities, occupations
from contracts.refused import Refused
from contracts.vocabulary import CefrLevel, Intermediary, Measure
from services.intake.api.needs import list_needs, register_need
from services.intake.core import Intake
from services.intake.forms import Errors, named, need_of_form
from services.intake.requests import NewNeed

Employer = Annotated[Principal, Depends(require("needs:write"))]
SHOWN = 50
SHOWN_AT_MOST = 200
WAIT_SECONDS = 2.0
"""How long a form waits for its place in the log, so that the next page shows it."""


def router(intake: Intake) -> APIRouter:
    """The page and its form."""
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
        await fresh.in_views(intake.needs)
        return await _page(intake, request, principal, limit=limit, registered=registered)

    @routes.post("/")
    async def register(request: Request, principal: Employer, context: Creating) -> Response:
        typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        try:
            body = NewNeed.model_validate(need_of_form(typed))
            done = await register_need(intake, principal, replace(context, wait=WAIT_SECONDS), body)
        except (ValidationError, Refused) as error:
            wrong = _wrong(request, error)
            return await _page(intake, request, principal, typed=typed, errors=wrong, status=422)
        seen = {} if done.seen is None else {"min_position": done.seen}
        return respond_page(f"/?{urlencode({**seen, 'registered': done.answer.body['need_id']}, safe=':')}")

    return routes


async def _page(
    intake: Intake,
    request: Request,
    principal: Principal,
    *,
    limit: int = SHOWN,
    registered: str | None = None,
    typed: Mapping[str, str] | None = None,
    errors: Errors | None = None,
    status: int = 200,
) -> Response:
    language = language_of(request)
    may_read = "needs:read" in principal.scopes
    found = await list_needs(intake, principal, Paging(limit, None)) if may_read else []
    needs = [_in_words(need, language) for need in found[:limit]]
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
        of_employer=principal.intermediary is None,
        org_numbers=sorted(principal.org_numbers),
        occupations=[(code, occupation_name(code, language)) for code in occupations()],
        municipalities=_municipality_options(),
        intermediaries=[each.value for each in Intermediary],
        measures=[each.value for each in Measure],
        levels=[each.value for each in CefrLevel],
        typed=typed or {},
        errors=errors or {},
    )


def _municipality_options() -> list[tuple[str, str]]:
    listed = sorted(municipalities().values(), key=lambda each: sort_key(each.name))
    # Names that exist twice have their county already: Våler (Innlandet).
    return [
        (each.code, each.name if each.name.endswith(")") else f"{each.name} ({each.county_name})") for each in listed
    ]


def occupation_name(code: str, language: Language) -> str:
    """The name of an occupation; the Norwegian one where there is no other, the code where it is not listed."""
    listed = occupations().get(code)
    if listed is None:
        return code
    return (listed.name_en if language == "en" else "") or listed.name_nb


def _in_words(need: Document, language: Language) -> dict[str, Any]:
    municipality = municipalities().get(need["municipality"])
    return {
        **need,
        "occupation_name": occupation_name(need["occupation"], language),
        "municipality_name": municipality.name if municipality is not None else need["municipality"],
        "slots": len(need["slot_ids"]),
    }


def _wrong(request: Request, error: ValidationError | Refused) -> Errors:
    problems, language = web_of(request).problems, language_of(request)
    if isinstance(error, Refused):
        return {named(name): sentence for name, sentence in problems.field_errors(error, language).items()}
    located = RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])
    wrong = {named(name): sentence for name, sentence in problems.field_errors(located, language).items()}
    if "occupation" in wrong:
        # Who wrote a word does not know that four digits are wanted, so "at most 4 characters" helps nobody.
        wrong["occupation"] = web_of(request).texts.say(language, "needs.occupation_choose")
    return wrong
