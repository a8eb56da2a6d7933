"""Two pages that end a registration: it is merged into another one, or all of it is erased.

Invariant: neither happens by one slip: a counsellor sees whom it is about, and says yes to just that. The number that
finds the other registration is in no address and in no hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import NotFound, Principal, require
from chassis.pages import page_router
from chassis.respond import Changing, respond_page
from chassis.webstate import language_of, web_of
from contracts import nationalids
from services.intake.api.candidates import NO_STORE
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
ENDINGS = ("merger", "erasure")


def router(intake: Intake) -> APIRouter:
    """The pages and their forms."""
    routes = page_router()

    @routes.get(f"{PATH}/{{candidate_id}}/merger")
    async def ask_merger(candidate_id: str, request: Request, principal: Counsellor) -> Response:
        return await _page(intake, request, principal, candidate_id, "merger", (OTHER,))

    @routes.post(f"{PATH}/{{candidate_id}}/merger")
    async def merge(candidate_id: str, request: Request, principal: Counsellor, context: Changing) -> Response:
        await intake.own_candidate(principal, candidate_id)
        typed = await typed_in(request, (OTHER, CONFIRMED))
        try:
            other = await _other(intake, principal, typed.get("other_national_id", ""))
            # The number may be typed anew beside the yes: that was said to somebody else.
            if typed.get("confirmed") != "yes" or typed.get(CONFIRMED_FOR) != other:
                return await _confirm(intake, request, principal, candidate_id, other, typed)
            # A hash of what was sent is kept beside the commit: of the two registrations, not of a person's number.
            body = f"{request.url.path}\n{other}".encode()
            context = replace(context, wait=WAIT_SECONDS, body=body)
            done = await merge_candidate(intake, principal, context, candidate_id, other)
        except FORM_ERRORS as error:
            form, status = form_again(request, typed, error, named), status_of(error)
            return await _page(intake, request, principal, candidate_id, "merger", (OTHER,), form=form, status=status)
        return respond_page(f"{PATH}/{other}", done)

    @routes.get(f"{PATH}/{{candidate_id}}/erasure")
    async def ask_erasure(candidate_id: str, request: Request, principal: Counsellor) -> Response:
        return await _page(intake, request, principal, candidate_id, "erasure", (CONFIRMED,))

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
                intake, request, principal, candidate_id, "erasure", (CONFIRMED,), form=form, status=status
            )
        return respond_page(PATH, done)

    return routes


async def _other(intake: Intake, principal: Principal, typed: str) -> str:
    """The registration under a number. Raises Refused where it is none of the caller's: the others are not told of."""
    found = nationalids.parse(typed)
    if found is None or (found.synthetic and not intake.synthetic):
        raise wrong("national_id_invalid", "/other_national_id")
    candidate_id = await intake.people.find(found.number)
    if candidate_id is not None:
        subject = candidate_subject(candidate_id)
        state = fold_candidate((await intake.log.load([subject]))[subject])
        if state is not None and not state.erased and reason_to_read(principal, state) is not None:
            return candidate_id
    raise wrong("registration_not_found", "/other_national_id")


async def _confirm(
    intake: Intake, request: Request, principal: Principal, candidate_id: str, other: str, typed: dict[str, str]
) -> Response:
    ended, _ = await intake.read_candidate(principal, candidate_id, "candidate")
    survivor, _ = await intake.read_candidate(principal, other, "candidate")
    language, texts = language_of(request), web_of(request).texts
    sentence = texts.say(language, "ending.confirm_merger", ended=ended.name, survivor=survivor.name)
    form = Shown({**typed, "confirmed": ""}, {"confirmed": sentence})
    inputs = (OTHER, CONFIRMED)
    return await _page(
        intake, request, principal, candidate_id, "merger", inputs, form=form, status=422, confirmed_for=other
    )


async def _page(
    intake: Intake,
    request: Request,
    principal: Principal,
    candidate_id: str,
    action: str,
    inputs: Sequence[Input],
    *,
    form: Shown | None = None,
    status: int = 200,
    confirmed_for: str | None = None,
) -> Response:
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
        confirmed_for=confirmed_for,
        inputs=fields(request, inputs),
        occupations=[],
        form=form or Shown(),
    )
