"""Two pages that end a registration: it is merged into another one, or all of it is erased.

Invariant: neither happens by one slip: a counsellor sees whom it is about, and says yes to just that. The number that
finds the other registration is in no address and in no hash; who is chosen from the list passes the same checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from chassis.audit import Outcome
from chassis.auth import NotFound, Principal, require
from chassis.formats import long_date
from chassis.pages import page_router
from chassis.requests import Id
from chassis.respond import Changing, respond_page
from chassis.webstate import language_of, web_of
from contracts import nationalids
from services.intake.api.candidates import NO_STORE, public_facts
from services.intake.core import Intake, candidate_subject, fold_candidate, reason_to_read
from services.intake.domain.rules import wrong
from services.intake.formpages import FORM_ERRORS, WAIT_SECONDS, Shown, fields, form_again, status_of, typed_in
from services.intake.inputs import Input
from services.intake.peopleforms import named
from services.intake.registration import erase_candidate, merge_candidate

Counsellor = Annotated[Principal, Depends(require("candidates:write"))]
PATH = "/counsellor/candidates"
OTHER, CONFIRMED = Input("other_national_id", required=True), Input("confirmed", "yes_no", required=True)
CONFIRMED_FOR = "confirmed_for"
"""Whom the page named that the yes is given on."""
CHOSEN = "chosen"
"""The other registration, where it was chosen from the list."""
ENDINGS = ("merger", "erasure")


def router(intake: Intake) -> APIRouter:
    """The pages and their forms."""
    routes = page_router()

    @routes.get(f"{PATH}/{{candidate_id}}/merger")
    async def ask_merger(
        candidate_id: str, request: Request, principal: Counsellor, other: Annotated[Id | None, Query()] = None
    ) -> Response:
        if other is None:
            return await _page(intake, request, principal, candidate_id, (OTHER,), action="merger")
        question = await _question(intake, request, principal, candidate_id, other)
        return await _page(
            intake, request, principal, candidate_id, (CONFIRMED,), action="merger", question=question, chosen=other
        )

    @routes.post(f"{PATH}/{{candidate_id}}/merger")
    async def merge(candidate_id: str, request: Request, principal: Counsellor, context: Changing) -> Response:
        await intake.own_candidate(principal, candidate_id)
        typed = await typed_in(request, (OTHER, CONFIRMED))
        chosen = typed.get(CHOSEN) or None
        page = partial(_page, intake, request, principal, action="merger")
        inputs: tuple[Input, ...] = (OTHER,) if chosen is None else (CONFIRMED,)
        try:
            other = chosen or await _other(intake, principal, candidate_id, typed.get("other_national_id", ""))
            # The number may be typed anew beside the yes: that was said to somebody else.
            if typed.get("confirmed") != "yes" or typed.get(CONFIRMED_FOR) != other:
                question = await _question(intake, request, principal, candidate_id, other)
                form = Shown({**typed, "confirmed": ""}, {"confirmed": question})
                asked = (OTHER, CONFIRMED) if chosen is None else inputs
                return await page(candidate_id, asked, form=form, status=422, confirmed_for=other, chosen=chosen)
            # A hash of what was sent is kept beside the commit: of the two registrations, not of a person's number.
            body = f"{request.url.path}\n{other}".encode()
            context = replace(context, wait=WAIT_SECONDS, body=body)
            done = await merge_candidate(intake, principal, context, candidate_id, other)
        except FORM_ERRORS as error:
            form, status = form_again(request, typed, error, named), status_of(error)
            return await page(candidate_id, inputs, form=form, status=status, chosen=chosen)
        return respond_page(f"{PATH}/{other}", done)

    @routes.get(f"{PATH}/{{candidate_id}}/erasure")
    async def ask_erasure(candidate_id: str, request: Request, principal: Counsellor) -> Response:
        return await _page(intake, request, principal, candidate_id, (CONFIRMED,), action="erasure")

    @routes.post(f"{PATH}/{{candidate_id}}/erasure")
    async def erase(candidate_id: str, request: Request, principal: Counsellor, context: Changing) -> Response:
        await intake.own_candidate(principal, candidate_id)
        typed = await typed_in(request, (CONFIRMED,))
        try:
            if typed.get("confirmed") != "yes":
                raise wrong("not_confirmed", "/confirmed")
            done = await erase_candidate(intake, principal, replace(context, wait=WAIT_SECONDS), candidate_id)
        except FORM_ERRORS as error:
            form, status = form_again(request, typed, error, named), status_of(error)
            return await _page(
                intake, request, principal, candidate_id, (CONFIRMED,), action="erasure", form=form, status=status
            )
        return respond_page(PATH, done)

    return routes


async def _other(intake: Intake, principal: Principal, candidate_id: str, typed: str) -> str:
    """The registration under a number. Raises Refused where it is none of the caller's: the others are not told of."""
    found = nationalids.parse(typed)
    if found is None or (found.synthetic and not intake.synthetic):
        raise wrong("national_id_invalid", "/other_national_id")
    other = await intake.people.find(found.number)
    if other == candidate_id:
        raise wrong("merged_with_itself", "/other_national_id")
    if other is not None:
        subject = candidate_subject(other)
        state = fold_candidate((await intake.log.load([subject]))[subject])
        if state is not None and not state.erased:
            if reason_to_read(principal, state) is not None:
                return other
            await intake.audit.record(principal, other, "duplicate", Outcome.DENIED, None)
    raise wrong("registration_not_found", "/other_national_id")


async def _question(intake: Intake, request: Request, principal: Principal, candidate_id: str, other: str) -> str:
    """Whom a yes is about. Raises NotFound, audited, for a registration that is none of the caller's, or has ended."""
    if candidate_id == other:
        raise NotFound
    language, texts = language_of(request), web_of(request).texts
    said = []
    for each in (candidate_id, other):
        state, loaded = await intake.read_candidate(principal, each, "candidate")
        if state.merged_into is not None:
            raise NotFound
        day = long_date(public_facts(loaded)["registered_on"], language)
        said.append((state.name or "", texts.say(language, "ending.registered_on", name=state.name, day=day)))
    # Of one person the two are mostly called the same: then the day tells them apart.
    ended, survivor = (each[1 if said[0][0] == said[1][0] else 0] for each in said)
    return texts.say(language, "ending.confirm_merger", ended=ended, survivor=survivor)


async def _page(
    intake: Intake,
    request: Request,
    principal: Principal,
    candidate_id: str,
    inputs: Sequence[Input],
    *,
    action: str,
    form: Shown | None = None,
    status: int = 200,
    confirmed_for: str | None = None,
    chosen: str | None = None,
    question: str | None = None,
) -> Response:
    """`chosen`: the other registration, where it was chosen from the list and not found by its number."""
    state, loaded = await intake.read_candidate(principal, candidate_id, "candidate")
    if state.merged_into is not None:
        raise NotFound
    person: dict[str, Any] = {"candidate_id": candidate_id, "name": state.name}
    return web_of(request).pages.render(
        request,
        "candidate_action.html",
        status=status,
        headers=NO_STORE,
        person=person,
        version=loaded.version,
        action=action,
        hidden={CONFIRMED_FOR: confirmed_for or chosen, CHOSEN: chosen},
        question=question,
        may_choose=action == "merger" and chosen is None,
        inputs=fields(request, inputs),
        occupations=[],
        form=form or Shown(),
    )
