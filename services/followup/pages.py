"""The pages: a list of work, a case with its history and next step, and a form for each thing that can be done.

Invariant: a form goes the way of the API; names are fetched for a page when it is made, for those whose case it is.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from chassis.errors import DependencyDown, Stale
from chassis.freshness import WAIT_SECONDS, Fresh
from chassis.keyring import KeyringUnavailable
from chassis.pages import page_router
from chassis.problems import HANDLED, Problem, as_problem
from chassis.projection import Document
from chassis.respond import Creating, respond_page
from chassis.webstate import language_of, web_of
from contracts.refused import Refused
from contracts.vocabulary import Party
from services.followup.api.cases import CasePage, cases_at_work
from services.followup.api.changes import voices
from services.followup.api.trials import preview_extension
from services.followup.core import Followup, acting, party_of
from services.followup.doing import DONE_BY
from services.followup.domain.subsidies import Plan, plan_of
from services.followup.forms import ACTIONS, Action, body_of, offered
from services.followup.places import place_of
from services.followup.requests import Extension
from services.followup.showing import history_for, hours_on, trial_body, trial_for, versions, with_notes
from services.followup.steps import (
    Group,
    disputed_days,
    group,
    live_agreement,
    next_step,
    status,
    trial_of,
    waiting_change,
)
from services.followup.subjects import agreement_subject, trial_subject

Reader = Annotated[Principal, Depends(require("cases:read"))]
SHOWN = 200


def router(followup: Followup) -> APIRouter:
    """The pages."""
    routes = page_router()

    @routes.get("/")
    async def work(request: Request, principal: Visitor, fresh: Fresh, mine: bool = False) -> Response:
        if principal is None:
            return RedirectResponse(f"/login?{urlencode({'next': '/'})}", status_code=303)
        await fresh.in_views(followup.cases)
        party = party_of(principal) if "cases:read" in principal.scopes else None
        own_id = await followup.counsellors.known(principal.sub) if party == Party.COUNSELLOR else None
        where = {"counsellor_id": own_id or ""} if mine and party == Party.COUNSELLOR else {}
        found, unread = ([], False) if party is None else await cases_at_work(followup, principal, where)
        today, language = followup.service.clock.today(), language_of(request)
        by_group: dict[Group, list[dict[str, Any]]] = {each: [] for each in Group}
        for case in found:
            step = next_step(case, today, party)
            shown = {
                "case": case,
                "step": step,
                "status": status(case).value,
                "place": place_of(case["match"], language),
            }
            by_group[group(case, party, today)].append(shown)
        counts, room = [(name.value, len(cases)) for name, cases in by_group.items()], SHOWN
        for name, cases in by_group.items():
            cases.sort(key=lambda each: (each["step"] is None, each["step"] and each["step"].due_on))
            # What is most urgent comes first, and is never what there is no room for.
            by_group[name] = cases[:room]
            room -= len(by_group[name])
        return web_of(request).pages.render(
            request,
            "worklist.html",
            groups=[(name.value, cases) for name, cases in by_group.items() if cases],
            employers=await followup.employers.of(
                each["case"]["org_number"] for cases in by_group.values() for each in cases
            ),
            is_party=party is not None,
            counts=counts,
            # Candidates have a case, and no places.
            has_places=party not in (None, Party.PARTICIPANT),
            is_counsellor=party == Party.COUNSELLOR,
            mine=mine,
            more=unread or len(found) > SHOWN,
            shown_at_most=SHOWN,
        )

    @routes.get("/cases/{match_id}/{action}")
    async def form(request: Request, match_id: str, action: str, principal: Reader, fresh: Fresh) -> Response:
        await fresh.in_views(followup.cases)
        case = await followup.case(principal, match_id)
        if action not in await _offered(followup, principal, case) or action not in ACTIONS:
            return respond_page(f"/cases/{match_id}")
        return await _form(followup, request, case, ACTIONS[action], _as_it_is(case) if action == "change" else None)

    @routes.post("/cases/{match_id}/{action}")
    async def send(request: Request, match_id: str, action: str, principal: Reader, context: Creating) -> Response:
        case = await followup.case(principal, match_id, context)
        if action not in ACTIONS:
            raise NotFound
        typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        try:
            if action == "extend" and "dry" in typed:
                told = await _dry_run(followup, principal, case, typed)
                return await _form(followup, request, case, ACTIONS[action], typed, preview=told)
            done = await _run(followup, principal, case, ACTIONS[action], typed, context)
        except _OF_FORM as error:
            code, wrong = _status(error), _wrong(request, error)
            # As it is now: what is sent again is based on what its author has seen this time.
            now = (
                case
                if not isinstance(error, Stale)
                else await _as_in_the_log(followup, principal, case, ACTIONS[action])
            )
            return await _form(followup, request, now, ACTIONS[action], typed, wrong, code=code)
        seen = "" if done.seen is None else f"?min_position={done.seen}"
        return respond_page(f"/cases/{match_id}{seen}")

    return routes


def case_page(followup: Followup) -> CasePage:
    """The page of one case."""

    async def page(request: Request, principal: Principal, case: Document) -> Response:
        today, party = followup.service.clock.today(), party_of(principal)
        agreements = sorted(case.get("agreements", {}).items())
        agreement, trial = live_agreement(case) or (agreements[-1] if agreements else None), trial_of(case)
        return web_of(request).pages.render(
            request,
            "case.html",
            headers={"Cache-Control": "no-store"},
            case=case,
            place=place_of(case["match"], language_of(request)),
            name=await followup.persons.name(case["candidate_id"]),
            employers=await followup.employers.of([case["org_number"]]),
            where=status(case).value,
            step=next_step(case, today, party),
            agreement=None if agreement is None else agreement[1],
            trial=None if trial is None else trial[1],
            check_ins=[] if trial is None else await _check_ins(followup, principal, *trial),
            voices=None if trial is None else await _voices(followup, principal, trial[0]),
            actions=await _offered(followup, principal, case),
            history=history_for(case, party),
            versions=[] if agreement is None else versions(case, agreement[0]),
            plan=None if agreement is None else await _plan(followup, case, agreement[0]),
            trial_id=None if trial is None else trial[0],
            has_certificate=trial is not None and "certificate" in trial[1] and party in _CERTIFIED,
            change=None if trial is None else waiting_change(trial[1]),
            disputed=disputed_days(case),
            hours=None if agreement is None else hours_on(case, agreement[0], today),
        )

    return page


_CERTIFIED = (Party.COUNSELLOR, Party.PARTICIPANT)


async def _offered(followup: Followup, principal: Principal, case: Document) -> list[str]:
    party = party_of(principal)
    own = await followup.counsellors.known(principal.sub) if party == Party.COUNSELLOR else None
    return offered(case, party, principal.scopes, followup.service.clock.today(), own)


async def _voices(followup: Followup, principal: Principal, trial_id: str) -> list[dict[str, Any]]:
    """What the candidate has said, for the case's counsellor; nothing for all others."""
    try:
        return await voices(followup, principal, trial_id)
    except (NotFound, KeyringUnavailable, DependencyDown):
        return []


