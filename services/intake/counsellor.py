"""The pages of a counsellor: one's candidates, a new one, and a form for each thing to do about one.

Invariant: a form goes the way of the API, with the same checks; every page with somebody's data is audited and kept in
no cache.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chassis.auth import NotFound, Principal, Visitor, require
from chassis.commands import Done
from chassis.freshness import Fresh
from chassis.pages import page_router
from chassis.problems import Problem
from chassis.requests import Id
from chassis.respond import Changing, Creating, Paging, respond_page
from chassis.webstate import language_of, web_of
from services.intake import requests as bodies
from services.intake.api.candidates import NO_STORE, list_candidates, public_facts, sealed_facts
from services.intake.core import Intake, candidate_subject, fold_candidate
from services.intake.domain.candidate_commands import (
    CandidateCommand,
    ChangeAddressProtection,
    GiveConsent,
    HandOver,
    RevokeReadiness,
    WithdrawConsent,
)
from services.intake.endingpages import ENDINGS, PATH
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
from services.intake.inputs import (
    certificate_options,
    municipality_name,
    names_of,
    occupation_name,
    plain,
    skill_options,
)
from services.intake.pages import occupation_options
from services.intake.peopleforms import ACTIONS, PERSON, Action, named, offered
from services.intake.registration import assess_command, map_command, qualify_command, register_candidate

Counsellor = Annotated[Principal, Depends(require("candidates:write"))]
SHOWN = 50


def router(intake: Intake) -> APIRouter:
    """The pages and their forms."""
    routes = page_router()

    @routes.get(PATH)
    async def listed(
        request: Request,
        principal: Visitor,
        fresh: Fresh,
        after: Annotated[str | None, Query(max_length=40)] = None,
        merges: Annotated[Id | None, Query(description="Choose whom this registration is merged into.")] = None,
    ) -> Response:
        if principal is None:
            return RedirectResponse(f"/login?{urlencode({'next': PATH})}", status_code=303)
        if "candidates:write" not in principal.scopes:
            raise NotFound
        await fresh.in_views(intake.candidates)
        return await _list(intake, request, principal, after=after, merges=merges)

    @routes.post(PATH)
    async def register(request: Request, principal: Counsellor, context: Creating) -> Response:
        typed = await typed_in(request, PERSON)
        try:
            body = bodies.NewCandidate.model_validate(plain(typed, *(each.name for each in PERSON)))
            done = await register_candidate(intake, principal, replace(context, wait=WAIT_SECONDS), body)
        except FORM_ERRORS as error:
            known = error.more.get("candidate_id") if isinstance(error, Problem) else None
            form = form_again(request, typed, error, named)
            return await _list(intake, request, principal, form=form, known=known, status=422)
        return _see(done.answer.body["candidate_id"], done)

    @routes.get(f"{PATH}/{{candidate_id}}")
    async def one(candidate_id: str, request: Request, principal: Counsellor) -> Response:
        facts, _ = await _facts(intake, principal, candidate_id)
        language = language_of(request)
        today = intake.clock.today().isoformat()
        mapping, texts = facts["mapping"] or {}, web_of(request).texts
        return web_of(request).pages.render(
            request,
            "candidate.html",
            headers=NO_STORE,
            skills=names_of(skill_options(language, texts), mapping.get("skills") or ()),
            certificates=names_of(certificate_options(language, texts), mapping.get("certificates") or ()),
            places=[municipality_name(each) for each in mapping.get("wished_municipalities") or ()],
            person=facts,
            today=today,
            actions=[*(each.name for each in offered(facts, today)), *(() if facts["merged_into"] else ENDINGS)],
            occupation_name=lambda code: occupation_name(code, language),
            municipality_name=municipality_name,
        )

    @routes.get(f"{PATH}/{{candidate_id}}/{{action}}")
    async def form(candidate_id: str, action: str, request: Request, principal: Counsellor) -> Response:
        return await _form(intake, request, principal, candidate_id, _action(action))

    @routes.post(f"{PATH}/{{candidate_id}}/{{action}}")
    async def act(
        candidate_id: str, action: str, request: Request, principal: Counsellor, context: Changing
    ) -> Response:
        found = _action(action)
        await intake.own_candidate(principal, candidate_id, context)
        typed = await typed_in(request, found.inputs)
        try:
            _, loaded = await intake.candidate(candidate_id)
            body = found.model.model_validate(found.keeping(found.body(typed), public_facts(loaded)))
            command = _command(intake, principal, body)
            done = await intake.change_candidate(replace(context, wait=WAIT_SECONDS), candidate_id, command)
        except FORM_ERRORS as error:
            form = form_again(request, typed, error, named)
            status = status_of(error)
            return await _form(intake, request, principal, candidate_id, found, form=form, status=status)
        # Who hands somebody over does not see them any more.
        return respond_page(PATH, done) if isinstance(command, HandOver) else _see(candidate_id, done)

    return routes


def _action(name: str) -> Action:
    if name not in ACTIONS:
        raise NotFound
    return ACTIONS[name]


def _command(intake: Intake, principal: Principal, body: Any) -> CandidateCommand:
    now, today = intake.clock.now(), intake.clock.today()
    match body:
        case bodies.Mapping():
            return map_command(intake, principal, body)
        case bodies.Qualification():
            return qualify_command(intake, body)
        case bodies.Assessment():
            return assess_command(intake, principal, body)
        case bodies.Revocation():
            return RevokeReadiness(body.reason, now, body.note)
        case bodies.Consent():
            return GiveConsent(body.scope, body.given_on or today, now)
        case bodies.ConsentWithdrawal():
            return WithdrawConsent(body.scope, now)
        case bodies.AddressProtection():
            return ChangeAddressProtection(body.protected, now)
        case bodies.Handover():
            return HandOver(body.to_intermediary, now)
        case _:
            raise AssertionError(f"{type(body).__name__} is no action's body")


def _see(candidate_id: str, done: Done) -> Response:
    position = "" if done.seen is None else f"?min_position={done.seen}"
    return respond_page(f"{PATH}/{candidate_id}{position}", done)


async def _facts(intake: Intake, principal: Principal, candidate_id: str) -> tuple[dict[str, Any], int]:
    state, loaded = await intake.read_candidate(principal, candidate_id, "candidate")
    return {**public_facts(loaded), **sealed_facts(loaded), "name": state.name}, loaded.version


async def _form(
    intake: Intake,
    request: Request,
    principal: Principal,
    candidate_id: str,
    action: Action,
    *,
    form: Shown | None = None,
    status: int = 200,
) -> Response:
    facts, version = await _facts(intake, principal, candidate_id)
    now = action.begins_with(facts)
    form = beside_now(request, form, action.inputs, now) or Shown(now)
    return web_of(request).pages.render(
        request,
        "candidate_action.html",
        status=status,
        headers=NO_STORE,
        person=facts,
        version=version,
        action=action.name,
        inputs=fields(request, action.shown({**form.typed, **form.now})),
        occupations=occupation_options(language_of(request)),
        form=form,
    )


async def _list(
    intake: Intake,
    request: Request,
    principal: Principal,
    *,
    after: str | None = None,
    merges: str | None = None,
    form: Shown | None = None,
    known: str | None = None,
    status: int = 200,
) -> Response:
    merging = None
    if merges is not None:
        ending, _ = await intake.read_candidate(principal, merges, "candidate")
        if ending.merged_into is not None:
            raise NotFound
        merging = {"candidate_id": merges, "name": ending.name}
    found = await list_candidates(intake, principal, Paging(SHOWN, None if after is None else (after,)))
    shown = found[:SHOWN]
    subjects = [candidate_subject(each["candidate_id"]) for each in shown]
    loaded = await intake.log.load(subjects, unseal=True)
    states = {subject: fold_candidate(each) for subject, each in loaded.items()}
    people = []
    for each, subject in zip(shown, subjects, strict=True):
        state = states[subject]
        # The list may be a moment behind the log: somebody erased or handed over is not shown by name any more.
        if state is None or state.erased or not principal.is_of(state.intermediary):
            continue
        if merging is None or (state.candidate_id != merges and state.merged_into is None):
            people.append({**each, "name": state.name})
    return web_of(request).pages.render(
        request,
        "candidates.html",
        status=status,
        headers=NO_STORE,
        people=people,
        merging=merging,
        today=intake.clock.today().isoformat(),
        next_after=shown[-1]["candidate_id"] if len(found) > SHOWN else None,
        inputs=fields(request, PERSON),
        form=form or Shown(),
        registered_as=known,
    )
