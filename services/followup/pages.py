"""The pages: a list of work, a case with its history and next step, and a form for each thing that can be done.

Invariant: a form goes the way of the API; names are fetched for a page when it is made, for those whose case it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chassis.auth import NotFound, Principal, Visitor, require
from chassis.commands import CommandContext, Done
from chassis.errors import DependencyDown
from chassis.formats import Language
from chassis.freshness import Fresh
from chassis.keyring import KeyringUnavailable
from chassis.pages import page_router
from chassis.problems import Problem
from chassis.projection import Document
from chassis.respond import Creating, Paging, respond_page
from chassis.webstate import language_of, web_of
from contracts.codelists import municipalities, occupations
from contracts.refused import Refused
from contracts.vocabulary import Party
from services.followup.api.agreements import approve, confirm_start, report_no_show
from services.followup.api.cases import CasePage, draft_agreement, own_cases
from services.followup.api.trials import close, extend, hold_check_in
from services.followup.core import Followup, acting, party_of
from services.followup.forms import ACTIONS, Action, body_of, offered
from services.followup.showing import trial_body, with_notes
from services.followup.steps import Group, group, live_agreement, next_step, status, trial_of
from services.followup.subjects import agreement_subject, trial_subject

Reader = Annotated[Principal, Depends(require("cases:read"))]
SHOWN = 200
WAIT_SECONDS = 2.0
"""How long a form waits for its place in the log, so that the next page shows it."""

_RUN: Mapping[str, Callable[..., Awaitable[Done]]] = {
    "draft": draft_agreement,
    "approve": approve,
    "approve-for": approve,
    "start": confirm_start,
    "no-show": report_no_show,
    "check-in": hold_check_in,
    "extend": extend,
    "close": close,
}


def router(followup: Followup) -> APIRouter:
    """The pages."""
    routes = page_router()

    @routes.get("/")
    async def work(request: Request, principal: Visitor, fresh: Fresh) -> Response:
        if principal is None:
            return RedirectResponse(f"/login?{urlencode({'next': '/'})}", status_code=303)
        await fresh.in_views(followup.cases)
        party = party_of(principal) if "cases:read" in principal.scopes else None
        found = [] if party is None else await own_cases(followup, principal, {}, Paging(SHOWN, None))
        today, language = followup.service.clock.today(), language_of(request)
        by_group: dict[Group, list[dict[str, Any]]] = {each: [] for each in Group}
        for case in found[:SHOWN]:
            step = next_step(case, today)
            shown = {"case": case, "step": step, "status": status(case).value, "place": place(case, language)}
            by_group[group(case, party, today)].append(shown)
        for cases in by_group.values():
            cases.sort(key=lambda each: (each["step"] is None, each["step"] and each["step"].due_on))
        return web_of(request).pages.render(
            request,
            "worklist.html",
            groups=[(name.value, cases) for name, cases in by_group.items() if cases],
            is_party=party is not None,
            more=len(found) > SHOWN,
            shown_at_most=SHOWN,
        )

    @routes.get("/cases/{match_id}/{action}")
    async def form(request: Request, match_id: str, action: str, principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(followup.cases)
        case = await followup.case(principal, match_id)
        if action not in offered(case, party_of(principal), principal.scopes, followup.service.clock.today()):
            return respond_page(f"/cases/{match_id}")
        return await _form(followup, request, case, ACTIONS[action])

    @routes.post("/cases/{match_id}/{action}")
    async def send(request: Request, match_id: str, action: str, principal: Reader, context: Creating) -> Response:
        case = await followup.case(principal, match_id)
        if action not in ACTIONS:
            raise NotFound
        typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        try:
            done = await _run(followup, principal, case, ACTIONS[action], typed, context)
        except (ValidationError, Refused) as error:
            return await _form(followup, request, case, ACTIONS[action], typed, _wrong(request, error))
        seen = "" if done.seen is None else f"?min_position={done.seen}"
        return respond_page(f"/cases/{match_id}{seen}")

    return routes


def case_page(followup: Followup) -> CasePage:
    """The page of one case."""

    async def page(request: Request, principal: Principal, case: Document) -> Response:
        today = followup.service.clock.today()
        agreements = sorted(case.get("agreements", {}).items())
        agreement, trial = live_agreement(case) or (agreements[-1] if agreements else None), trial_of(case)
        return web_of(request).pages.render(
            request,
            "case.html",
            headers={"Cache-Control": "no-store"},
            case=case,
            place=place(case, language_of(request)),
            name=await followup.persons.name(case["candidate_id"]),
            where=status(case).value,
            step=next_step(case, today),
            agreement=None if agreement is None else agreement[1],
            trial=None if trial is None else trial[1],
            notes=None if trial is None else await _notes(followup, principal, trial[0]),
            actions=offered(case, party_of(principal), principal.scopes, today),
        )

    return page


async def _notes(followup: Followup, principal: Principal, trial_id: str) -> list[Mapping[str, Any]] | None:
    """Check-ins with a note, for counsellors of the case; None for all others, and where no key is to be had."""
    if party_of(principal) != Party.COUNSELLOR:
        return None
    try:
        found = await followup.trial(principal, trial_id, unseal=True)
    except (KeyringUnavailable, DependencyDown):
        return None
    told = with_notes(trial_body(found), found)
    return [each for each in told["check_ins"] if each["note"] is not None]


async def _run(
    followup: Followup,
    principal: Principal,
    case: Document,
    action: Action,
    typed: Mapping[str, str],
    context: CommandContext,
) -> Done:
    if principal.scopes.isdisjoint(action.scopes):
        raise Problem(403, "forbidden", scopes=", ".join(action.scopes))
    about = _about(case, action)
    if action.of != "case" and context.if_match is None:
        raise Problem(428, "if_match_missing")
    body = action.model.model_validate(body_of(action, typed, acting(principal)))
    return await _RUN[action.name](followup, principal, replace(context, wait=WAIT_SECONDS), about, body)


def _about(case: Document, action: Action) -> str:
    """The id that the action is about. Raises NotFound where the case has none."""
    found = {"agreement": live_agreement, "trial": trial_of}
    if action.of == "case":
        return str(case["match_id"])
    part = found[action.of](case)
    if part is None:
        raise NotFound
    return part[0]


async def _form(
    followup: Followup,
    request: Request,
    case: Document,
    action: Action,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    subjects = {"agreement": agreement_subject, "trial": trial_subject}
    about = _about(case, action)
    inputs = {each.name for each in action.inputs}
    version = None if action.of == "case" else await followup.log.version(subjects[action.of](about))
    return web_of(request).pages.render(
        request,
        "action.html",
        status=422 if errors else 200,
        headers={"Cache-Control": "no-store"},
        action=action,
        case=case,
        place=place(case, language_of(request)),
        version=version,
        typed=typed or {},
        # A sentence about what the form does not ask for has no field to lead to.
        errors={name if name in inputs else "main": sentence for name, sentence in (errors or {}).items()},
    )


def _wrong(request: Request, error: ValidationError | Refused) -> dict[str, str]:
    """Sentence per field; what concerns no field of the form is said of the page."""
    problems, language = web_of(request).problems, language_of(request)
    if isinstance(error, Refused):
        return problems.field_errors(error, language) or {"main": problems.write(error, language).detail}
    located = RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])
    return problems.field_errors(located, language)


def place(case: Document, language: Language) -> dict[str, str]:
    """What the work is and where, in words."""
    occupation = occupations().get(case["match"]["occupation"])
    municipality = municipalities().get(case["match"]["municipality"])
    name = "" if occupation is None else (occupation.name_en if language == "en" else "") or occupation.name_nb
    return {
        "occupation": name or case["match"]["occupation"],
        "municipality": case["match"]["municipality"] if municipality is None else municipality.name,
    }