async def _plan(followup: Followup, case: Document, agreement_id: str) -> Plan | None:
    """What the subsidy amounts to; None where there is none, or no key is to be had."""
    try:
        person = await followup.person(case["candidate_id"], unseal=True)
    except (KeyringUnavailable, DependencyDown):
        return None
    found = person.agreement(agreement_id)
    if found is None:
        return None
    plan = plan_of(person, found[1])
    return plan if plan.periods or plan.ceilings_nok else None


async def _check_ins(
    followup: Followup, principal: Principal, trial_id: str, trial: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """Check-ins as the reader may know them; with their texts for counsellors of the case, where a key is to be had."""
    shown: list[Mapping[str, Any]] = trial_for(trial, party_of(principal))["check_ins"]
    if party_of(principal) != Party.COUNSELLOR:
        return shown
    try:
        found = await followup.trial(principal, trial_id, unseal=True)
    except (KeyringUnavailable, DependencyDown):
        return shown
    told: list[Mapping[str, Any]] = with_notes(trial_body(found, Party.COUNSELLOR), found)["check_ins"]
    return told


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
    return await DONE_BY[action.name](followup, principal, replace(context, wait=WAIT_SECONDS), about, body)


async def _dry_run(
    followup: Followup, principal: Principal, case: Document, typed: Mapping[str, str]
) -> dict[str, Any]:
    """What the extension that was typed would do; nothing is stored."""
    action = ACTIONS["extend"]
    if principal.scopes.isdisjoint(action.scopes):
        raise Problem(403, "forbidden", scopes=", ".join(action.scopes))
    body = Extension.model_validate(body_of(action, typed, acting(principal)))
    return await preview_extension(followup, principal, _about(case, action), body)


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
    preview: Mapping[str, Any] | None = None,
    code: int = 422,
) -> Response:
    subjects = {"agreement": agreement_subject, "trial": trial_subject}
    about = _about(case, action)
    inputs = {each.name for each in action.inputs}
    decided_on = _decided_on(case, action)
    plan = None if decided_on is None else await _plan(followup, case, about)
    version = None if action.of == "case" else await followup.log.version(subjects[action.of](about))
    return web_of(request).pages.render(
        request,
        "action.html",
        status=code if errors else 200,
        headers={"Cache-Control": "no-store"},
        action=action,
        case=case,
        place=place_of(case["match"], language_of(request)),
        version=version,
        typed=typed or {},
        preview=preview,
        agreement=decided_on,
        plan=plan,
        plan_missing=plan is None and decided_on is not None and decided_on["wage_subsidy_percent"] is not None,
        trial=None if (trial := trial_of(case)) is None else trial[1],
        disputed=disputed_days(case),
        change=None if trial is None else waiting_change(trial[1]),
        # A sentence about what the form does not ask for has no field to lead to.
        errors={name if name in inputs else "main": sentence for name, sentence in (errors or {}).items()},
    )


async def _as_in_the_log(followup: Followup, principal: Principal, case: Document, action: Action) -> Document:
    """The case with what the form is about as the log has it: the view may be behind what made the form stale."""
    about = _about(case, action)
    if action.of == "trial":
        told, name = (await followup.trial(principal, about)).document, "trials"
    else:
        told, name = (await followup.agreement(principal, about)).document, "agreements"
    now = {**case, name: {**case[name], **told[name]}}
    # What others have ended is said of the form as it was, and refused when it is sent again.
    return now if action.of == "trial" or live_agreement(now) is not None else case


def _as_it_is(case: Document) -> dict[str, str]:
    """The content that is to be changed, as somebody would type it; the wage is sealed and is asked for again."""
    live = live_agreement(case)
    names = ("measure", "start_on", "end_on", "hours_per_week")
    return {} if live is None else {name: str(live[1][name]) for name in names}


def _decided_on(case: Document, action: Action) -> Mapping[str, Any] | None:
    """The agreement that the reader says yes or no to, so that nobody approves what the page does not show."""
    live = live_agreement(case)
    return live[1] if live is not None and action.name in ("approve", "approve-for", "annul") else None


_OF_FORM: tuple[type[Exception], ...] = (ValidationError, *HANDLED)


def _status(error: Exception) -> int:
    """Of a form that is shown again as it was typed. Raises the error itself where that is nothing about the form."""
    if isinstance(error, ValidationError):
        return 422
    problem = as_problem(error)
    if isinstance(problem, Refused):
        return 422
    if problem.status not in (409, 503):
        raise error
    return problem.status


def _wrong(request: Request, error: Exception) -> dict[str, str]:
    """Sentence per field; what concerns no field of the form is said of the page."""
    return {name.replace("/", "."): sentence for name, sentence in _sentences(request, error).items()}


def _sentences(request: Request, error: Exception) -> dict[str, str]:
    problems, language = web_of(request).problems, language_of(request)
    if not isinstance(error, ValidationError):
        return problems.field_errors(error, language) or {"main": problems.of_form(error, language)}
    located = RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])
    return problems.field_errors(located, language)
